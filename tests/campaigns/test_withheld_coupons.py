"""What becomes of the coupon whose message does not go out."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.models import Campaign, Message
from campaigns.services.silence import find_silent_members
from loyalty.models import Coupon
from loyalty.selectors import CouponState, coupons_of
from loyalty.services.coupons import redeem_coupon
from members.models import Consent, Identity, Member
from members.services.consents import set_consent
from tests import build
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY, MINUTE
from tests.people.cast import books_are_clean, merge

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def mei() -> Member:
    """Who has a coupon, and a message about it that waits."""
    member = cast.reader(email="mei@example.com")
    cast.campaign()
    cast.sell(member, ref="p1")
    cast.settle()
    cast.react()
    return member


def state_of(member: Member, *, now: datetime = LATER) -> CouponState:
    (coupon,) = coupons_of(member, now=now)
    return coupon.state


def reason() -> str:
    message = Message.objects.get()
    assert message.state == "withheld"
    return message.reason


def test_a_payment_that_is_given_back_takes_its_coupon_along(mei: Member) -> None:
    cast.give_back(mei.transactions.get(), "880.00")

    cast.deliver(LATER)

    assert reason() == "refunded"
    assert Coupon.objects.get().cancelled_at == LATER
    assert books_are_clean()


def test_a_coupon_that_was_used_already_stays_as_it_is(mei: Member) -> None:
    build.programme()
    redeem_coupon(Coupon.objects.get().code, bill=None, store=None, now=NOON)
    cast.give_back(mei.transactions.get(), "880.00")

    cast.deliver(LATER)

    assert reason() == "refunded"
    assert Coupon.objects.get().cancelled_at is None


def test_who_comes_back_by_themselves_needs_no_coupon_to_come_back() -> None:
    cast.campaign("silence", include_silent=True)
    bo = cast.reader("Bo")
    cast.sell(bo, "50.00", at=NOON - 70 * DAY)
    cast.settle(NOON - 70 * DAY)
    find_silent_members(NOON)
    cast.react()

    cast.sell(bo, "50.00", at=NOON + MINUTE)
    cast.settle(LATER)
    cast.deliver(LATER)

    assert reason() == "bought_meanwhile"
    assert state_of(bo) == CouponState.CANCELLED


def _opt_out(member: Member) -> None:
    set_consent(member, is_granted=False, source=Consent.Source.UNSUBSCRIBE, now=NOON)


def _forget_address(member: Member) -> None:
    Identity.objects.filter(member=member, kind="email").delete()


def _unwrite(_member: Member) -> None:
    Campaign.objects.get().texts.all().delete()


@pytest.mark.parametrize(
    ("change", "why"),
    [(_opt_out, "no_consent"), (_forget_address, "no_address"), (_unwrite, "no_text")],
)
def test_who_cannot_be_written_to_keeps_the_coupon_that_was_earned(
    mei: Member, change: Any, why: str
) -> None:
    change(mei)

    cast.deliver(LATER)

    assert reason() == why
    assert state_of(mei) == CouponState.USABLE


def test_of_two_who_are_one_person_one_keeps_the_coupon() -> None:
    cast.campaign("silence", include_silent=True)
    bo, double = cast.reader("Bo"), cast.reader("Double")
    for member in (bo, double):
        cast.sell(member, "50.00", at=NOON - 70 * DAY)
        cast.settle(NOON - 70 * DAY)
    find_silent_members(NOON)
    cast.react()
    assert Coupon.objects.filter(cancelled_at=None).count() == 2

    merge(double, bo, now=LATER)
    cast.deliver(LATER)

    kept = Coupon.objects.get(cancelled_at=None)
    assert kept.member == bo
    assert sorted(cast.states()) == [("sent", ""), ("withheld", "said_already")]
    assert books_are_clean()
