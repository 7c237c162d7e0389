from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from kit.money import Money
from payments.models import Order, Transaction
from payments.selectors import left_of
from tests.api import till
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db

LINES = [
    {"sku": "TEA", "quantity": "2", "amount": "158.00", "name": "Oolong", "category": "tea"},
    {"sku": "CUP", "amount": "80.00"},
]


def order(**given: Any) -> dict[str, Any]:
    body = {
        "order_ref": "A-1",
        "amount": "238.00",
        "currency": "HKD",
        "ordered_at": "2026-11-20T15:03:20+08:00",
        "lines": LINES,
    }
    return body | given


def sale(**given: Any) -> dict[str, Any]:
    body = {
        "kind": "payment",
        "order_ref": "A-1",
        "amount": "238.00",
        "currency": "HKD",
        "occurred_at": "2026-11-20T15:04:05+08:00",
    }
    return body | given


def test_an_order_is_taken_and_shown_with_its_payment(call: Call) -> None:
    mei = till.member(phone="+85255550142")

    taken = call("post", "orders", order(phone="+852 5555 0142", channel="web"), once="1")
    paid = call("post", "sales", sale(amount="230.00"), once="2")
    shown = call("get", "orders/A-1").json()

    assert taken.status_code == 201
    assert taken.json() | {"id": ""} == {
        "id": "",
        "order_ref": "A-1",
        "store": None,
        "member": mei.code,
        "amount": "238.00",
        "currency": "HKD",
        "channel": "web",
        "ordered_at": "2026-11-20T15:03:20+08:00",
        "lines": [
            {"sku": "TEA", "name": "Oolong", "quantity": "2", "amount": "158.00"},
            {"sku": "CUP", "name": "CUP", "quantity": "1", "amount": "80.00"},
        ],
        "payments": [],
        "paid": "0.00",
        "difference": None,
        "is_new": True,
        "is_late": False,
    }
    assert paid.json()["is_matched"] is True
    assert [row["id"] for row in shown["payments"]] == [paid.json()["id"]]
    assert (shown["paid"], shown["difference"]) == ("230.00", "-8.00")
    assert Order.objects.get().api_key is not None


def test_a_repetition_is_one_order_under_the_same_key_and_under_another(call: Call) -> None:
    first = call("post", "orders", order(), once="1")

    again = call("post", "orders", order(), once="1")
    other_key = call("post", "orders", order(), once="2")
    other_body = call("post", "orders", order(amount="240.00"), once="1")
    differs = call("post", "orders", order(amount="240.00"), once="3")

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert (other_key.status_code, other_key.json()["is_new"]) == (200, False)
    assert (other_body.status_code, other_body.json()["code"]) == (409, "idempotency_key_reused")
    assert (differs.status_code, differs.json()["code"]) == (409, "order_differs")
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_order_at_once_is_one() -> None:
    call = caller()

    def send(_number: int) -> int:
        try:
            return int(call("post", "orders", order(paid=True), once="1").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(send, range(4)))

    assert answers == [201] * 4
    assert (Order.objects.count(), Transaction.objects.count()) == (1, 1)


def test_a_paid_order_books_the_sale_and_wants_the_scope_for_it(call: Call) -> None:
    mei = till.member()
    body = order(paid=True, method="cash", member=mei.code)

    refused = caller(scopes=["orders:write"])("post", "orders", body, once="1")
    assert not Order.objects.exists()
    taken = call("post", "orders", body, once="2")

    row = Transaction.objects.get()
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert [one["id"] for one in taken.json()["payments"]] == [str(row.pk)]
    assert (row.member, row.method, row.lines.count()) == (mei, "cash", 2)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (order(order_ref=""), ["#/order_ref"]),
        (order(amount="0"), ["#/amount"]),
        (order(amount=238), ["#/amount"]),
        (order(currency="XYZ"), ["#/currency"]),
        (order(ordered_at="yesterday"), ["#/ordered_at"]),
        (order(ordered_at="2100-01-01T00:00:00Z"), ["#/ordered_at"]),
        (order(lines=[{"sku": "A", "amount": "239.00"}]), ["#/lines"]),
        (order(lines=[{"sku": "A"}]), ["#/lines/0/amount"]),
        (order(paid="yes"), ["#/paid"]),
        (order(method="cash"), ["#/method"]),
        (order(occurred_at="2026-11-20T15:04:05+08:00"), ["#/occurred_at"]),
        (order(member="M000000001"), ["#/member"]),
        (order(identity={"kind": "face", "value": "1"}), ["#/identity/kind"]),
        (order(store="NOWHERE"), ["#/store"]),
        (order(total="1"), ["#/total"]),
    ],
)
def test_each_wrong_field_is_named(call: Call, body: Any, pointers: list[str]) -> None:
    answer = call("post", "orders", body, once="1")

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert not Order.objects.exists()


