"""Returns of orders that were paid in several ways: each payment bears its share, once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit.money import Money
from payments.models import Product, Transaction
from payments.providers.base import Kind, Notice, NoticeLine
from payments.rules.spreading import spread
from payments.selectors import left_of
from payments.services.sales import book_sales
from tests import build
from tests.api import till
from tests.api.conftest import Call

pytestmark = pytest.mark.django_db

RETURNS = "orders/A-1/returns"
TEA = NoticeLine("TEA", Decimal(2), Decimal("158.00"))
CUP = NoticeLine("CUP", Decimal(1), Decimal("80.00"))


def paid(ref: str, amount: str, *, currency: str = "HKD", **also: Any) -> Transaction:
    """A payment of the order A-1."""
    money = Money(Decimal(amount), currency)
    at = also.pop("at", till.NOON)
    notice = Notice(Kind.PAYMENT, ref, ref, money, at, order_ref="A-1", **also)
    return book_sales([notice], account=build.account(), source="callback", now=at).fresh[0]


def card_and_cash(**also: Any) -> tuple[Transaction, Transaction]:
    return paid("ch_1", "100.00", method="card", **also), paid("cash_1", "138.00", method="cash")


def back(amount: str, ref: str = "RET-1", **given: Any) -> dict[str, Any]:
    return {"return_ref": ref, "amount": amount} | given


def refunds() -> list[tuple[str, str, Decimal]]:
    rows = Transaction.objects.filter(kind="refund").order_by("payment_ref", "effect_ref")
    return list(rows.values_list("payment_ref", "effect_ref", "amount"))


@pytest.mark.parametrize(
    ("amount", "lefts", "shares"),
    [
        (23800, [10000, 13800], [10000, 13800]),
        (8000, [10000, 13800], [3361, 4639]),
        (1, [1, 1, 1], [1, 0, 0]),
        (2, [1, 1, 1], [1, 1, 0]),
        (100, [100, 100, 100], [34, 33, 33]),
        (5, [0, 5], [0, 5]),
    ],
)
def test_an_amount_is_spread_exactly(amount: int, lefts: list[int], shares: list[int]) -> None:
    assert spread(amount, lefts) == shares


def test_a_split_payment_is_returned_whole_and_once(call: Call) -> None:
    card, cash = card_and_cash()

    first = call("post", RETURNS, back("238.00"), once="1")
    again = call("post", RETURNS, back("238.00"), once="2")

    assert first.status_code == 201
    answer = first.json()
    assert (answer["refund_ref"], answer["amount"], answer["left"]) == ("RET-1", "238.00", "0.00")
    assert answer["is_new"] is True
    assert [
        (part["payment"], part["refund_ref"], part["amount"], part["left"])
        for part in answer["parts"]
    ] == [
        (str(card.pk), "RET-1", "100.00", "0.00"),
        (str(cash.pk), "RET-1:2", "138.00", "0.00"),
    ]
    assert (again.status_code, again.json()["is_new"]) == (200, False)
    assert [part["id"] for part in again.json()["parts"]] == [p["id"] for p in answer["parts"]]
    assert len(refunds()) == 2


def test_each_payment_bears_its_share_of_what_is_left(call: Call) -> None:
    card_and_cash()

    first = call("post", RETURNS, back("80.00"), once="1")
    rest = call("post", RETURNS, back("158.00", "RET-2"), once="2")

    assert (first.json()["amount"], first.json()["left"]) == ("80.00", "158.00")
    assert rest.json()["left"] == "0.00"
    assert refunds() == [
        ("cash_1", "RET-1:2", Decimal("46.39")),
        ("cash_1", "RET-2:2", Decimal("91.61")),
        ("ch_1", "RET-1", Decimal("33.61")),
        ("ch_1", "RET-2", Decimal("66.39")),
    ]


def test_more_than_is_left_of_all_payments_is_refused_and_each_is_named(call: Call) -> None:
    card, cash = card_and_cash()
    call("post", f"transactions/{card.pk}/refunds", {"refund_ref": "X", "amount": "80"}, once="1")

    answer = call("post", RETURNS, back("158.01"), once="2")

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "refund_too_large")
    assert problem["detail"] == (
        "Only HK$158.00 is left of what was paid for this order: HK$20.00 of ch_1, "
        "HK$138.00 of cash_1. Enter that much or less."
    )
    assert problem["left"] == "158.00"
    assert problem["payments"] == [
        {"id": str(card.pk), "method": "card", "left": "20.00", "currency": "HKD"},
        {"id": str(cash.pk), "method": "cash", "left": "138.00", "currency": "HKD"},
    ]
    assert refunds() == [("ch_1", "X", Decimal(80))]


def test_a_number_of_two_parts_is_taken_for_any_other_amount(call: Call) -> None:
    card_and_cash()
    call("post", RETURNS, back("100.00"), once="1")

    other = call("post", RETURNS, back("99.00"), once="2")

    assert (other.status_code, other.json()["code"]) == (409, "refund_ref_taken")
    assert other.json()["detail"].startswith("RET-1 is booked already, with HK$100.00.")
    assert len(refunds()) == 2


def test_a_number_that_looks_like_a_part_stays_somebodys_own(call: Call) -> None:
    _card, cash = card_and_cash()
    path = f"transactions/{cash.pk}/refunds"
    own = call("post", path, {"refund_ref": "RET-1:2", "amount": "38.00"}, once="1")

    split = call("post", RETURNS, back("200.00"), once="2")
    again = call("post", RETURNS, back("200.00"), once="3")

    assert own.status_code == split.status_code == 201
    assert [part["refund_ref"] for part in split.json()["parts"]] == ["RET-1", "RET-1:3"]
    assert again.json()["parts"] == [part | {"is_new": False} for part in split.json()["parts"]]
    assert len(refunds()) == 3


def test_lines_stay_together_on_the_payment_that_has_the_lines_bought(call: Call) -> None:
    paid("ch_1", "100.00")
    cash = paid("cash_1", "138.00", lines=(CUP,))
    lines = [{"sku": "CUP", "amount": "80.00"}]

    answer = call("post", RETURNS, {"return_ref": "RET-1", "lines": lines}, once="1")

    assert answer.status_code == 201
    (row,) = Transaction.objects.filter(kind="refund", lines__isnull=False)
    assert row.original == cash
    assert [(line.product.sku, line.amount) for line in row.lines.all()] == [("CUP", Decimal(80))]


def test_a_refund_that_a_platform_told_is_not_spread_again(call: Call) -> None:
    card, cash = card_and_cash()
    told = Notice(Kind.REFUND, "ch_1", "re_1", Money(Decimal("40.00"), "HKD"), till.NOON)
    book_sales([told], account=build.account(), source="callback", now=till.NOON)

    answer = call("post", RETURNS, back("40.00", occurred_at=till.NOON.isoformat()), once="1")

    assert [part["payment"] for part in answer.json()["parts"]] == [str(card.pk)]
    assert left_of(card) == Money(Decimal("60.00"), "HKD")
    assert left_of(cash) == Money(Decimal("138.00"), "HKD")


def test_a_return_is_in_one_currency_and_the_others_are_named(call: Call) -> None:
    paid("ch_1", "100.00")
    paid("usd_1", "20.00", currency="USD")

    refused = call("post", RETURNS, back("101.00"), once="1")
    taken = call("post", RETURNS, back("100.00", "RET-2"), once="2")

    assert refused.json()["left"] == "100.00"
    assert [left["currency"] for left in refused.json()["payments"]] == ["HKD", "USD"]
    assert taken.json()["currency"] == "HKD"
    assert refunds() == [("ch_1", "RET-2", Decimal(100))]


# What was never bought, and what comes before its payment


def hat(amount: str = "1.00", ref: str = "RET-1") -> dict[str, Any]:
    lines = [{"sku": "CUP", "amount": "1.00"}, {"sku": "HAT", "amount": amount}]
    return {"return_ref": ref, "lines": lines}


def placed(call: Call, **given: Any) -> None:
    body = {
        "order_ref": "A-1",
        "amount": "238.00",
        "currency": "HKD",
        "ordered_at": till.NOON.isoformat(),
        "lines": [{"sku": "TEA", "amount": "158.00"}, {"sku": "CUP", "amount": "80.00"}],
    }
    assert call("post", "orders", body | given, once="order").status_code == 201


def test_what_was_never_bought_does_not_come_back(call: Call) -> None:
    placed(call)
    payment, _cash = card_and_cash()
    by_id = {"refund_ref": "RET-1", "lines": hat()["lines"]}

    returned = call("post", RETURNS, hat(), once="1")
    refunded = call("post", f"transactions/{payment.pk}/refunds", by_id, once="2")

    for answer in (returned, refunded):
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {
                "pointer": "#/lines/1/sku",
                "detail": (
                    "HAT was not bought with this order. Send the SKU that was, or leave the "
                    "lines out and send the amount."
                ),
            }
        ]
    assert refunds() == []
    assert not Product.objects.filter(sku="HAT").exists()


def test_a_refund_of_a_sale_names_what_was_bought(call: Call) -> None:
    sale = {
        "kind": "payment",
        "order_ref": "A-1",
        "amount": "80.00",
        "currency": "HKD",
        "occurred_at": till.NOON.isoformat(),
    }
    call("post", "sales", sale | {"lines": [{"sku": "CUP", "amount": "80.00"}]}, once="1")

    refund = {"kind": "refund", "refund_ref": "R-1", "lines": hat()["lines"]}
    answer = call("post", "sales", sale | refund, once="2")

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/lines/1/sku"]
    assert refunds() == []


@pytest.mark.parametrize("lines_of_card", [(), (TEA,)])
def test_where_not_all_that_was_bought_is_known_any_line_comes_back(
    call: Call, lines_of_card: tuple[NoticeLine, ...]
) -> None:
    paid("ch_1", "158.00", lines=lines_of_card)
    paid("cash_1", "80.00")

    answer = call("post", RETURNS, hat(), once="1")

    assert answer.status_code == 201


def test_lines_of_all_payments_were_bought(call: Call) -> None:
    paid("ch_1", "158.00", lines=(TEA,))
    paid("cash_1", "80.00", lines=(CUP,))
    lines = [{"sku": "CUP", "amount": "80.00"}, {"sku": "TEA", "amount": "158.00"}]

    answer = call("post", RETURNS, {"return_ref": "RET-1", "lines": lines}, once="1")

    assert (answer.status_code, answer.json()["left"]) == (201, "0.00")


@pytest.mark.parametrize("path", ["returns", "refunds", "sales"])
def test_nothing_comes_back_before_it_was_paid(call: Call, path: str) -> None:
    at = (till.NOON - timedelta(minutes=11)).isoformat()
    sale = {"kind": "payment", "order_ref": "A-1", "amount": "80.00", "currency": "HKD"}
    sent = call("post", "sales", sale | {"occurred_at": till.NOON.isoformat()}, once="1")
    paths = {"returns": RETURNS, "refunds": f"transactions/{sent.json()['id']}/refunds"}
    bodies = {
        "returns": back("80.00"),
        "refunds": {"refund_ref": "RET-1", "amount": "80.00"},
        "sales": sale | {"kind": "refund", "refund_ref": "RET-1"},
    }

    answer = call("post", paths.get(path, path), bodies[path] | {"occurred_at": at}, once="2")

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "pointer": "#/occurred_at",
            "detail": (
                "This is before the payment, made at 2026-11-21T04:00:00+00:00. Give the time of "
                "the refund."
            ),
        }
    ]
    assert refunds() == []


def test_a_return_takes_nothing_of_what_was_paid_after_it(call: Call) -> None:
    card = paid("ch_1", "100.00", at=till.NOON - till.DAY)
    paid("cash_1", "138.00")

    at = (till.NOON - till.DAY / 2).isoformat()
    answer = call("post", RETURNS, back("80.00", occurred_at=at), once="1")

    assert [part["payment"] for part in answer.json()["parts"]] == [str(card.pk)]
    assert refunds() == [("ch_1", "RET-1", Decimal(80))]
