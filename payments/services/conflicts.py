"""Amount conflicts: what is told twice and does not agree. The first counts until staff decide.

Nothing that is booked ever changes: a decision is written once, and where the second telling is
right, the difference is booked beside the first.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from kit.money import Money
from kit.work import hold_keys
from payments.models import AmountConflict, Callback, Transaction
from payments.providers.base import Kind, Notice
from payments.services.booking import WAITING_FOR_MEMBER, Entry, book, payment_key

CONFLICT: Final = "conflict"  # What a callback waits for until staff decide.

Decision = AmountConflict.Decision
_DIFFERENT: Final = AmountConflict.Kind.DIFFERENT


class CannotDecide(ValueError):
    """The sentence says why not."""


def record_conflicts(conflicting: Sequence[Entry]) -> set[UUID]:
    """Keep what disagrees with a booked effect; returns the callbacks that staff must look at. One
    that says again what was decided before asks nothing."""
    firsts = _firsts(conflicting)
    decided = set(
        AmountConflict.objects.filter(
            kind=_DIFFERENT, first__in=firsts.values(), decided_at__isnull=False
        ).values_list("first_id", "amount", "currency")
    )
    rows = []
    for entry in conflicting:
        first, money = firsts[entry.effect_key], entry.notice.amount
        if (first.pk, money.amount, money.currency) not in decided:
            rows.append(
                AmountConflict(
                    kind=_DIFFERENT,
                    first=first,
                    callback_id=entry.callback_id,
                    amount=money.amount,
                    currency=money.currency,
                    found_at=entry.received_at,
                )
            )
    AmountConflict.objects.bulk_create(rows, ignore_conflicts=True)  # A replay tells it again.
    return {row.callback_id for row in rows if row.callback_id}


def keep_first(conflict: AmountConflict, *, reason: str, by: Any, now: datetime) -> None:
    """What was booked first is right; the other amount was a mistake of the sender."""
    with transaction.atomic():
        for open_one in _open_siblings(conflict):
            _decide(open_one, Decision.KEPT, reason=reason, by=by, now=now)
        _finish_callbacks(conflict)


def accept_second(
    conflict: AmountConflict, *, reason: str, by: Any, now: datetime
) -> Transaction | None:
    """What came later is right: book the difference. None if there is none any more."""
    with transaction.atomic():
        first = conflict.first
        hold_keys([payment_key(first.account_id, first.payment_ref)])
        siblings = _open_siblings(conflict)
        if conflict.currency != first.currency:
            raise CannotDecide(
                _("The currencies differ: keep the first one, and enter a refund and a new sale.")
            )
        difference = conflict.amount - _amount_now(first)
        booked = _book_difference(conflict, difference, now=now) if difference else None
        for open_one in siblings:
            open_one.correction = booked
            _decide(open_one, Decision.CORRECTED, reason=reason, by=by, now=now)
        _finish_callbacks(conflict)
    return booked


def join_twins(conflict: AmountConflict, *, reason: str, by: Any, now: datetime) -> None:
    """It is the one that was entered by hand: the platform's amount counts, and only that."""
    _settle_twin(conflict, Decision.SAME, reason=reason, by=by, now=now)


def part_twins(conflict: AmountConflict, *, reason: str, by: Any, now: datetime) -> None:
    """It is another one: both count."""
    _settle_twin(conflict, Decision.ANOTHER, reason=reason, by=by, now=now)


def is_higher(conflict: AmountConflict) -> bool:
    return conflict.amount > _amount_now(conflict.first)


def _firsts(conflicting: Iterable[Entry]) -> dict[tuple[int, str, str, str], Transaction]:
    entries = list(conflicting)
    rows = Transaction.objects.filter(
        account_id__in={entry.account_id for entry in entries},
        payment_ref__in={entry.notice.payment_ref for entry in entries},
    )
    return {(row.account_id, row.payment_ref, row.kind, row.effect_ref): row for row in rows}


def _open_siblings(conflict: AmountConflict) -> list[AmountConflict]:
    """Everybody who says this other amount, locked; raises CannotDecide if somebody was faster."""
    rows = AmountConflict.objects.filter(
        kind=conflict.kind,
        first=conflict.first_id,
        amount=conflict.amount,
        currency=conflict.currency,
        decided_at=None,
    )
    found = list(rows.select_for_update(no_key=True).order_by("pk"))
    if conflict.pk not in {row.pk for row in found}:
        raise CannotDecide(_("Somebody has decided this in the meantime."))
    return found


def _decide(
    conflict: AmountConflict, decision: str, *, reason: str, by: Any, now: datetime
) -> None:
    conflict.decision, conflict.reason = decision, reason
    conflict.decided_by, conflict.decided_at = by, now
    conflict.save(update_fields=["decision", "reason", "decided_by", "decided_at", "correction"])