def test_a_store_key_takes_and_reads_orders_of_its_store() -> None:
    own, other = caller(store=till.store("TST")), caller(store=till.store("CWB"))
    own("post", "orders", order(), once="1")
    other("post", "orders", order(lines=[]), once="1")

    refused = other("post", "orders", order(store="TST"), once="2")
    asked = caller()("get", "orders/A-1")

    assert (refused.status_code, refused.json()["code"]) == (403, "store_not_allowed")
    assert own("get", "orders/A-1").json()["store"] == "TST"
    assert other("get", "orders/A-1").json()["lines"] == []
    assert [error["pointer"] for error in asked.json()["errors"]] == ["#/store"]
    assert caller()("get", "orders/A-1", {"store": "CWB"}).json()["store"] == "CWB"


def test_an_order_without_a_store_is_read_and_returned_where_a_store_has_its_number(
    call: Call,
) -> None:
    till.store("TST")
    for number, store in enumerate(["", "TST"]):
        body = order(store=store, paid=True, lines=LINES[:1] if store else LINES)
        assert call("post", "orders", body, once=str(number)).status_code == 201

    asked = call("get", "orders/A-1")
    none, named = (call("get", "orders/A-1", {"store": code}).json() for code in ("", "TST"))
    both = call("post", "orders/A-1/returns", back(), once="r1")
    returned = call("post", "orders/A-1/returns", back(store=""), once="r2")

    for answer in (asked, both):
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {
                "pointer": "#/store",
                "detail": (
                    "A store has this number too. Name the store, or leave it blank for the "
                    "order without a store."
                ),
            }
        ]
    assert (none["store"], len(none["lines"])) == (None, 2)
    assert (named["store"], len(named["lines"])) == ("TST", 1)
    assert returned.json()["payment"] == none["payments"][0]["id"]


def test_a_blank_store_is_a_keys_own() -> None:
    own = caller(store=till.store("TST"))
    caller()("post", "orders", order(), once="1")
    own("post", "orders", order(lines=[]), once="1")

    assert own("get", "orders/A-1", {"store": ""}).json()["store"] == "TST"


@pytest.mark.parametrize("ref", ["B-9", "%00", "a%00b", "%ED%A0%80", "x" * 101, "a/b/c"])
def test_an_order_that_nobody_sent_is_not_found(call: Call, ref: str) -> None:
    assert call("get", f"orders/{ref}").status_code == 404


def test_a_number_with_a_slash_is_a_number(call: Call) -> None:
    call("post", "orders", order(order_ref="2026/11/7"), once="1")

    assert call("get", "orders/2026/11/7").json()["order_ref"] == "2026/11/7"


# Returns and refunds


def paid_order(call: Call) -> str:
    answer = call("post", "orders", order(paid=True, member=till.member().code), once="order")
    return str(answer.json()["payments"][0]["id"])


def back(ref: str = "R-1", **given: Any) -> dict[str, Any]:
    return {"return_ref": ref, "lines": [{"sku": "CUP", "amount": "80.00"}]} | given


