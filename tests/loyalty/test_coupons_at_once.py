from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, connection, connections

from kit.money import Money
from loyalty.models import Coupon, CouponType, CouponUse
from loyalty.refusals import CouponRefused, IssueReason, Refusal
from loyalty.services import coupons
from loyalty.services.coupons import issue_coupons, redeem_coupon
from loyalty.services.quotes import quote_coupon
from members.models import Event
from tests.api import till
from tests.api.till import NOON

pytestmark = pytest.mark.django_db


def hkd(amount: str) -> Money:
    return Money.parse(amount, "HKD")


def events(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()


def redeem(coupon: Coupon, **given: Any) -> CouponUse:
    options: dict[str, Any] = {"bill": hkd("240.00"), "store": None, "now": NOON}
    return redeem_coupon(coupon.code, **(options | given))


def at_once(number: int, action: Any) -> list[Any]:
    """Run `action(n)` in so many threads that start together; exceptions are results."""
    barrier = Barrier(number)

    def one(n: int) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait()
            return action(n)
        except (CouponRefused, IntegrityError) as problem:
            return problem
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


@pytest.mark.django_db(transaction=True)
def test_two_tills_at_once_redeem_once() -> None:
    coupon = till.coupon()

    answers = at_once(6, lambda n: redeem(coupon, order_ref=f"A-{n}"))

    assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyUsed"] * 5 + [
        "CouponUse"
    ]
    assert CouponUse.objects.count() == 1
    assert events(Event.Kind.COUPON_REDEEMED) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_unique_key_still_redeems_once() -> None:
    coupon = till.coupon()
    everybody_looked = Barrier(2)

    def quote_slowly(*args: Any, **given: Any) -> Money:
        quote = quote_coupon(*args, **given)
        everybody_looked.wait()
        return quote

    def unlocked() -> Any:
        return Coupon.objects.select_related("type__category")

    with (
        patch.object(coupons, "locked_coupons", unlocked),
        patch.object(coupons, "quote_coupon", quote_slowly),
    ):
        answers = at_once(2, lambda n: redeem(coupon))

    assert sorted(type(answer).__name__ for answer in answers) == ["CouponUse", "IntegrityError"]
    assert CouponUse.objects.count() == 1
    assert events(Event.Kind.COUPON_REDEEMED) == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_get_three_of_a_limit_of_three() -> None:
    kind = till.coupon_type(total_limit=3)
    members = [till.member(f"Member {n}").pk for n in range(8)]

    answers = at_once(8, lambda n: issue_coupons([(kind, members[n])], now=NOON)[0])

    assert sum(isinstance(answer, Coupon) for answer in answers) == 3
    assert answers.count(Refusal(IssueReason.TOTAL_LIMIT)) == 5
    assert Coupon.objects.count() == 3
    assert CouponType.objects.get().issued == 3


@pytest.mark.django_db(transaction=True)
def test_one_member_gets_one_of_a_limit_of_one_however_many_ask() -> None:
    kind, mei = till.coupon_type(member_limit=1), till.member()

    answers = at_once(6, lambda n: issue_coupons([(kind, mei.pk)], now=NOON)[0])

    assert sum(isinstance(answer, Coupon) for answer in answers) == 1
    assert answers.count(Refusal(IssueReason.MEMBER_LIMIT)) == 5
    assert Coupon.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_types_asked_for_crosswise_do_not_lock_each_other_out() -> None:
    one, two, mei = till.coupon_type(), till.coupon_type(), till.member()
    pairs = [[(one, mei.pk), (two, mei.pk)], [(two, mei.pk), (one, mei.pk)]]

    for _round in range(5):
        at_once(4, lambda n: issue_coupons(pairs[n % 2], now=NOON))

    assert Coupon.objects.count() == 40
    assert set(CouponType.objects.values_list("issued", flat=True)) == {20}
