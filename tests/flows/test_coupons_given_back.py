"""A purchase is refunded in full: the coupon that was used in it can be used again."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from loyalty.refusals import AlreadyUsed, CouponRefused
from loyalty.services.coupons import cancel_use
from members.models import Delivery, Event
from payments.models import Transaction
from tests import build
from tests.api.conftest import caller
from tests.flows.purchases import back, coupon, dispute, drain, pay, redeem, standing
from tests.people.cast import merge
from tests.webhooks.hearing import endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme()
    build.earning_rule()


def test_from_the_till_to_the_refund_and_back_to_the_till() -> None:
    mei, shop = build.member(), build.store()
    endpoint("https://a.test/", types=["coupon.returned"])
    call, held = caller(store=shop), coupon(mei)
    bought = {"bill": "108.00", "currency": "HKD", "order_ref": "A-1"}
    use = call("post", f"coupons/{held.code}/redeem", bought, once="1").json()
    pay(mei, store=shop.code)
    drain()
    refused = call("post", f"coupons/{held.code}/redeem", bought, once="2")
    back()
    drain()

    again = call("post", f"coupons/{held.code}/redeem", bought | {"order_ref": "A-2"}, once="3")

    assert (refused.status_code, again.status_code) == (409, 201)
    assert (use["number"], again.json()["number"]) == (1, 2)
    refund = Transaction.objects.get(kind="refund")
    first = held.uses.get(number=1)
    assert first.cancelled_at is not None
    assert first.refund == refund
    event = Event.objects.get(kind=Event.Kind.COUPON_RETURNED)
    assert (event.member, event.key) == (mei, use["id"])
    assert event.details == {
        "coupon": held.code,
        "type": held.type_id,
        "use": use["id"],
        "api_key": "",
        "actor": None,
        "refund": str(refund.pk),
    }
    told = Delivery.objects.get()
    assert told.type == "coupon.returned"
    assert told.data["refund"] == str(refund.pk)


def test_a_part_gives_nothing_back_and_the_rest_does() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back(amount="87.99")
    drain()
    after_a_part = standing(held)

    back(amount="0.01")
    drain()

    assert (after_a_part, standing(held)) == ([1], [])


def test_an_order_paid_in_parts_is_given_back_with_its_last_payment() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei, "card", "60.00")
    pay(mei, "cash", "28.00")
    back("card", "60.00")
    drain()
    after_the_card = standing(held)

    back("cash", "28.00")
    drain()

    assert (after_the_card, standing(held)) == ([1], [])
    assert held.uses.get().refund == Transaction.objects.get(payment_ref="cash", kind="refund")


@pytest.mark.parametrize(
    "told",
    [
        [dispute("created")],
        [dispute("created", amount="30.00"), build.refund("p1", "58.00")],
        [build.refund("p1", "58.00"), dispute("created", amount="30.00")],
    ],
)
def test_a_chargeback_gives_no_coupon_back(told: Sequence[dict[str, Any]]) -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    for payload in told:
        build.send(payload)
        drain()

    assert standing(held) == [1]
    assert build.balance_of(mei) == 0
    assert not Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).exists()


def test_a_dispute_after_a_refund_that_failed_gives_nothing_back() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    for payload in (build.refund("p1", "88.00"), dispute("reversed"), dispute("created")):
        build.send(payload)
        drain()

    assert build.balance_of(mei) == 0
    assert standing(held) == [2]


def test_a_refund_that_staff_have_to_look_at_counts_for_nothing_yet() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei, "card", "60.00")
    pay(mei, "cash", "28.00")
    drain()
    build.send(build.refund("cash", "28.00", currency="USD"))
    back("card", "60.00")
    drain()

    assert Transaction.objects.get(waiting_for="repair").payment_ref == "cash"
    assert standing(held) == [1]


def test_a_refund_after_a_dispute_that_was_won_gives_it_back() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    build.send(dispute("created"))
    build.send(dispute("reversed"))
    drain()
    before = standing(held)

    back()
    drain()

    assert (before, standing(held)) == ([1], [])


def test_the_programme_may_keep_coupons_used() -> None:
    build.programme(returns_coupons=False)
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    drain()

    assert build.balance_of(mei) == 0
    assert standing(held) == [1]


@pytest.mark.parametrize(
    ("used_at", "paid_at", "stands"),
    [
        ("CENTRAL", "CENTRAL", []),
        ("CENTRAL", "TST", [1]),
        (None, "TST", []),
        ("CENTRAL", None, []),
        (None, None, []),
    ],
)
def test_the_same_number_at_another_store_is_another_order(
    used_at: str | None, paid_at: str | None, stands: list[int]
) -> None:
    mei = build.member()
    for code in filter(None, {used_at, paid_at}):
        build.store(code)
    held = coupon(mei)
    redeem(held, store=build.store(used_at) if used_at else None)
    pay(mei, **({"store": paid_at} if paid_at else {}))
    back()
    drain()

    assert standing(held) == stands


def test_only_the_coupons_of_the_order_and_of_whoever_paid_come_back() -> None:
    mei, bo = build.member(), build.member()
    own, other, strange, second = coupon(mei), coupon(mei), coupon(bo), coupon(mei)
    for held, ref in ((own, "A-1"), (other, "A-2"), (strange, "A-1"), (second, "A-1")):
        redeem(held, ref)
    pay(mei)
    pay(mei, "p2", order_ref="A-2")
    pay(mei, "p3", order_ref="")
    back()
    back("p3")
    drain()

    assert [standing(held) for held in (own, other, strange, second)] == [[], [1], [1], []]


def test_merged_members_are_one_person() -> None:
    mei, double = build.member(wallet="a"), build.member(wallet="b")
    one, two = coupon(mei), coupon(double)
    redeem(one, "A-1")
    redeem(two, "A-2")
    pay(double, "p1", order_ref="A-1")
    pay(mei, "p2", order_ref="A-2")
    pay(double, "p3", "10.00", order_ref="A-2")
    merge(double, mei, now=timezone.now())

    back("p1")
    back("p2")
    drain()
    before = [standing(held) for held in (one, two)]
    back("p3", "10.00")
    drain()

    assert before == [[], [1]]
    assert standing(two) == []
    events = Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).order_by("id")
    assert [event.member for event in events] == [mei, double]


def test_a_lapsed_or_void_coupons_use_is_taken_back_too() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    held.cancelled_at = timezone.now()
    held.save(update_fields=["cancelled_at"])
    drain()

    assert standing(held) == []
    with pytest.raises(CouponRefused):
        redeem(held, "A-2")
    assert held.uses.count() == 1


def test_what_a_till_took_back_already_stays_as_it_was() -> None:
    mei = build.member()
    held = coupon(mei)
    use = redeem(held)
    cancel_use(use, now=timezone.now())
    pay(mei)
    back()
    drain()

    assert held.uses.get().refund is None
    assert Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).count() == 1


# A refund that failed


def test_a_refund_that_failed_enters_the_use_anew() -> None:
    mei, shop = build.member(), build.store()
    held = coupon(mei)
    use = redeem(held, store=shop)
    pay(mei, store=shop.code)
    back()
    drain()
    build.send(dispute("reversed"))
    drain()

    again = held.uses.get(cancelled_at=None)
    kept = ("used_at", "store", "order_ref", "discount", "currency")
    rows = held.uses.order_by("number").values_list(*kept)
    assert again.number == 2
    assert rows[0] == rows[1]
    events = Event.objects.filter(kind=Event.Kind.COUPON_REDEEMED).order_by("id")
    assert [event.key for event in events] == [str(use.pk), str(again.pk)]
    assert events[1].details["reversal"] == str(Transaction.objects.get(kind="reversal").pk)
    with pytest.raises(AlreadyUsed):
        redeem(held, "A-2")


def test_whoever_used_it_meanwhile_keeps_that() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    drain()
    redeem(held, "A-2")

    build.send(dispute("reversed"))
    drain()

    assert [use.order_ref for use in held.uses.filter(cancelled_at=None)] == ["A-2"]
    assert held.uses.count() == 2


def test_a_coupon_of_several_uses_gets_those_back_that_the_refund_gave() -> None:
    mei = build.member()
    held = coupon(mei, uses_per_coupon=3)
    for ref in ("A-1", "A-1", "A-2"):
        redeem(held, ref)
    pay(mei)
    back()
    drain()
    after_the_refund = standing(held)
    redeem(held, "A-3")

    build.send(dispute("reversed"))
    drain()

    assert after_the_refund == [3]
    assert standing(held) == [3, 4, 5]  # Of the two that came back one was used meanwhile.


def test_another_refund_after_one_that_failed_gives_it_back_again() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    stood = []
    for payload in (
        build.refund("p1", "88.00"),
        dispute("reversed", amount="44.00", ref="d1"),
        dispute("reversed", amount="44.00", ref="d2"),
        build.refund("p1", "88.00"),
    ):
        build.send(payload)
        drain()
        stood.append(standing(held))

    assert stood == [[], [2], [2], []]