def test_a_return_takes_back_its_lines_once(call: Call) -> None:
    payment = paid_order(call)

    first = call("post", "orders/A-1/returns", back(), once="1")
    again = call("post", "orders/A-1/returns", back(), once="1")
    other_key = call("post", "orders/A-1/returns", back(), once="2")

    row = Transaction.objects.get(kind="refund")
    assert first.status_code == 201
    part = {
        "id": str(row.pk),
        "payment": payment,
        "order_ref": "A-1",
        "refund_ref": "R-1",
        "amount": "80.00",
        "currency": "HKD",
        "left": "158.00",
        "is_new": True,
    }
    assert first.json() == part | {"parts": [part]}
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert (other_key.status_code, other_key.json()["is_new"]) == (200, False)
    assert [line.product.sku for line in row.lines.all()] == ["CUP"]


def test_no_more_than_what_is_left_comes_back(call: Call) -> None:
    payment = paid_order(call)
    call("post", "orders/A-1/returns", back(), once="1")

    whole = call("post", "orders/A-1/returns", back("R-2", amount="238.00", lines=[]), once="2")
    path = f"transactions/{payment}/refunds"
    again = call("post", path, {"refund_ref": "R-1", "amount": "81.00"}, once="3")
    body = {"refund_ref": "R-3", "amount": "158.00", "reason": "Broken"}
    rest = call("post", path, body, once="4")

    assert (whole.status_code, whole.json()["code"]) == (422, "refund_too_large")
    assert whole.json()["left"] == "158.00"
    assert (again.status_code, again.json()["code"]) == (409, "refund_ref_taken")
    assert (rest.status_code, rest.json()["left"]) == (201, "0.00")
    assert Transaction.objects.filter(kind="refund").count() == 2


def test_what_nobody_paid_cannot_be_returned(call: Call) -> None:
    call("post", "orders", order(), once="1")

    answer = call("post", "orders/A-1/returns", back(), once="2")

    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_paid")
    assert not Transaction.objects.exists()


def test_only_a_payment_of_ones_own_store_is_refunded(call: Call) -> None:
    payment = paid_order(call)
    body = {"refund_ref": "R-1", "amount": "1.00"}
    refund = call("post", f"transactions/{payment}/refunds", body, once="1").json()["id"]

    of_a_refund = call("post", f"transactions/{refund}/refunds", body, once="2")
    stranger = caller(store=till.store("CWB"))
    elsewhere = stranger("post", f"transactions/{payment}/refunds", body, once="1")
    returned = stranger("post", "orders/A-1/returns", back(), once="2")

    assert (of_a_refund.status_code, of_a_refund.json()["code"]) == (422, "not_a_payment")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "transaction_unknown")
    assert (returned.status_code, returned.json()["code"]) == (409, "order_not_paid")
    assert Transaction.objects.filter(kind="refund").count() == 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["#/return_ref"]),
        ({"return_ref": "R-1"}, ["#/amount"]),
        (back(amount="0"), ["#/amount"]),
        (back(amount="79.00"), ["#/lines"]),
        (back(amount="1.001", lines=[]), ["#/amount"]),
        (back(lines=[{"sku": "CUP", "amount": "x"}]), ["#/lines/0/amount"]),
        (back(occurred_at="2100-01-01T00:00:00Z"), ["#/occurred_at"]),
        (back(is_outside="no"), ["#/is_outside"]),
        (back(note="x"), ["#/note"]),
    ],
)
def test_each_wrong_field_of_a_return_is_named(call: Call, body: Any, pointers: list[str]) -> None:
    paid_order(call)

    answer = call("post", "orders/A-1/returns", body, once="1")

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert not Transaction.objects.filter(kind="refund").exists()


@pytest.mark.parametrize("is_return_first", [True, False])
def test_two_refunds_of_one_amount_under_two_numbers_both_count(
    call: Call, is_return_first: bool
) -> None:
    """A till may send returns of orders and refunds of sales: neither is news of the other."""
    call("post", "orders", order(paid=True), once="1")
    back = sale(kind="refund", refund_ref="R-2", amount="10.00")
    sent = [("orders/A-1/returns", {"return_ref": "R-1", "amount": "10.00"}), ("sales", back)]

    for path, body in sent if is_return_first else reversed(sent):
        assert call("post", path, body, once=path).status_code == 201

    payment = Transaction.objects.get(kind="payment")
    assert left_of(payment) == Money(Decimal("218.00"), "HKD")
    assert not Transaction.objects.exclude(waiting_for__in=["", "member"]).exists()
