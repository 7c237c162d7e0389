"""Parting two members again: facts follow their identity, and what was spent together is settled
by the stated rule."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.models import Coupon, Standing
from loyalty.selectors import coupons_of, ledger_rows
from loyalty.services.coupons import issue_coupons, redeem_coupon
from loyalty.services.expire import expire_lots
from loyalty.services.points import adjust_points
from loyalty.services.tiers import review_tiers
from members.models import Consent, Event, Member, Merge
from members.search import members_matching
from members.selectors import newest_consent
from members.services.consents import emails_of, members_with_consent, set_consent
from members.services.identities import find_by_code
from members.services.links import member_of_page_token, page_token, revoke_page
from members.services.merging import CannotMerge
from payments.models import Transaction
from tests import build
from tests.build import NOON
from tests.people.cast import books_are_clean, merge, pay, settle, stand_of, take, unmerge

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme(points_valid_months=12)
    build.tiers(basic="0", silver="300", gold="900")
    build.earning_rule()


def two() -> tuple[Member, Member]:
    return build.member(wallet="a"), build.member(wallet="b")


def test_what_a_wallet_paid_while_merged_goes_home_with_it() -> None:
    mei, double = two()
    pay("a", "10")
    settle()
    merge(double, mei)
    pay("b", "25")
    settle()

    unmerge(double)

    assert (stand_of(mei).balance, stand_of(double).balance) == (10, 25)
    assert (stand_of(mei).payments, stand_of(double).payments) == (1, 1)
    assert (stand_of(mei).spend, stand_of(double).spend) == (Decimal(10), Decimal(25))
    assert books_are_clean()


def test_a_refund_while_merged_is_borne_by_whose_payment_it_was() -> None:
    mei, double = two()
    pay("a", "100")
    ref = pay("b", "30")
    settle()
    adjust_points(double, points=-30, reason="Spent", actor=None, now=NOON)
    merge(double, mei)
    take(ref, "30")
    settle()
    assert stand_of(mei).balance == 70

    unmerge(double)

    assert (stand_of(mei).balance, stand_of(double).balance) == (100, -30)
    assert books_are_clean()


def test_a_refund_after_all_takes_from_who_paid() -> None:
    mei, double = two()
    merge(double, mei)
    ref = pay("b", "25")
    settle()
    unmerge(double)

    take(ref, "10")
    settle()

    assert (stand_of(mei).balance, stand_of(double).balance) == (0, 15)
    assert books_are_clean()


def test_points_spent_together_were_those_that_would_have_lapsed_first() -> None:
    mei, double = two()
    pay("b", "40", now=NOON - timedelta(days=100))
    settle(NOON - timedelta(days=100))
    pay("a", "100")
    settle()
    merge(double, mei)
    adjust_points(mei, points=-60, reason="A gift card", actor=None, now=NOON)

    unmerge(double)

    assert (stand_of(mei).balance, stand_of(double).balance) == (80, 0)
    assert books_are_clean()


def test_points_given_by_hand_while_merged_are_the_survivors() -> None:
    mei, double = two()
    merge(double, mei)
    adjust_points(double, points=15, reason="A gift", actor=None, now=NOON)

    unmerge(double)

    assert (stand_of(mei).balance, stand_of(double).balance) == (15, 0)
    assert Event.objects.get(kind="points_adjusted").member == mei


def test_points_lapse_of_whom_they_were() -> None:
    mei, double = two()
    pay("b", "40", now=NOON - timedelta(days=300))
    settle(NOON - timedelta(days=300))
    pay("a", "60")
    settle()
    merge(double, mei)
    expire_lots(now=NOON + timedelta(days=120))

    unmerge(double, now=NOON + timedelta(days=121))

    assert (stand_of(mei).balance, stand_of(double).balance) == (60, 0)
    assert books_are_clean()


def test_tiers_go_back_to_what_each_had_or_has_earned_since() -> None:
    mei, double = two()
    pay("a", "500")
    pay("b", "450")
    settle()
    merge(double, mei)
    assert stand_of(mei).tier == "gold"
    pay("b", "500", ref="more")
    settle()

    unmerge(double)

    assert (stand_of(mei).tier, stand_of(double).tier) == ("silver", "gold")
    assert not Event.objects.filter(kind="tier_changed", due_at=LATER).exists()
    review_tiers(now=LATER)
    assert (stand_of(mei).tier, stand_of(double).tier) == ("silver", "gold")
    assert books_are_clean()


def test_whoever_never_paid_has_no_tier_afterwards() -> None:
    mei, double = two()
    pay("b", "450")
    settle()

    merge(mei, double)
    unmerge(mei)

    assert stand_of(mei) == stand_of(build.member())
    assert stand_of(double).tier == "silver"


def test_coupons_are_held_together_and_go_home_with_their_member() -> None:
    mei, double = two()
    kind = build.coupon_type(member_limit=2)
    (first, second) = issue_coupons([(kind, mei.pk), (kind, double.pk)], now=NOON)
    merge(double, mei)
    (refusal,) = issue_coupons([(kind, double.pk)], now=NOON)
    assert not isinstance(refusal, Coupon)
    assert {held.coupon for held in coupons_of(mei, now=NOON)} == {first, second}
    assert isinstance(second, Coupon)
    redeem_coupon(second.code, bill=None, store=None, now=NOON)

    unmerge(double)

    assert [held.coupon for held in coupons_of(mei, now=NOON)] == [first]
    assert [held.coupon for held in coupons_of(double, now=NOON)] == [second]


@pytest.mark.parametrize(
    ("own", "other", "together", "afterwards"),
    [
        (True, True, True, (True, True)),
        (True, False, False, (False, False)),
        (False, True, False, (False, False)),
        (True, None, True, (True, None)),
        (None, True, None, (None, True)),
        (None, False, False, (False, False)),
        (None, None, None, (None, None)),
    ],
)
def test_the_stricter_word_holds_while_merged_and_afterwards(
    own: bool | None,
    other: bool | None,
    together: bool | None,
    afterwards: tuple[bool | None, ...],
) -> None:
    mei, double = two()
    for member, word in ((mei, own), (double, other)):
        if word is not None:
            set_consent(member, is_granted=word, source="page", now=NOON - timedelta(days=9))

    merge(double, mei)
    joint = word_of(mei)
    contactable = members_with_consent([mei.pk, double.pk])
    unmerge(double, now=LATER)

    assert joint == together
    assert contactable == ({mei.pk, double.pk} if together else set())
    assert (word_of(mei), word_of(double)) == afterwards


def test_who_opts_out_while_merged_stays_out_on_both_sides() -> None:
    mei, double = two()
    for member in (mei, double):
        set_consent(member, is_granted=True, source="page", now=NOON - timedelta(days=9))
    merge(double, mei)

    stale = Member.objects.get(pk=double.pk)
    set_consent(stale, is_granted=False, source="unsubscribe", now=NOON + timedelta(hours=1))
    unmerge(double, now=LATER)

    assert (word_of(mei), word_of(double)) == (False, False)
    assert Consent.objects.filter(source="merge").get().member == double


def test_a_yes_said_while_merged_does_not_outlast_a_no_from_before() -> None:
    mei, double = two()
    set_consent(double, is_granted=False, source="page", now=NOON - timedelta(days=9))
    merge(double, mei)
    set_consent(mei, is_granted=True, source="page", now=NOON + timedelta(hours=1))

    unmerge(double, now=LATER)

    assert (word_of(mei), word_of(double)) == (True, False)


def word_of(member: Member) -> bool | None:
    consent = newest_consent(member)
    return consent.is_granted if consent else None


def test_whoever_asks_by_the_old_number_link_or_phone_finds_the_survivor() -> None:
    mei = build.member(wallet="a")
    double = build.member(wallet="c", phone="+852 9123 4567", email="c@example.com")
    token = page_token(double)
    merge(double, mei)

    assert find_by_code(double.code) == mei
    assert member_of_page_token(token) == mei
    assert emails_of([mei.pk]) == {mei.pk: "c@example.com", double.pk: "c@example.com"}
    found = Member.objects.filter(members_matching("+852 9123 4567"))
    assert set(found) == {double}
    revoke_page(mei)
    assert member_of_page_token(token) is None

    unmerge(double)

    assert find_by_code(double.code) == double
    assert emails_of([mei.pk]) == {}


def test_the_ledger_of_each_shows_its_own_and_no_moves_between_them() -> None:
    mei, double = two()
    pay("a", "10")
    settle()
    merge(double, mei)
    pay("b", "25")
    settle()
    assert [row.points for row in ledger_rows(mei, limit=9)] == [25, 10]

    unmerge(double)

    assert [row.points for row in ledger_rows(mei, limit=9)] == [10]
    assert [row.points for row in ledger_rows(double, limit=9)] == [25]


def test_redelivery_of_everything_changes_nothing_afterwards() -> None:
    mei, double = two()

    def deliver() -> None:
        for wallet, amount in (("a", "10"), ("b", "25"), ("b", "40")):
            pay(wallet, amount)
        take("b-40", "15")
        settle()

    deliver()
    merge(double, mei)
    deliver()
    unmerge(double)
    before = (stand_of(mei), stand_of(double), Transaction.objects.count())

    deliver()

    assert (stand_of(mei), stand_of(double), Transaction.objects.count()) == before
    assert books_are_clean()


def test_what_waited_for_settling_is_settled_to_whoever_stands_for_it_then() -> None:
    mei, double = two()
    pay("b", "25")
    merge(double, mei)
    pay("b", "40")
    settle()
    pay("b", "100")
    unmerge(double)
    settle()

    assert (stand_of(mei).balance, stand_of(double).balance) == (0, 165)
    assert books_are_clean()


def test_who_is_not_merged_cannot_be_parted_and_nothing_changes() -> None:
    mei, double = two()
    merge(double, mei)
    unmerge(double)

    with pytest.raises(CannotMerge):
        unmerge(double)
    with pytest.raises(CannotMerge):
        unmerge(mei)

    assert Merge.objects.exclude(undone_at=None).count() == 1
    assert not Standing.objects.filter(is_shared=True).exists()


def test_they_can_be_merged_again_the_other_way_round() -> None:
    mei, double = two()
    pay("a", "10")
    pay("b", "25")
    settle()
    merge(double, mei)
    unmerge(double)

    merge(mei, double)

    assert (stand_of(mei).balance, stand_of(double).balance) == (0, 35)
    assert books_are_clean()
