"""Points that lapse, spend that falls out of its window, tiers up and down: by an own clock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.money import Money
from loyalty.models import Lot, Standing, TierChange, Transfer
from loyalty.rules.periods import a_year_before, lapse_instant
from loyalty.rules.tiers import tier_after_review, tier_for
from loyalty.services.books import verify_books
from loyalty.services.expire import expire_lots
from loyalty.services.ledger import Posting, open_accounts, post
from loyalty.services.points import CannotAdjust, adjust_points
from loyalty.services.settle import settle_members
from loyalty.services.tiers import review_tiers
from members.models import Member
from payments.providers.base import Clue, Kind, Notice
from payments.services.sales import book_sales
from tests import build

HONG_KONG = ZoneInfo("Asia/Hong_Kong")


def sell(
    amount: str, *, at: datetime, ref: str, kind: Kind = Kind.PAYMENT, effect: str = ""
) -> None:
    notice = Notice(
        kind=kind,
        payment_ref=ref,
        effect_ref=effect or ref,
        amount=Money.parse(amount, "HKD"),
        occurred_at=at,
        clues=(Clue("wallet", "mei"),),
    )
    book_sales([notice], account=build.account(), now=at)
    settle_members(now=at + timedelta(seconds=1), limit=10)


def tier_of(standing: Standing) -> str:
    return standing.tier.code if standing.tier else ""


def books_are_right() -> bool:
    return all(finding.is_clean for finding in verify_books())


def credit(member: Member, points: int, *, now: datetime, expires_at: datetime | None) -> None:
    open_accounts([member.pk])
    standing = Standing.objects.get(pk=member.pk)
    posting = Posting(member.pk, Transfer.Kind.ADJUST, points, expires_at=expires_at, reason="x")
    post([posting], {member.pk: standing}, now=now)
    standing.save()


@pytest.mark.parametrize(
    ("earned", "months", "lapses"),
    [
        ("2020-05-05T12:00", 12, "2021-06-01T00:00"),
        ("2026-01-31T23:30", 1, "2026-03-01T00:00"),  # The end of February.
        ("2028-01-31T00:00", 1, "2028-03-01T00:00"),
        ("2026-12-31T23:59", 12, "2028-01-01T00:00"),
    ],
)
def test_points_lapse_at_the_end_of_a_month(earned: str, months: int, lapses: str) -> None:
    at = datetime.fromisoformat(earned).replace(tzinfo=HONG_KONG)

    assert lapse_instant(at, months=months, zone=HONG_KONG) == datetime.fromisoformat(
        lapses
    ).replace(tzinfo=HONG_KONG)


def test_points_may_never_lapse() -> None:
    assert lapse_instant(build.NOON, months=0, zone=HONG_KONG) is None


def test_a_year_before_the_29th_of_february_is_the_28th() -> None:
    leap = datetime(2028, 2, 29, 12, tzinfo=HONG_KONG)

    assert a_year_before(leap, zone=HONG_KONG) == datetime(2027, 2, 28, 12, tzinfo=HONG_KONG)


@pytest.mark.django_db
def test_the_balance_does_not_collapse_when_a_lot_lapses_after_others_were_spent() -> None:
    build.programme()
    mei = build.member()
    day = timedelta(days=1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    credit(mei, 100, now=start, expires_at=start + 10 * day)
    credit(mei, 50, now=start, expires_at=None)

    adjust_points(mei, points=-80, reason="Spent", actor=None, now=start + 5 * day)
    lapsed = expire_lots(now=start + 11 * day)
    again = expire_lots(now=start + 11 * day)

    assert (build.balance_of(mei), lapsed, again) == (50, 20, 0)
    assert books_are_right()


@pytest.mark.django_db
def test_points_that_lapsed_are_not_taken_back_and_a_reversal_does_not_give_them() -> None:
    build.programme()
    build.earning_rule(rates={"HKD": ("10", 1)})
    mei = build.member(wallet="mei")
    sell("100", at=build.NOON, ref="p1")
    lot = Lot.objects.get()
    assert lot.expires_at is not None
    after = lot.expires_at + timedelta(days=1)

    sell("100", at=after, ref="p1", kind=Kind.REFUND, effect="r1")
    refunded = mei.awards.get(points=0)
    sell("100", at=after, ref="p1", kind=Kind.REVERSAL, effect="r1")

    assert (refunded.forgiven, build.balance_of(mei)) == (10, 0)
    assert Transfer.objects.filter(kind=Transfer.Kind.EXPIRE).count() == 1
    assert books_are_right()


@pytest.mark.django_db
def test_a_refund_takes_the_payments_own_lot_before_others() -> None:
    build.programme()
    build.earning_rule(rates={"HKD": ("10", 1)})
    mei = build.member(wallet="mei")
    sell("100", at=build.NOON, ref="p1")
    sell("50", at=build.NOON + timedelta(days=40), ref="p2")

    sell("50", at=build.NOON + timedelta(days=41), ref="p2", kind=Kind.REFUND, effect="r2")

    assert build.balance_of(mei) == 10
    assert Lot.objects.get(closed_at=None).award == mei.awards.get(points=10)


@pytest.mark.django_db
def test_an_upgrade_is_at_once_and_counts_from_the_next_payment() -> None:
    build.programme()
    build.tiers(basic="0", gold="1000")
    build.earning_rule(rates={"HKD": ("10", 1)})
    mei = build.member(wallet="mei")

    sell("1000", at=build.NOON, ref="p1")
    sell("100", at=build.NOON + timedelta(hours=1), ref="p2")

    assert tier_of(mei.standing) == "gold"
    assert [award.points for award in mei.awards.order_by("id")] == [100, 15]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("policy", "tier"), [("never", "gold"), ("one_step", "silver"), ("to_earned", "basic")]
)
def test_a_refund_below_the_threshold_counts_at_the_next_review(policy: str, tier: str) -> None:
    build.programme(downgrade=policy, tier_kept_days=0)
    build.tiers(basic="0", silver="500", gold="1000")
    mei = build.member(wallet="mei")
    sell("1000", at=build.NOON, ref="p1")
    sell("900", at=build.NOON, ref="p1", kind=Kind.REFUND, effect="r1")
    standing = Standing.objects.select_related("tier").get(pk=mei.pk)
    assert tier_of(standing) == "gold"
    assert standing.spend_12m == 100

    review_tiers(now=build.NOON + timedelta(days=1))
    moved_again = review_tiers(now=build.NOON + timedelta(days=1)) if policy != "one_step" else 0

    standing.refresh_from_db()
    assert (tier_of(standing), moved_again) == (tier, 0)
    assert books_are_right()


@pytest.mark.django_db
def test_a_tier_is_kept_for_the_days_that_were_promised() -> None:
    build.programme(downgrade="to_earned", tier_kept_days=90)
    build.tiers(basic="0", gold="1000")
    mei = build.member(wallet="mei")
    sell("1000", at=build.NOON, ref="p1")
    sell("1000", at=build.NOON, ref="p1", kind=Kind.REFUND, effect="r1")

    early = review_tiers(now=build.NOON + timedelta(days=89))
    late = review_tiers(now=build.NOON + timedelta(days=91))

    assert (early, late) == (0, 1)
    assert TierChange.objects.filter(member=mei).latest("id").after.code == "basic"


@pytest.mark.django_db
def test_spend_falls_out_of_its_twelve_months() -> None:
    build.programme(downgrade="to_earned", tier_kept_days=0)
    build.tiers(basic="0", gold="1000")
    build.earning_rule()
    mei = build.member(wallet="mei")
    sell("600", at=build.NOON - timedelta(days=364), ref="p1")
    sell("600", at=build.NOON, ref="p2")
    assert tier_of(mei.standing) == "gold"

    review_tiers(now=build.NOON + timedelta(days=2))

    standing = Standing.objects.select_related("tier").get(pk=mei.pk)
    assert tier_of(standing) == "basic"
    assert standing.spend_12m == 600
    assert standing.balance == 1200
    assert books_are_right()


@pytest.mark.django_db
@pytest.mark.parametrize(("points", "reason"), [(0, "why"), (5, " "), (-1, "why")])
def test_points_cannot_be_moved_without_points_or_a_reason(points: int, reason: str) -> None:
    build.programme()
    mei = build.member()

    with pytest.raises(CannotAdjust):
        adjust_points(mei, points=points, reason=reason, actor=None, now=build.NOON)

    assert not Transfer.objects.exists()


class Level:
    def __init__(self, rank: int, threshold: int) -> None:
        self.rank, self.threshold = rank, Decimal(threshold)


@given(
    thresholds=st.lists(st.integers(1, 1000), min_size=1, max_size=5, unique=True),
    spend=st.integers(0, 1200),
    current=st.integers(0, 5),
    policy=st.sampled_from(["never", "one_step", "to_earned"]),
    is_kept=st.booleans(),
)
def test_a_review_never_lifts_above_what_was_earned_nor_drops_below_it(
    thresholds: list[int], spend: int, current: int, policy: str, *, is_kept: bool
) -> None:
    levels = [Level(rank, limit) for rank, limit in enumerate([0, *sorted(thresholds)])]
    before = levels[min(current, len(levels) - 1)]
    earned = tier_for(Decimal(spend), levels)
    assert earned is not None

    after = tier_after_review(before, earned=earned, tiers=levels, policy=policy, is_kept=is_kept)

    assert after is not None
    assert earned.rank <= after.rank <= max(before.rank, earned.rank)
