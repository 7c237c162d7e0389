"""What every settlement file becomes: rows in one form, sums to check, and a period.

A format is one module in this folder that ends in `FORMAT = Format(...)`. It reads bytes and knows
no database, network or clock.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from kit.money import Money


class RowKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    REVERSAL = "reversal"
    FEE = "fee"
    PAYOUT = "payout"
    OTHER = "other"


SALES = frozenset((RowKind.PAYMENT, RowKind.REFUND, RowKind.CHARGEBACK, RowKind.REVERSAL))


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One movement of money as a file tells it.

    payment_ref: the platform's id of the payment, as its callbacks name it
    effect_ref:  the id of this effect as its callbacks name it, blank where the file has none
    amount:      what the customer paid or got back, above zero whatever the kind
    settled:     what the platform pays out or takes for it, before its fee, above zero
    fee:         what the platform keeps; below zero where it gives a fee back
    """

    number: int
    kind: RowKind
    payment_ref: str
    amount: Money
    occurred_at: datetime
    effect_ref: str = ""
    order_ref: str = ""
    settled: Money | None = None
    fee: Decimal | None = None
    settled_on: date | None = None
    method: str = ""
    member_code: str = ""


@dataclass(frozen=True, slots=True)
class Footing:
    """A sum or count that the file states, and what its rows come to."""

    what: str  # A code such as `payments`; see payments/wording.py.
    said: Decimal
    found: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole file. The period is what the file says of itself, else that of its rows."""

    rows: list[StatementRow]
    footings: list[Footing] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What is chosen beside the file, or known of its account."""

    zone: str = "Asia/Hong_Kong"
    currency: str = "HKD"
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    sign: str = "minus"
    day_order: str = "ymd"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    recognises:  whether a file with this folded header, below these lines, is one of them
    covers:      the kinds of effects that such a file lists; the lack of others says nothing
    refund_ref:  the effect reference under which a callback would book this refund, given the
                 total refunded with it; None where the row's own effect_ref is that
    zone:        whose clock the file's times are; blank: the account's
    """

    code: str
    label: Any
    help_text: Any
    read: Callable[[bytes, Options], Statement]
    recognises: Callable[[frozenset[str], Sequence[str]], bool]
    words: frozenset[str]
    covers: frozenset[RowKind] = frozenset((RowKind.PAYMENT, RowKind.REFUND))
    refund_ref: Callable[[str, Money], str] | None = None
    zone: str = ""
    order: int = 0


def repeated(rows: Sequence[StatementRow]) -> list[StatementRow]:
    """Rows that say again what an earlier one said: the same effect of the same kind."""
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    found = []
    for row in rows:
        key = (row.kind, row.payment_ref, row.effect_ref or f"{row.occurred_at}{row.amount}")
        seen[key] += 1
        if seen[key] > 1:
            found.append(row)
    return found
