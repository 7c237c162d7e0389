"""Comparing a settlement file with our transactions: sets, in a fixed number of queries."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from kit.bulk import is_any_of, update_many
from kit.drain import Queue, drain
from kit.ids import uuid7
from kit.work import IS_DUE, hold_keys, note_failure
from payments.models import Settlement, SettlementRow, Transaction
from payments.services.reconcile.pairing import Comparison, Effect, Ours, Verdict, compare_rows
from payments.services.reconcile.taking import zone_of
from payments.statements import all_formats

# A file of so many rows is compared while whoever uploaded it waits; a larger one by the job.
COMPARED_AT_ONCE: Final = 20_000
_TELLS_OF: Final = (
    Verdict.MATCHED,
    Verdict.AMOUNT_DIFFERS,
    Verdict.CURRENCY_DIFFERS,
    Verdict.FEE_DIFFERS,
)

_LEARN: Final = """
UPDATE payments_transaction AS known SET
    settled_amount = coalesce(known.settled_amount, told.settled_amount),
    settled_currency = coalesce(known.settled_currency, nullif(told.settled_currency, '')),
    fee = coalesce(known.fee, told.fee)
FROM payments_settlementrow AS told
WHERE told.settlement_id = %s AND told.verdict = %s AND told.transaction_id = known.id
    AND (known.settled_amount IS NULL OR known.fee IS NULL)
    AND coalesce(known.settled_currency, told.settled_currency) = told.settled_currency
