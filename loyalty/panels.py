"""Points and why, the way to the next tier, and coupons: their parts of the member page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kit.panels import Panel, Place, register
from loyalty.selectors import (
    CouponState,
    HeldCoupon,
    Lapse,
    TierProgress,
    coupons_of,
    ledger_rows,
    next_lapse,
    open_lots,
    rule_versions,
    standing_of,
    tier_progress,
)
from loyalty.wording import benefit, conditions, reasons, title
from members.models import Member

LEDGER_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Points:
    balance: int
    lapse: Lapse | None

    @property
    def debt(self) -> int:
        return max(-self.balance, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger in words. `at` is when the member paid or got the money back."""

    title: str
    reasons: list[str]
    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class ShownCoupon:
    held: HeldCoupon
    benefit: str
    conditions: list[str]


@dataclass(frozen=True, slots=True)
class Coupons:
    """Those to show at the till, and those that are over."""

    open: list[ShownCoupon]
    past: list[ShownCoupon]


def read_points(member: Member, now: datetime) -> Points:
    return Points(standing_of(member).balance, next_lapse(open_lots(member), now=now))


def read_tier(member: Member, _now: datetime) -> TierProgress | None:
    return tier_progress(standing_of(member))


def read_coupons(member: Member, now: datetime) -> Coupons:
    shown = [
        ShownCoupon(held, benefit(held.coupon.type), conditions(held.coupon.type))
        for held in coupons_of(member, now=now)
    ]
    is_open = {CouponState.USABLE, CouponState.UPCOMING}
    return Coupons(
        open=sorted(
            (coupon for coupon in shown if coupon.held.state in is_open),
            key=lambda coupon: coupon.held.coupon.expires_at,
        ),
        past=[coupon for coupon in shown if coupon.held.state not in is_open],
    )


def read_ledger(member: Member, _now: datetime) -> list[Entry]:
    rows = ledger_rows(member, limit=LEDGER_ROWS)
    versions = rule_versions(rows)
    return [Entry(title(row), reasons(row, versions), row.occurred_at, row.points) for row in rows]


register(Panel("points", Place.ASIDE, 10, "member/panels/points.html", read_points))
register(Panel("tier", Place.ASIDE, 30, "member/panels/tier.html", read_tier))
register(Panel("coupons", Place.MAIN, 40, "member/panels/coupons.html", read_coupons))
register(Panel("ledger", Place.MAIN, 50, "member/panels/ledger.html", read_ledger))
