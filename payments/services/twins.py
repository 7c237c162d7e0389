"""Twins: what was entered by hand and what a platform tells of it later are one, and count once.

Staff enter a refund because the platform reports none, or none yet. Months later a settlement file
names it after all, under a reference of the platform's own. So, for each payment:

* the same kind and amount within 30 days is the same one: the later one *confirms* the entry, and
  the entry does not count any more (`payments.rules.remaining`);
* another amount, or a later day, may be the same one with a typing error, or another one: it
  waits, and staff say which (`payments/services/conflicts.py`);
* totals so far need nothing: the larger of the total and the single ones counts;
* what was paid back another way, in cash say, the platform will never tell;
* of two that came by the API under two numbers neither is a platform's word: both count.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from payments.models import AmountConflict, HandEntry, Transaction

SAME_WITHIN: Final = timedelta(days=30)
_API: Final = Transaction.Source.API


def pair_with_entries(rows: Sequence[Transaction]) -> list[AmountConflict]:
    """Let what platforms tell confirm entries by hand. What may be a twin is set to wait, and the
    question to staff is returned, to be recorded after `rows`."""
    told = [row for row in rows if row.original_id is not None and not row.is_total]
    if not told:
        return []
    entries = _open_entries({row.original_id for row in told if row.original_id})
    questions = []
    for row in told if entries else []:
        candidates = [entry for entry in entries if _may_be(entry, row)]
        same = next((entry for entry in candidates if is_same(entry, row)), None)
        if same is not None:
            row.confirms = same
            entries.remove(same)
        elif candidates:
            row.waiting_for = AmountConflict.Kind.TWIN
            questions.append(_question(candidates[0], row))
    return questions


def told_already(entry: Transaction) -> Transaction | None:
    """What a platform told before `entry` was entered by hand, and is the same one."""
    told = Transaction.objects.filter(
        original_id=entry.original_id,
        kind=entry.kind,
        amount=entry.amount,
        currency=entry.currency,
        is_total=False,
        is_outside=False,
        confirms=None,
        hand_entry=None,
        occurred_at__range=(entry.occurred_at - SAME_WITHIN, entry.occurred_at + SAME_WITHIN),
    )
    if entry.source == _API:
        told = told.exclude(source=_API)
    return told.exclude(pk=entry.pk).order_by("occurred_at", "pk").first()


def is_same(entry: Transaction, told: Transaction) -> bool:
    apart = abs(told.occurred_at - entry.occurred_at)
    return (entry.amount, entry.currency) == (told.amount, told.currency) and apart <= SAME_WITHIN


def _open_entries(payments: set[UUID]) -> list[Transaction]:
    """Entries by hand that no platform has confirmed, oldest first."""
    rows = HandEntry.objects.filter(
        transaction__original_id__in=payments,
        transaction__is_outside=False,
        transaction__confirmed_by=None,
    )
    found = rows.select_related("transaction").order_by("entered_at", "pk")
    return [entry.transaction for entry in found]


def _may_be(entry: Transaction, told: Transaction) -> bool:
    if entry.source == told.source == _API:
        return False
    return (entry.original_id, entry.kind) == (told.original_id, told.kind)


def _question(entry: Transaction, row: Transaction) -> AmountConflict:
    return AmountConflict(
        kind=AmountConflict.Kind.TWIN,
        first=entry,
        second=row,
        callback_id=row.callback_id,
        amount=row.amount,
        currency=row.currency,
        found_at=row.received_at,
    )
