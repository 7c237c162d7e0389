"""Which row of a file is which effect of ours. It asks nobody: no queries, no clock."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from payments.models import SettlementRow
from payments.statements.base import SALES

Verdict: Final = SettlementRow.Verdict


@dataclass(frozen=True, slots=True)
class Ours:
    """A transaction of ours, as far as it is compared."""

    id: UUID
    kind: str
    payment_ref: str
    effect_ref: str
    order_ref: str
    amount: Decimal
    currency: str
    is_total: bool
    occurred_at: datetime
    fee: Decimal | None
    settled_currency: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """One movement of money of ours: a transaction, or what its total has grown by."""

    of: Ours
    amount: Decimal


@dataclass(slots=True)
class Comparison:
    """pairs: each row with its verdict and the effect of ours that it is, if there is one;
    unmatched: effects of ours that no row tells of"""

    pairs: list[tuple[Any, str, Effect | None]] = field(default_factory=list)
    unmatched: list[Effect] = field(default_factory=list)


def compare_rows(rows: Sequence[Any], ours: Sequence[Ours]) -> Comparison:
    """`rows` as SettlementRow has them. Payments go by the platform's reference, else by the
    order's; refunds by their own reference, else by their amount, among those of one payment."""
    found = Comparison()
    sales = _set_apart(rows, found)
    known_refs = _Refs(ours)
    theirs: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in sales:
        theirs[row.kind, known_refs.payment_of(row)].append(row)
    effects: dict[tuple[str, str], list[Effect]] = defaultdict(list)
    grouped: dict[tuple[str, str], list[Ours]] = defaultdict(list)
    for mine in ours:
        grouped[mine.kind, mine.payment_ref].append(mine)
    for key, group in grouped.items():
        effects[key] = list(effects_of(group))
    for key in theirs.keys() | effects.keys():
        _pair(theirs.get(key, []), effects.get(key, []), found)
    return found


def effects_of(group: Sequence[Ours]) -> Iterator[Effect]:
    """Single effects as they are, and what totals grew by beyond them.

    A platform that tells totals tells the same refund in both ways at times; then the total's
    growth is the single effect, which is counted once.
    """
    singles = [Effect(mine, mine.amount) for mine in group if not mine.is_total]
    yield from singles
    told = [effect.amount for effect in singles]
    before = Decimal(0)
    for total in sorted((mine for mine in group if mine.is_total), key=lambda mine: mine.amount):
        growth, before = total.amount - before, total.amount
        if growth in told:
            told.remove(growth)
        elif growth > 0:
            yield Effect(total, growth)


class _Refs:
    """Under which reference of ours a row's payment is known."""

    def __init__(self, ours: Iterable[Ours]) -> None:
        self._payments: set[str] = set()
        self._by_order: dict[str, set[str]] = defaultdict(set)
        for mine in ours:
            self._payments.add(mine.payment_ref)
            if mine.order_ref:
                self._by_order[mine.order_ref].add(mine.payment_ref)

    def payment_of(self, row: Any) -> str:
        if row.payment_ref in self._payments:
            return str(row.payment_ref)
        if row.order_ref in self._payments:
            return str(row.order_ref)
        same_order = self._by_order.get(row.order_ref, set())
        return next(iter(same_order)) if len(same_order) == 1 else str(row.payment_ref)


def _set_apart(rows: Sequence[Any], found: Comparison) -> list[Any]:
    """Rows that are no sales, and those that say again what an earlier one said."""
    sales, seen = [], set()
    for row in sorted(rows, key=lambda row: row.number):
        key = (row.kind, row.payment_ref, row.effect_ref or (row.occurred_at, row.amount))
        if row.kind not in SALES:
            found.pairs.append((row, Verdict.NOT_SALES, None))
        elif key in seen:
            found.pairs.append((row, Verdict.DUPLICATE, None))
        else:
            seen.add(key)
            sales.append(row)
    return sales


def _pair(rows: list[Any], effects: list[Effect], found: Comparison) -> None:
    """Among the effects of one kind on one payment: the surest likeness first."""
    left = list(effects)
    for likeness in (_same_ref, _same_amount, _any):
        unpaired = []
        for row in rows:
            effect = next((each for each in left if likeness(row, each)), None)
            if effect is None:
                unpaired.append(row)
            else:
                left.remove(effect)
                found.pairs.append((row, _verdict(row, effect), effect))
        rows = unpaired
    found.pairs += [(row, Verdict.MISSING_HERE, None) for row in rows]
    found.unmatched += left


def _same_ref(row: Any, effect: Effect) -> bool:
    """Of a total the reference may go on behind the request's: `request:20.00`."""
    if not row.effect_ref:
        return False
    ref = effect.of.effect_ref
    is_same = ref == row.effect_ref or (
        effect.of.is_total and ref.startswith(f"{row.effect_ref}:")
    )
    return is_same and (not effect.of.is_total or effect.amount == row.amount)


def _same_amount(row: Any, effect: Effect) -> bool:
    return bool(row.amount == effect.amount and row.currency == effect.of.currency)


def _any(_row: Any, _effect: Effect) -> bool:
    return True


def _verdict(row: Any, effect: Effect) -> str:
    mine = effect.of
    if row.currency != mine.currency:
        return Verdict.CURRENCY_DIFFERS
    if row.amount != effect.amount:
        return Verdict.AMOUNT_DIFFERS
    is_comparable = mine.settled_currency in (None, "", row.settled_currency)
    if None not in (row.fee, mine.fee) and is_comparable and row.fee != mine.fee:
        return Verdict.FEE_DIFFERS
    return Verdict.MATCHED
