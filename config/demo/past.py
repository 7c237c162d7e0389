"""What staff did by hand before there were campaigns: coupons given, used and returned, points
given for a birthday and taken for a tasting."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import UUID

from config.demo.merchant import ACCESSORY, GIFT
from kit.money import Money
from loyalty.models import Award, Coupon, CouponType, TierChange
from loyalty.services.coupons import cancel_use, issue_coupons, redeem_coupon
from loyalty.services.points import adjust_points
from members.models import Member, Store

# In characters that both Chinese scripts share, and only for members who read Chinese.
TASTING: Final = "到店品茶"
_BIRTHDAY: Final = "生日心意"
_LARGE: Final = Decimal(800)


@dataclass(order=True, slots=True)
class _Use:
    """A coupon that somebody is going to use."""

    at: datetime
    number: int
    code: str = field(compare=False)
    store: Store | None = field(compare=False)
    bill: Money = field(compare=False)


@dataclass(slots=True)
class Counter:
    """Staff at the counter, month by month."""

    rng: Random
    actor: Any
    uses: list[_Use] = field(default_factory=list)
    given: int = 0

    def begin_month(self, *, since: datetime, now: datetime) -> None:
        """Thank those who rose or bought much since the last time, and move some points."""
        rose = TierChange.objects.filter(
            changed_at__gte=since, changed_at__lt=now, cause=TierChange.Cause.SPEND
        )
        self._give(GIFT, _in_order(rose.values_list("member_id", flat=True)), now=now)
        large = Award.objects.filter(
            booked_at__gte=since, booked_at__lt=now, spend__gte=_LARGE, member__region__code="HK"
        )
        buyers = _in_order(large.values_list("member_id", flat=True))
        self._give(ACCESSORY, buyers[:30], now=now)
        self._move_points(now=now)

    def redeem_until(self, now: datetime) -> int:
        """Use the coupons whose holders come in by `now`; one in thirty is taken back."""
        done = 0
        while self.uses and self.uses[0].at <= now:
            use = heapq.heappop(self.uses)
            order = f"C-{use.number:06d}"
            used = redeem_coupon(
                use.code,
                bill=use.bill,
                store=use.store,
                order_ref=order,
                actor=self.actor,
                now=use.at,
            )
            if use.number % 30 == 0:
                cancel_use(used, actor=self.actor, now=use.at + timedelta(minutes=4))
            done += 1
        return done

    def _give(self, code: str, members: list[Member], *, now: datetime) -> None:
        kind = CouponType.objects.get(code=code)
        answers = issue_coupons([(kind, member.pk) for member in members], now=now)
        for member, answer in zip(members, answers, strict=True):
            self.given += 1
            if isinstance(answer, Coupon) and self.rng.random() < 0.3:
                self._expect(answer, member, now=now)

    def _expect(self, coupon: Coupon, member: Member, *, now: datetime) -> None:
        later = timedelta(days=self.rng.randint(1, 25), minutes=self.rng.randint(0, 480))
        bill = Money(Decimal(self.rng.randint(210, 900)), member.region.currency)
        use = _Use(now + later, self.given, coupon.code, member.home_store, bill)
        heapq.heappush(self.uses, use)

    def _move_points(self, *, now: datetime) -> None:
        holders = list(
            Member.objects.filter(standing__balance__gte=160, language__startswith="zh")
            .order_by("code")
            .only("pk")
        )
        for member in self.rng.sample(holders, min(5, len(holders))):
            points = -self.rng.choice((80, 120, 150))
            adjust_points(member, points=points, reason=TASTING, actor=self.actor, now=now)
        for member in self.rng.sample(holders, min(3, len(holders))):
            adjust_points(member, points=50, reason=_BIRTHDAY, actor=self.actor, now=now)


def _in_order(member_ids: Any) -> list[Member]:
    """Once each, in an order that is the same again for the same seed."""
    wanted: set[UUID] = set(member_ids)
    rows = Member.objects.filter(pk__in=wanted).select_related("region", "home_store")
    return list(rows.order_by("code"))
