"""One payment against the amount of a campaign, whatever came back of it since."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from campaigns.rules.reasons import Decline
from kit.money import Money
from payments.rules.remaining import what_remains


@dataclass(frozen=True, slots=True)
class Correction:
    """A refund, chargeback or reversal of a payment, as `payments.rules.remaining` asks of it."""

    kind: str
    amount: Decimal
    is_total: bool = False
    is_outside: bool = False
    pk: Any = None
    confirms_id: Any = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A payment, what was kept of it, and what it was worth in the reporting currency."""

    paid: Money
    kept: Money
    reporting: Money


def kept_of(paid: Money, corrections: Iterable[Correction]) -> Money:
    """What is left of a payment, by the same sums as its points."""
    left = what_remains(paid.amount, corrections)
    return Money(left, paid.currency)


def decline_ticket(
    ticket: Ticket, *, threshold: Money, reporting_threshold: Money | None
) -> Decline | None:
    """In the campaign's currency if that was paid, else by the reporting amount that was pinned.

    A payment that was large once and has come back in part is a refund, not a small payment.
    """
    if ticket.paid.currency == threshold.currency:
        paid, kept, least = ticket.paid.amount, ticket.kept.amount, threshold.amount
    elif reporting_threshold is None:
        return Decline.NO_RATE
    else:
        paid, least = ticket.reporting.amount, reporting_threshold.amount
        kept = paid * ticket.kept.amount / ticket.paid.amount
    if paid < least:
        return Decline.BELOW_AMOUNT
    return Decline.REFUNDED if kept < least else None
