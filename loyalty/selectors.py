"""Reading what members hold: points, lots, their tier and what is missing, coupons."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import (
    Case,
    Count,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from kit.money import Money
from loyalty.models import Award, Coupon, CouponUse, Lot, RuleVersion, Standing, Tier, Transfer
from members.models import Member, Programme
from members.persons import own_rows
from payments.models import Transaction

# How long a coupon that is over stays among the member's coupons.
COUPON_REMEMBERED = timedelta(days=90)


def standing_of(member: Member) -> Standing:
    """Where the member stands; a blank one before their first transaction."""
    found = Standing.objects.select_related("tier").filter(pk=member.pk).first()
    return found or Standing(member=member)


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Points that the member still holds out of one lot, and when they lapse."""

    lot: Lot
    left: int
    expires_at: datetime | None


def open_lots(member: Member) -> list[OpenLot]:
    """Lots with something left in them, soonest to lapse first."""
    lots = (
        Lot.objects.filter(account=member.pk)
        .open()
        .with_left()
        .order_by(F("expires_at").asc(nulls_last=True), "id")
    )
    return [OpenLot(lot, lot.left, lot.expires_at) for lot in lots]


@dataclass(frozen=True, slots=True)
class Lapse:
    """Points that lapse at the same moment."""

    points: int
    at: datetime


def lapses(lots: Sequence[OpenLot], *, now: datetime) -> list[Lapse]:
    """What lapses when, soonest first, unless the member uses it before. What lapsed already is
    not news."""
    points: dict[datetime, int] = {}
    for lot in lots:
        if lot.expires_at is not None and lot.expires_at > now:
            points[lot.expires_at] = points.get(lot.expires_at, 0) + lot.left
    return [Lapse(points[at], at) for at in sorted(points)]


def next_lapse(lots: Sequence[OpenLot], *, now: datetime) -> Lapse | None:
    return next(iter(lapses(lots, now=now)), None)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One transfer as the member sees it: `points` is negative where points went away."""

    transfer: Transfer
    points: int

    @property
    def occurred_at(self) -> datetime:
        """When the member paid or got money back; otherwise when it was booked."""
        award = self.transfer.award
        return award.transaction.occurred_at if award else self.transfer.booked_at


def ledger_rows(member: Member, *, limit: int) -> list[LedgerRow]:
    """The newest transfers of the member, each with its award, payment and store.

    Of those who were merged into them too, but not what only went from one to the other; and
    nothing of those who were merged and are not any more.
    """
    accounts = [pk for (pk,) in own_rows(member).values_list("pk")]
    transfers = (
        Transfer.objects.filter(Q(debit__in=accounts) | Q(credit__in=accounts))
        .exclude(debit__in=accounts, credit__in=accounts)
        .filter(Q(owner=None) | Q(owner__in=accounts))
        .select_related("award__transaction__store")
        .order_by("-booked_at", "-id")[:limit]
    )
    return [LedgerRow(transfer, _signed(transfer, accounts)) for transfer in transfers]


def rule_versions(rows: Iterable[LedgerRow]) -> dict[str, RuleVersion]:
    """The rules that the awards of `rows` name, as they stood then, by id; one query."""
    awards = [row.transfer.award for row in rows if row.transfer.award]
    named = {reason["rule"] for award in awards for reason in award.why if "rule" in reason}
    return {str(version.pk): version for version in RuleVersion.objects.filter(pk__in=named)}


def _signed(transfer: Transfer, accounts: Collection[UUID]) -> int:
    return transfer.points if transfer.credit_id in accounts else -transfer.points


@dataclass(frozen=True, slots=True)
class PaymentPoints:
    """What a payment earned, and what became of it by refunds, disputes and what undid them.

    lapsed: would have been taken back too, had they not lapsed before
    """

    earned: int
    taken_back: int
    given_back: int
    lapsed: int

    @property
    def left(self) -> int:
        return self.earned - self.taken_back + self.given_back - self.lapsed


def points_of_payment(payment: Transaction) -> PaymentPoints | None:
    """None where nothing was taken back of the payment, or it has earned nothing yet."""
    own = Award.objects.filter(transaction=payment).first()
    corrections = Award.objects.filter(transaction__original=payment)
    moved = list(corrections.values_list("points", "forgiven"))
    if own is None or not moved:
        return None
    return PaymentPoints(
        earned=own.points,
        taken_back=sum(-points for points, _forgiven in moved if points < 0),
        given_back=sum(points for points, _forgiven in moved if points > 0),
        lapsed=sum(forgiven for _points, forgiven in moved),
    )


@dataclass(frozen=True, slots=True)
class TierProgress:
    """The member's tier, the next one, and what is missing; `next` is None at the top."""

    tier: Tier | None
    next: Tier | None
    spend: Money
    threshold: Money | None
    missing: Money | None

    @property
    def percent(self) -> int:
        """How much of the way is done, rounded down: 100 only when it is."""
        if self.threshold is None or self.threshold.amount <= 0:
            return 100
        share = max(self.spend.amount, Decimal(0)) / self.threshold.amount
        return min(int(share * 100), 100)


