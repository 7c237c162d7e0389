from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from loyalty.models import CouponUse
from members.models import ApiCall, Event
from members.services.answers import KEPT_FOR, forget_answers
from tests.api import till
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db

BILL = {"bill": "240.00", "currency": "HKD"}


def coupon(**options: Any) -> Any:
    return till.coupon(till.coupon_type(**options), now=timezone.now())


def test_it_redeems_and_answers_with_the_use(call: Call) -> None:
    held = coupon(name="Twenty off")

    answer = call("post", f"coupons/{held.code}/redeem", BILL | {"order_ref": "A-1"}, once="1")

    use = CouponUse.objects.get()
    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {
        "id": str(use.pk),
        "coupon": held.code,
        "number": 1,
        "benefit": "amount",
        "name": "Twenty off",
        "discount": "20.00",
        "bill": "240.00",
        "to_pay": "220.00",
        "currency": "HKD",
        "store": None,
        "order_ref": "A-1",
        "used_at": answer.json()["used_at"],
        "cancelled_at": None,
    }
    assert use.api_key is not None
    assert use.api_key.name == "Till 1"


def test_a_repetition_gets_the_first_answer_and_changes_nothing(call: Call) -> None:
    path = f"coupons/{coupon().code}/redeem"
    first = call("post", path, BILL, once="sale-1")

    again = call("post", path, BILL, once="sale-1")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert CouponUse.objects.count() == 1
    assert Event.objects.filter(kind=Event.Kind.COUPON_REDEEMED).count() == 1
    assert ApiCall.objects.count() == 1


def test_a_refusal_is_repeated_too_even_if_it_would_succeed_by_now(call: Call) -> None:
    held = coupon()
    path = f"coupons/{held.code}/redeem"
    use = call("post", path, BILL, once="1").json()["id"]
    refused = call("post", path, BILL, once="2")
    call("post", f"coupon-uses/{use}/cancel", once="3")

    late_copy = call("post", path, BILL, once="2")

    assert refused.status_code == 409
    assert refused.json()["code"] == "coupon_already_used"
    assert late_copy.status_code == 409
    assert late_copy.content == refused.content
    assert late_copy["Content-Type"] == "application/problem+json"
    assert late_copy["Idempotency-Replayed"] == "true"
    assert CouponUse.objects.filter(cancelled_at=None).count() == 0


def test_the_same_key_for_another_body_or_address_is_a_conflict(call: Call) -> None:
    one, two = coupon(), coupon()
    call("post", f"coupons/{one.code}/redeem", BILL, once="1")

    for path, body in (
        (f"coupons/{one.code}/redeem", BILL | {"bill": "241.00"}),
        (f"coupons/{two.code}/redeem", BILL),
    ):
        answer = call("post", path, body, once="1")
        assert answer.status_code == 409
        assert answer.json()["code"] == "idempotency_key_reused"
    assert CouponUse.objects.count() == 1


def test_two_keys_may_use_the_same_idempotency_key() -> None:
    one, two = coupon(), coupon()

    answers = [
        caller()("post", f"coupons/{held.code}/redeem", BILL, once="1") for held in (one, two)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]


@pytest.mark.parametrize("once", ["", "a b", "é", "x" * 121])
def test_a_mutation_needs_a_usable_idempotency_key(call: Call, once: str) -> None:
    answer = call("post", f"coupons/{coupon().code}/redeem", BILL, **{"Idempotency-Key": once})

    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_missing"
    assert not CouponUse.objects.exists()
    assert not ApiCall.objects.exists()


def test_a_malformed_request_leaves_its_key_free(call: Call) -> None:
    path = f"coupons/{coupon().code}/redeem"

    wrong = call("post", path, {"bill": "240,00", "currency": "HKD"}, once="1")
    right = call("post", path, BILL, once="1")

    assert (wrong.status_code, right.status_code) == (400, 201)


def test_old_answers_are_forgotten(call: Call, runtime_role: str) -> None:
    call("post", f"coupons/{coupon().code}/redeem", BILL, once="1")
    called_at = ApiCall.objects.get().called_at

    assert forget_answers(now=called_at + KEPT_FOR) == 0
    assert forget_answers(now=called_at + KEPT_FOR + timedelta(seconds=1)) == 1

    assert not ApiCall.objects.exists()


def test_a_refusal_says_what_to_do(call: Call) -> None:
    held = coupon(minimum_spend=300)

    answer = call("post", f"coupons/{held.code}/redeem", BILL, once="1")

    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:regulars:problem:coupon-below-minimum",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "coupon_below_minimum",
        "detail": "This coupon needs a bill of at least HK$300.00. Add HK$60.00, or keep it"
        " for later.",
    }
    assert not CouponUse.objects.exists()
    assert not Event.objects.filter(kind=Event.Kind.COUPON_REDEEMED).exists()


