"""Whether a campaign says yes to an occasion: all that can be said without looking anything up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from campaigns.rules.reasons import Decline
from campaigns.rules.tickets import Ticket, decline_ticket
from kit.money import Money


@dataclass(frozen=True, slots=True)
class TierStep:
    """A member went from one tier to another; `rank_before` is None for the first one."""

    after: str
    rank_before: int | None
    rank_after: int
    lowest_rank: int


@dataclass(frozen=True, slots=True)
class Silence:
    """What a member's last payment was when they fell silent, and what it is now."""

    last_paid_at: datetime
    last_paid_now: datetime | None


Happening: TypeAlias = Ticket | TierStep | Silence


@dataclass(frozen=True, slots=True)
class Occasion:
    """An event as campaigns look at it."""

    occurred_at: datetime
    may_message: bool
    happening: Happening


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign asks of an occasion."""

    started_at: datetime
    freshness: timedelta
    tier: str | None = None
    threshold: Money | None = None
    reporting_threshold: Money | None = None


def decline_occasion(terms: Terms, occasion: Occasion, *, now: datetime) -> Decline | None:
    """The first reason against it, or None."""
    if not occasion.may_message:
        return Decline.SOURCE_IS_SILENT
    if occasion.occurred_at <= now - terms.freshness:
        return Decline.TOO_OLD
    if occasion.occurred_at < terms.started_at:
        return Decline.BEFORE_START
    return decline_happening(terms, occasion.happening)


def decline_happening(terms: Terms, happening: Happening) -> Decline | None:
    """The reason against it that does not go by with time."""
    match happening:
        case TierStep() as step:
            return _decline_step(terms, step)
        case Silence() as silence:
            return decline_silence(silence)
        case Ticket() as ticket if terms.threshold is not None:
            return decline_ticket(
                ticket, threshold=terms.threshold, reporting_threshold=terms.reporting_threshold
            )
    return Decline.INCOMPLETE


def decline_silence(silence: Silence) -> Decline | None:
    if silence.last_paid_now != silence.last_paid_at:
        return Decline.BOUGHT_MEANWHILE
    return None


def _decline_step(terms: Terms, step: TierStep) -> Decline | None:
    """Everybody starts in the lowest tier: being put there is no step upward."""
    before = step.lowest_rank if step.rank_before is None else step.rank_before
    if step.rank_after <= before:
        return Decline.NOT_UPWARD
    if terms.tier is not None and step.after != terms.tier:
        return Decline.OTHER_TIER
    return None