def tier_progress(standing: Standing) -> TierProgress | None:
    """None where the programme has no tiers."""
    tiers = list(Tier.objects.order_by("rank"))
    if not tiers:
        return None
    currency = Programme.current().currency
    # The lowest tier asks for nothing: everybody is in it before their first transaction too.
    own = standing.tier or next((tier for tier in tiers if tier.threshold <= 0), None)
    rank = own.rank if own else -1
    following = next((tier for tier in tiers if tier.rank > rank), None)
    spend = Money(standing.spend_12m, currency)
    if following is None:
        return TierProgress(own, None, spend, None, None)
    threshold = Money(following.threshold, currency)
    missing = max(following.threshold - standing.spend_12m, Decimal(0))
    return TierProgress(own, following, spend, threshold, Money(missing, currency))


class CouponState(models.TextChoices):
    USABLE = "usable", _("usable")
    UPCOMING = "upcoming", _("not yet")
    USED = "used", _("used")
    EXPIRED = "expired", _("lapsed")
    CANCELLED = "cancelled", _("void")


def with_states(coupons: QuerySet[Coupon], *, now: datetime) -> QuerySet[Any]:
    """Each with `used`, how many of its uses stand, and `state`, a CouponState."""
    standing = CouponUse.objects.filter(coupon=OuterRef("pk"), cancelled_at=None)
    counted = standing.order_by().values("coupon").annotate(uses=Count("pk")).values("uses")
    state = Case(
        When(cancelled_at__isnull=False, then=Value(CouponState.CANCELLED)),
        When(used__gte=F("type__uses_per_coupon"), then=Value(CouponState.USED)),
        When(expires_at__lte=now, then=Value(CouponState.EXPIRED)),
        When(starts_at__gt=now, then=Value(CouponState.UPCOMING)),
        default=Value(CouponState.USABLE),
    )
    return coupons.annotate(used=Coalesce(Subquery(counted), 0)).annotate(state=state)


def may_be(state: CouponState, *, now: datetime) -> Q:
    """What a coupon's own columns say of its state: a filter then counts the uses of few."""
    kept = Q(cancelled_at=None)
    return {
        CouponState.CANCELLED: Q(cancelled_at__isnull=False),
        CouponState.EXPIRED: kept & Q(expires_at__lte=now),
        CouponState.UPCOMING: kept & Q(starts_at__gt=now),
        CouponState.USABLE: kept & Q(starts_at__lte=now, expires_at__gt=now),
    }.get(state, kept)


@dataclass(frozen=True, slots=True)
class HeldCoupon:
    coupon: Coupon
    state: CouponState
    used_at: datetime | None
    uses_left: int


def coupons_of(member: Member, *, now: datetime, limit: int = 60) -> list[HeldCoupon]:
    """The member's coupons, those that last longest first; long finished ones are left out. Those
    of whoever was merged into them are theirs."""
    uses = CouponUse.objects.filter(cancelled_at=None).order_by("-used_at", "-number")
    coupons = (
        Coupon.objects.filter(member__in=own_rows(member), expires_at__gt=now - COUPON_REMEMBERED)
        .select_related("type__category")
        .prefetch_related(Prefetch("uses", uses, to_attr="standing_uses"), "type__stores")
        .order_by("-expires_at", "-id")
    )
    return [_held(coupon) for coupon in with_states(coupons, now=now)[:limit]]


def _held(coupon: Any) -> HeldCoupon:
    uses: list[CouponUse] = coupon.standing_uses
    return HeldCoupon(
        coupon=coupon,
        state=CouponState(coupon.state),
        used_at=uses[0].used_at if uses else None,
        uses_left=max(coupon.type.uses_per_coupon - coupon.used, 0),
    )