def _finish_callbacks(conflict: AmountConflict) -> None:
    """Posts that only this question held up are done."""
    said_it = AmountConflict.objects.filter(
        kind=_DIFFERENT,
        first=conflict.first_id,
        amount=conflict.amount,
        currency=conflict.currency,
    )
    still_open = AmountConflict.objects.filter(kind=_DIFFERENT, decided_at=None)
    Callback.objects.filter(pk__in=said_it.values("callback"), waiting_for=CONFLICT).exclude(
        pk__in=still_open.filter(callback__isnull=False).values("callback")
    ).update(due_at=None, waiting_for="", outcome=CONFLICT)


def _amount_now(first: Transaction) -> Decimal:
    """The booked amount, or the one that staff accepted last."""
    accepted = first.conflicts.filter(decision=Decision.CORRECTED).order_by("-decided_at", "-pk")
    last = accepted.values_list("amount", flat=True).first()
    return first.amount if last is None else last


def _book_difference(
    conflict: AmountConflict, difference: Decimal, *, now: datetime
) -> Transaction:
    first = conflict.first
    if first.kind != Kind.PAYMENT:
        return _replace(conflict, now=now)
    if difference > 0:
        return _book_more_paid(conflict, difference, now=now)
    # No total of the platform's refunds contains what it told wrongly.
    return _book_beside(
        conflict, Kind.REFUND, Money(-difference, first.currency), is_outside=True, now=now
    )


def _replace(conflict: AmountConflict, *, now: datetime) -> Transaction:
    """A refund, chargeback or reversal with the right amount stands for the wrong one."""
    first = conflict.first
    accepted = first.conflicts.filter(correction__isnull=False).order_by("-decided_at", "-pk")
    last = accepted.values_list("correction", flat=True).first()
    row = _book_beside(
        conflict, Kind(first.kind), conflict.money, is_outside=first.is_outside, now=now
    )
    row.confirms_id = last or first.pk
    row.save(update_fields=["confirms"])
    return row


def _book_beside(
    conflict: AmountConflict, kind: Kind, amount: Money, *, is_outside: bool, now: datetime
) -> Transaction:
    first = conflict.first
    notice = Notice(
        kind=kind,
        payment_ref=first.payment_ref,
        effect_ref=_ref_of(conflict),
        amount=amount,
        is_total=first.is_total,
        occurred_at=first.occurred_at,
        order_ref=first.order_ref,
        method=first.method,
    )
    entry = Entry(
        notice=notice,
        account_id=first.account_id,
        source=Transaction.Source.STAFF,
        received_at=now,
        store_id=first.store_id,
        may_message=False,
        is_by_hand=True,
        is_outside=is_outside,
    )
    return book([entry]).fresh[0]


def _book_more_paid(
    conflict: AmountConflict, difference: Decimal, *, now: datetime
) -> Transaction:
    """A payment cannot grow, so what it was more is a payment beside it, of the same payer."""
    first = conflict.first
    hold_keys([f"clue:{clue}" for clue in first.clues])
    first.refresh_from_db(fields=["member"])
    ref = f"{first.payment_ref[:70]}:{_ref_of(conflict)}"
    return Transaction.objects.create(
        account_id=first.account_id,
        source=Transaction.Source.STAFF,
        kind=Kind.PAYMENT,
        payment_ref=ref,
        effect_ref=ref,
        amount=difference,
        currency=first.currency,
        occurred_at=first.occurred_at,
        received_at=now,
        order_ref=first.order_ref,
        method=first.method,
        store_id=first.store_id,
        clues=first.clues,
        payer_country=first.payer_country,
        may_message=False,
        member_id=first.member_id,
        waiting_for="" if first.member_id else WAITING_FOR_MEMBER,
        due_at=now,
    )


def _ref_of(conflict: AmountConflict) -> str:
    return f"correction-{conflict.pk.hex[-12:]}"


def _settle_twin(
    conflict: AmountConflict, decision: str, *, reason: str, by: Any, now: datetime
) -> None:
    with transaction.atomic():
        _open_siblings(conflict)
        assert conflict.second_id is not None
        rows = Transaction.objects.select_for_update(no_key=True, of=("self",))
        row = rows.select_related("original").get(pk=conflict.second_id)
        assert row.original is not None
        if decision == Decision.SAME:
            row.confirms_id = conflict.first_id
        row.member_id = row.member_id or row.original.member_id
        row.waiting_for = "" if row.member_id else WAITING_FOR_MEMBER
        row.save(update_fields=["confirms", "member", "waiting_for"])
        _decide(conflict, decision, reason=reason, by=by, now=now)
