from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from members.models import ApiCall
from payments.models import Account, Line, Product, Transaction
from tests.api import till
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db


def sale(**given: Any) -> dict[str, Any]:
    body = {
        "kind": "payment",
        "order_ref": "A-1",
        "amount": "238.00",
        "currency": "HKD",
        "occurred_at": "2026-11-20T15:04:05+08:00",
    }
    return body | given


def refund(**given: Any) -> dict[str, Any]:
    return sale(**({"kind": "refund", "refund_ref": "R-1", "amount": "80.00"} | given))


def test_a_payment_with_lines_is_booked_for_its_member() -> None:
    mei = till.member("Mei", phone="+85291234567")
    call = caller(store=till.store("TST"))
    lines = [
        {"sku": "TEA", "quantity": "2", "amount": "158.00", "name": "Oolong", "category": "tea"},
        {"sku": "CUP", "amount": "80.00"},
    ]

    answer = call("post", "sales", sale(phone="9123 4567", lines=lines), once="1")

    row = Transaction.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(row.pk),
        "kind": "payment",
        "order_ref": "A-1",
        "amount": "238.00",
        "currency": "HKD",
        "store": "TST",
        "is_new": True,
        "is_matched": True,
    }
    assert (row.member, row.source, row.amount, row.waiting_for) == (mei, "api", Decimal(238), "")
    assert row.store is not None
    assert row.store.code == "TST"
    assert row.due_at is not None
    assert row.occurred_at.isoformat() == "2026-11-20T07:04:05+00:00"
    assert list(Line.objects.order_by("position").values_list("quantity", "amount")) == [
        (Decimal(2), Decimal(158)),
        (Decimal(1), Decimal(80)),
    ]
    assert Product.objects.get(sku="TEA").category is not None


def test_a_member_number_is_enough_and_an_unknown_one_is_refused(call: Call) -> None:
    mei = till.member()
    nobody = "M000000000"

    booked = call("post", "sales", sale(member=mei.code), once="1")
    refused = call("post", "sales", sale(member=nobody, order_ref="A-2"), once="2")
    typo = call("post", "sales", sale(member="M000000001", order_ref="A-2"), once="3")

    assert booked.json()["is_matched"] is True
    assert (refused.status_code, refused.json()["code"]) == (422, "member_unknown")
    assert [error["pointer"] for error in typo.json()["errors"]] == ["#/member"]
    assert Transaction.objects.count() == 1


def test_a_sale_of_nobody_known_waits_for_its_member(call: Call) -> None:
    answer = call("post", "sales", sale(email="new@example.com"), once="1")

    assert (answer.status_code, answer.json()["is_matched"]) == (201, False)
    assert Transaction.objects.get().waiting_for == "member"


def test_a_refund_finds_its_payment(call: Call) -> None:
    call("post", "sales", sale(member=till.member().code), once="1")

    answer = call("post", "sales", refund(), once="2")

    assert answer.status_code == 201
    row = Transaction.objects.get(kind="refund")
    assert row.original == Transaction.objects.get(kind="payment")
    assert (row.payment_ref, row.effect_ref, row.amount) == ("A-1", "R-1", Decimal(80))


def test_the_same_order_under_another_key_is_known(call: Call) -> None:
    first = call("post", "sales", sale(), once="1")

    again = call("post", "sales", sale(), once="2")
    other = call("post", "sales", sale(amount="239.00"), once="3")

    assert again.status_code == 200
    assert again.json() == first.json() | {"is_new": False}
    assert (other.status_code, other.json()["code"]) == (409, "sale_conflict")
    assert Transaction.objects.count() == 1


def test_two_stores_may_number_their_orders_alike() -> None:
    for code in ("TST", "CWB"):
        answer = caller(store=till.store(code))("post", "sales", sale(), once="1")
        assert answer.status_code == 201

    assert Transaction.objects.count() == 2
    assert Account.objects.filter(provider="till").count() == 2


