"""Which tier a spend supports, and where a review leaves a member."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol, TypeVar

NEVER: Final = "never"
ONE_STEP: Final = "one_step"


class Level(Protocol):
    rank: int
    threshold: Decimal


AnyLevel = TypeVar("AnyLevel", bound=Level)


def tier_for(spend: Decimal, tiers: Sequence[AnyLevel]) -> AnyLevel | None:
    """The highest of `tiers` (lowest rank first) whose threshold `spend` reaches; the lowest of
    all if it reaches none."""
    reached = [tier for tier in tiers if spend >= tier.threshold]
    return max(reached, key=lambda tier: tier.rank, default=tiers[0] if tiers else None)


def tier_after_review(
    current: AnyLevel | None,
    *,
    earned: AnyLevel | None,
    tiers: Sequence[AnyLevel],
    policy: str,
    is_kept: bool,
) -> AnyLevel | None:
    """Up to what was earned; down only as the policy says and not while the tier is promised."""
    if current is None or earned is None or earned.rank >= current.rank:
        return earned
    if policy == NEVER or is_kept:
        return current
    if policy == ONE_STEP:
        return max((t for t in tiers if t.rank < current.rank), key=lambda tier: tier.rank)
    return earned