def test_an_unknown_code_is_404(call: Call) -> None:
    answer = call("post", "coupons/C00000000000/redeem", BILL, once="1")

    assert (answer.status_code, answer.json()["code"]) == (404, "coupon_unknown")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"bill": "240.00"}, ["#/currency"]),
        ({"currency": "HKD"}, ["#/bill"]),
        ({"bill": 240, "currency": "HKD"}, ["#/bill"]),
        ({"bill": "-1", "currency": "HKD"}, ["#/bill"]),
        ({"bill": "NaN", "currency": "HKD"}, ["#/bill"]),
        ({"bill": "1e9", "currency": "HKD"}, ["#/bill"]),
        ({"bill": "9" * 18, "currency": "HKD"}, ["#/bill"]),
        ({"bill": "1.001", "currency": "HKD"}, ["#/bill"]),
        ({"bill": "1", "currency": "XYZ"}, ["#/currency"]),
        ({"bill": "1", "currency": "HKD", "tip": "1"}, ["#/tip"]),
        ({"bill": "1", "currency": "HKD", "store": "NOWHERE"}, ["#/store"]),
        ({"order_ref": "a\u0000b"}, ["#/order_ref"]),
        ({"lines": [{"sku": "A", "amount": "1"}]}, ["#/bill"]),
        (BILL | {"lines": [{"sku": "A", "amount": "241"}]}, ["#/lines"]),
        (BILL | {"lines": [{"sku": "A", "amount": "1.001"}]}, ["#/lines/0/amount"]),
        (
            BILL | {"lines": [{"sku": "A", "amount": "1"}, {"amount": "x", "/": 1}]},
            ["#/lines/1/~1"],
        ),
        (BILL | {"lines": "A"}, ["#/lines"]),
        (BILL | {"lines": [{"sku": "A", "amount": "1", "quantity": "0"}]}, ["#/lines/0/quantity"]),
    ],
)
def test_each_wrong_field_is_named(call: Call, body: Any, pointers: list[str]) -> None:
    answer = call("post", f"coupons/{coupon().code}/redeem", body, once="1")

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert not CouponUse.objects.exists()


def test_a_key_of_a_store_acts_for_that_store_only() -> None:
    held, call = coupon(), caller(store=till.store("TST"))
    path = f"coupons/{held.code}/redeem"

    refused = call("post", path, BILL | {"store": "CWB"}, once="1")
    taken = call("post", path, BILL, once="2").json()

    assert (refused.status_code, refused.json()["code"]) == (403, "store_not_allowed")
    assert taken["store"] == "TST"
    stranger = caller(store=till.store("CWB"))
    cancel = stranger("post", f"coupon-uses/{taken['id']}/cancel", once="1")
    assert (cancel.status_code, cancel.json()["code"]) == (404, "coupon_use_unknown")
    assert CouponUse.objects.get().cancelled_at is None


def test_a_use_is_taken_back_and_the_coupon_is_free_again(call: Call) -> None:
    path = f"coupons/{coupon().code}/redeem"
    use = call("post", path, BILL, once="1").json()["id"]

    cancelled = call("post", f"coupon-uses/{use}/cancel", once="2")
    twice = call("post", f"coupon-uses/{use}/cancel", once="3")
    again = call("post", path, BILL, once="4")

    assert cancelled.status_code == 200
    assert cancelled.json()["cancelled_at"] is not None
    assert (twice.status_code, twice.json()["code"]) == (409, "coupon_use_already_returned")
    assert (again.status_code, again.json()["number"]) == (201, 2)


def test_a_quote_tells_the_discount_or_why_not(call: Call) -> None:
    held = coupon(benefit="percent", value="15", minimum_spend=100, name="Fifteen")

    bare = call("get", f"coupons/{held.code.lower()}").json()
    good = call("get", f"coupons/{held.code}", BILL).json()
    low = call("get", f"coupons/{held.code}", BILL | {"bill": "99.99"}).json()

    assert (bare["is_usable"], bare["refusal"], bare["discount"]) == (True, None, None)
    assert (bare["name"], bare["benefit"], bare["value"]) == ("Fifteen", "percent", "15")
    assert (good["is_usable"], good["discount"]) == (True, "36.00")
    assert (low["is_usable"], low["discount"]) == (False, None)
    assert low["refusal"]["code"] == "coupon_below_minimum"
    assert call("get", f"coupons/{held.code}", {"bil": "1"}).status_code == 400
    assert not CouponUse.objects.exists()


def test_answers_follow_the_language_that_was_asked_for(call: Call) -> None:
    held = coupon(name="Tea", name_zh_hant="茶")

    answer = call("get", f"coupons/{held.code}", **{"Accept-Language": "zh-hant"})

    assert answer.json()["name"] == "茶"


def test_a_member_is_shown_masked_with_points_tier_and_usable_coupons(call: Call) -> None:
    mei = till.member("陳美玲", phone="+85291234567")
    usable = till.coupon(holder=mei, now=timezone.now())
    used = till.coupon(holder=mei, now=timezone.now())
    call("post", f"coupons/{used.code}/redeem", BILL, once="1")

    answer = call("get", f"members/{mei.code}")

    body = answer.json()
    assert [held["code"] for held in body.pop("coupons")] == [usable.code]
    assert body == {
        "code": mei.code,
        "name": "陳•••",
        "language": "en",
        "region": "HK",
        "store": None,
        "joined_at": "2026-11-21T12:00:00+08:00",
        "tier": None,
        "points": 0,
    }
    assert call("get", "members/M000000000").json()["code"] == "member_unknown"


def at_once(number: int, action: Any) -> list[Any]:
    barrier = Barrier(number)

    def one(n: int) -> Any:
        try:
            barrier.wait()
            return action(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


@pytest.mark.django_db(transaction=True)
def test_the_same_request_at_once_has_one_effect_and_one_answer(call: Call) -> None:
    path = f"coupons/{coupon().code}/redeem"

    answers = at_once(6, lambda n: call("post", path, BILL, once="1"))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 5
    assert CouponUse.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_tills_at_once_get_one_201_and_one_409(call: Call) -> None:
    path = f"coupons/{coupon().code}/redeem"

    answers = at_once(4, lambda n: call("post", path, BILL, once=f"till-{n}"))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert CouponUse.objects.count() == 1