def test_a_key_of_a_store_writes_that_store_only() -> None:
    till.store("CWB")

    answer = caller(store=till.store("TST"))("post", "sales", sale(store="CWB"), once="1")

    assert (answer.status_code, answer.json()["code"]) == (403, "store_not_allowed")
    assert not Transaction.objects.exists()
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (sale(kind="gift"), ["#/kind"]),
        (sale(kind=["payment"]), ["#/kind"]),
        (sale(refund_ref="R-1"), ["#/refund_ref"]),
        (refund(refund_ref=""), ["#/refund_ref"]),
        (sale(amount="0.00"), ["#/amount"]),
        (sale(amount="-5.00"), ["#/amount"]),
        (sale(amount="NaN"), ["#/amount"]),
        (sale(amount=238.0), ["#/amount"]),
        (sale(amount=True), ["#/amount"]),
        (sale(amount=None), ["#/amount"]),
        (sale(amount="1" + "0" * 15), ["#/amount"]),
        (sale(amount="1.5", currency="JPY"), ["#/amount"]),
        (sale(currency="XYZ"), ["#/currency"]),
        (sale(currency="HKDX"), ["#/currency"]),
        (sale(occurred_at="2026-11-20T15:04:05"), ["#/occurred_at"]),
        (sale(occurred_at="2026-11-20"), ["#/occurred_at"]),
        (sale(occurred_at=1763622245), ["#/occurred_at"]),
        (sale(occurred_at="2026-02-30T00:00:00Z"), ["#/occurred_at"]),
        (sale(occurred_at="0001-01-01T00:00:00+14:00"), ["#/occurred_at"]),
        (sale(order_ref=""), ["#/order_ref"]),
        (sale(order_ref="x" * 101), ["#/order_ref"]),
        (sale(order_ref={"a": 1}), ["#/order_ref"]),
        (sale(phone="12"), ["#/phone"]),
        (sale(email="nobody"), ["#/email"]),
        (sale(total="1"), ["#/total"]),
        ({}, ["#/kind", "#/order_ref", "#/amount", "#/currency", "#/occurred_at"]),
        (sale(lines=[{"sku": "A", "amount": "1"}] * 501), ["#/lines"]),
        (sale(lines=[{"sku": "A", "amount": "1", "quantity": "1.0001"}]), ["#/lines/0/quantity"]),
        (sale(lines=[None]), ["#/lines/0"]),
    ],
)
def test_each_wrong_field_is_named(call: Call, body: Any, pointers: list[str]) -> None:
    answer = call("post", "sales", body, once="1")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert not Transaction.objects.exists()
    assert not ApiCall.objects.exists()


def test_a_clock_that_runs_ahead_is_noticed(call: Call) -> None:
    ahead = (timezone.now() + timedelta(minutes=11)).isoformat(timespec="seconds")

    answer = call("post", "sales", sale(occurred_at=ahead), once="1")

    assert answer.json()["errors"] == [
        {
            "pointer": "#/occurred_at",
            "detail": "This lies in the future. Set the clock of the till.",
        }
    ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"amount": "238.01"}, "refund_too_large"),
        ({"amount": "30.00", "currency": "USD"}, "refund_currency"),
    ],
)
def test_a_refund_that_its_payment_cannot_bear_is_refused(
    call: Call, given: dict[str, str], code: str
) -> None:
    call("post", "sales", sale(), once="1")

    answer = call("post", "sales", refund(**given), once="2")

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert Transaction.objects.get().kind == "payment"


def test_refunds_add_up_and_a_repeated_one_is_known(call: Call) -> None:
    call("post", "sales", sale(), once="1")
    call("post", "sales", refund(amount="200.00"), once="2")

    too_much = call("post", "sales", refund(amount="38.01", refund_ref="R-2"), once="3")
    again = call("post", "sales", refund(amount="200.00"), once="4")
    differs = call("post", "sales", refund(amount="1.00"), once="5")

    assert (too_much.status_code, too_much.json()["left"]) == (422, "38.00")
    assert (again.status_code, again.json()["is_new"]) == (200, False)
    assert (differs.status_code, differs.json()["code"]) == (409, "sale_conflict")
    assert Transaction.objects.filter(kind="refund").count() == 1


def test_a_refund_before_its_payment_is_booked_and_waits(call: Call) -> None:
    answer = call("post", "sales", refund(amount="999.00"), once="1")

    assert answer.status_code == 201
    assert Transaction.objects.get().waiting_for.startswith("payment:")
