"""What is left of a payment after refunds, chargebacks and what came back of them.

    left = paid - max(largest total, sum of single refunds) - outside - chargebacks + reversals

never below nothing, never above what was paid. It is always worked out anew from all facts, so
neither their order nor a repetition matters, and a second chargeback after a reversal takes back
what the reversal gave.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

REFUND = "refund"
CHARGEBACK = "chargeback"
REVERSAL = "reversal"


class Correction(Protocol):
    """A refund, chargeback or reversal of a payment.

    is_total:    the sum of all refunds so far, as some platforms state it; the largest counts,
                 and where a platform sends both, totals and single refunds do not add up
    is_outside:  paid back another way, which no total of the platform contains
    confirms_id: an entry by hand that this one tells again: that one does not count any more
    """

    @property
    def pk(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def is_total(self) -> bool: ...
    @property
    def is_outside(self) -> bool: ...
    @property
    def confirms_id(self) -> Any: ...


AnyCorrection = TypeVar("AnyCorrection", bound=Correction)


def counting(corrections: Iterable[AnyCorrection]) -> list[AnyCorrection]:
    """Those that count: without entries by hand that a platform has told again."""
    rows = list(corrections)
    told_again = {row.confirms_id for row in rows if row.confirms_id is not None}
    return [row for row in rows if row.pk not in told_again]


def what_remains(paid: Decimal, corrections: Iterable[Correction]) -> Decimal:
    rows = counting(corrections)
    taken = _refunded(rows) + _sum_of(CHARGEBACK, rows)
    return min(max(paid - taken + _sum_of(REVERSAL, rows), Decimal(0)), paid)


def is_refunded_in_full(paid: Decimal, corrections: Iterable[Correction]) -> bool:
    """Whether refunds alone left nothing: what a chargeback took is not given back by the shop.

    What came back makes up for chargebacks first: a dispute that was won says nothing of refunds.
    """
    rows = counting(corrections)
    back = max(_sum_of(REVERSAL, rows) - _sum_of(CHARGEBACK, rows), Decimal(0))
    return _refunded(rows) - back >= paid


def undone_refunds(corrections: Iterable[AnyCorrection]) -> list[AnyCorrection]:
    """Refunds that reversals made up for as a whole, the latest first; chargebacks come before."""
    rows = counting(corrections)
    back = _sum_of(REVERSAL, rows) - _sum_of(CHARGEBACK, rows)
    undone = []
    for row in reversed([row for row in rows if row.kind == REFUND]):
        if row.amount <= back:
            undone.append(row)
            back -= row.amount
    return undone


def _refunded(rows: Sequence[Correction]) -> Decimal:
    refunds = [row for row in rows if row.kind == REFUND]
    inside = [row for row in refunds if not row.is_outside]
    singles = _sum(row for row in inside if not row.is_total)
    largest = max([singles, *(row.amount for row in inside if row.is_total)])
    return largest + _sum(row for row in refunds if row.is_outside)


def _sum_of(kind: str, rows: Iterable[Correction]) -> Decimal:
    return _sum(row for row in rows if row.kind == kind)


def _sum(rows: Iterable[Correction]) -> Decimal:
    return sum((row.amount for row in rows), Decimal(0))