"""


def compare_due(*, now: datetime, limit: int = 1) -> int:
    """Compare the files that wait for it; returns how many."""
    return drain(_QUEUE, now=now, limit=limit)


def compare_again(settlement: Settlement, *, now: datetime) -> None:
    """After something was booked or linked; small files at once, large ones by the job."""
    waiting = Settlement.objects.filter(pk=settlement.pk, withdrawn_at=None)
    if not waiting.update(due_at=now, waiting_for="", error="", attempts=0):
        return
    if settlement.rows_read <= COMPARED_AT_ONCE:
        with transaction.atomic():
            compare([settlement.pk], now=now)


def compare(keys: Sequence[UUID], *, now: datetime) -> int:
    """Inside a transaction. What files tell of fees is kept where we did not know it yet.

    One file at a time for each account: each notes what it lacks once, and tells the others.
    """
    held = (
        Settlement.objects.filter(pk__in=keys, withdrawn_at=None)
        .select_for_update(no_key=True, of=("self",))
        .select_related("account__store__region")
        .order_by("pk")
    )
    found = list(held)
    hold_keys([f"settlements:{settlement.account_id}" for settlement in found])
    for settlement in found:
        _compare(settlement, now=now)
    Settlement.objects.filter(pk__in=keys).update(
        due_at=None, attempts=0, waiting_for="", error="", compared_at=now
    )
    return len(keys)


def _compare(settlement: Settlement, *, now: datetime) -> None:
    rows = list(SettlementRow.objects.filter(settlement=settlement))
    in_file = [row for row in rows if row.number]
    noted = [row for row in rows if not row.number]
    found = compare_rows(in_file, _ours(settlement, in_file))
    _write_verdicts(found)
    _note_missing_there(settlement, noted, found)
    with connection.cursor() as cursor:
        cursor.execute(_LEARN, [settlement.pk, Verdict.MATCHED])
    _tell_other_files(settlement, found)


def _ours(settlement: Settlement, rows: Sequence[SettlementRow]) -> list[Ours]:
    """Ours that the rows may name, wherever in time, and all others of the period."""
    refs = {row.payment_ref for row in rows} | {row.order_ref for row in rows} - {""}
    orders = {row.order_ref for row in rows} - {""}
    own = Transaction.objects.filter(account_id=settlement.account_id)
    columns = tuple(Ours.__dataclass_fields__)
    named = {key: Ours(key, *rest) for key, *rest in own.filter(
        is_any_of("payment_ref", refs)).values_list(*columns)}  # fmt: skip
    for part in (own.filter(is_any_of("order_ref", orders)), own.filter(_in_period(settlement))):
        named.update({key: Ours(key, *rest) for key, *rest in part.values_list(*columns)})
    return list(named.values())


def _in_period(settlement: Settlement) -> Q:
    zone = zone_of(settlement.account, settlement.format)
    starts_at = datetime.combine(settlement.starts_on, time.min, tzinfo=zone)
    ends_at = datetime.combine(settlement.ends_on + timedelta(days=1), time.min, tzinfo=zone)
    return Q(occurred_at__gte=starts_at, occurred_at__lt=ends_at)


def _write_verdicts(found: Comparison) -> None:
    changed = []
    for row, verdict, effect in found.pairs:
        row.verdict = verdict
        row.transaction_id = effect.of.id if effect else None
        row.our_amount = effect.amount if effect else None
        changed.append(row)
    update_many(changed, ["verdict", "transaction", "our_amount"])


def _note_missing_there(
    settlement: Settlement, noted: Sequence[SettlementRow], found: Comparison
) -> None:
    """Ours of the period that neither this file nor another one tells of."""
    zone = zone_of(settlement.account, settlement.format)
    covers = all_formats()[settlement.format].covers
    lacking = {
        effect.of.id: effect
        for effect in found.unmatched
        if effect.of.kind in covers
        and settlement.starts_on
        <= effect.of.occurred_at.astimezone(zone).date()
        <= settlement.ends_on
    }
    for key in _told_elsewhere(settlement, lacking):
        del lacking[key]
    known = {row.transaction_id: row for row in noted}
    for row in noted:
        row.verdict = Verdict.MISSING_THERE if row.transaction_id in lacking else Verdict.ELSEWHERE
    update_many(list(noted), ["verdict"])
    SettlementRow.record(
        _noted(settlement, effect) for key, effect in lacking.items() if key not in known
    )


def _noted(settlement: Settlement, effect: Effect) -> SettlementRow:
    mine = effect.of
    return SettlementRow(
        id=uuid7(),
        settlement=settlement,
        number=0,
        kind=mine.kind,
        payment_ref=mine.payment_ref,
        effect_ref=mine.effect_ref,
        order_ref=mine.order_ref,
        amount=effect.amount,
        currency=mine.currency,
        occurred_at=mine.occurred_at,
        verdict=Verdict.MISSING_THERE,
        transaction_id=mine.id,
        our_amount=effect.amount,
    )


def _told_elsewhere(settlement: Settlement, keys: Iterable[UUID]) -> list[UUID]:
    return list(
        SettlementRow.objects.filter(
            is_any_of("transaction_id", keys),
            verdict__in=_TELLS_OF,
            settlement__withdrawn_at=None,
        )
        .exclude(settlement=settlement)
        .values_list("transaction_id", flat=True)
        .distinct()
    )


def _tell_other_files(settlement: Settlement, found: Comparison) -> None:
    """What an earlier file lacked and this one has is no longer missing there."""
    told = [effect.of.id for _row, verdict, effect in found.pairs if effect]
    SettlementRow.objects.filter(
        is_any_of("transaction_id", told), number=0, verdict=Verdict.MISSING_THERE
    ).exclude(settlement=settlement).update(verdict=Verdict.ELSEWHERE)


def _claim(limit: int, now: datetime) -> Sequence[UUID]:
    due = Settlement.objects.filter(IS_DUE, due_at__lte=now).order_by("due_at")
    return list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])


def _reclaim(keys: Sequence[UUID], now: datetime) -> Sequence[UUID]:
    due = Settlement.objects.filter(IS_DUE, pk__in=keys, due_at__lte=now)
    return list(due.select_for_update(skip_locked=True).values_list("pk", flat=True))


def _work(keys: Sequence[UUID], now: datetime) -> int:
    return compare(keys, now=now)


def _park(key: UUID, error: str, tries: int) -> None:
    note_failure(Settlement.objects.filter(pk=key), error, tries=tries)


_QUEUE: Final = Queue(name="reconcile", claim=_claim, reclaim=_reclaim, work=_work, park=_park)
