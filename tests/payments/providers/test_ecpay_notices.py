"""What ECPay's results mean, and which of them are no payment."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256

import pytest

from kit.money import Money
from payments.providers import ecpay
from payments.providers.base import (
    Ignored,
    Inbound,
    Kind,
    Notice,
)
from tests.payments.providers.example import Sale
from tests.payments.providers.test_ecpay import (
    EXAMPLE,
    KEYS,
    TAIPEI,
    form,
    key_of,
    post,
    read,
    reason_of,
)


def test_a_payment_is_read_in_whole_dollars_of_taiwan() -> None:
    assert read("payment") == Notice(
        kind=Kind.PAYMENT,
        payment_ref="2611211922100042",
        effect_ref="2611211922100042",
        amount=Money(Decimal("1280.00"), "TWD"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="Shop3001",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="card",
    )


def test_each_period_of_a_recurring_order_is_a_payment_of_its_own() -> None:
    second = read("period")
    third = read("period", Gwsr="12900099", ProcessDate="2026/12/21 08:00:10")

    assert (second.payment_ref, third.payment_ref) == ("12900042", "12900099")
    assert (second.order_ref, second.member_code) == ("Shop3003", "M4K7Q2Z9P")
    assert second.amount == Money(Decimal("199.00"), "TWD")
    assert key_of(post(form("period"))) == ("3000042:shop3003::1:0:12900042:2026/11/21 08:00:12")
    assert key_of(post(form("period", Gwsr="12900099"))) != key_of(post(form("period")))


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ("Credit_CreditCard", "card"),
        ("ATM_TAISHIN", "atm"),
        ("CVS_CVS", "cvs"),
        ("BARCODE_BARCODE", "barcode"),
        ("ApplePay", "apple_pay"),
        ("TWQR_OPAY", "twqr"),
        ("", ""),
    ],
)
def test_the_method_is_named_without_its_bank(given: str, method: str) -> None:
    assert read("payment", PaymentType=given).method == method


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("code_issued", {}, "code_issued"),
        ("code_issued", {"RtnCode": "2", "PaymentType": "ATM_TAISHIN"}, "code_issued"),
        ("payment", {"SimulatePaid": "1"}, "simulated"),
        ("payment", {"SimulatePaid": None}, "unused_event"),
        ("payment", {"SimulatePaid": ""}, "unused_event"),
        ("payment", {"RtnCode": "10100058"}, "did_not_succeed"),
        ("payment", {"RtnCode": "01"}, "did_not_succeed"),
        ("payment", {"RtnCode": None}, "unused_event"),
        ("period", {"SimulatePaid": "1"}, "simulated"),
        ("period", {"RtnCode": "10100058"}, "did_not_succeed"),
    ],
)
def test_codes_failures_and_simulations_move_no_money(
    name: str, changes: dict[str, str | None], reason: str
) -> None:
    request = post(form(name, **changes))

    assert reason_of(request) is None
    assert ecpay.read(request, KEYS) == Ignored(reason)


def test_a_simulated_or_failed_result_does_not_stand_in_the_way_of_the_real_one() -> None:
    changes: list[dict[str, str]] = [
        {},
        {"SimulatePaid": "1"},
        {"RtnCode": "10100058"},
        {"RtnCode": "2"},
    ]

    assert len({key_of(post(form("payment", **change))) for change in changes}) == 4


def number_of(ref: str) -> str:
    """An authorisation's number has digits only."""
    return str(int.from_bytes(sha256(ref.encode()).digest()[:7]))


def period(sale: Sale, **changes: str) -> Inbound:
    """A later payment of a recurring order: its own address, its own names of fields."""
    told = form(
        "period",
        Gwsr=number_of(sale.ref),
        MerchantTradeNo=sale.order_ref or sale.ref,
        Amount=str(int(sale.money.amount)),
        ProcessDate=sale.at.astimezone(TAIPEI).strftime("%Y/%m/%d %H:%M:%S"),
        CustomField1=sale.member_code,
    )
    return post(told | changes)


ALSO = (
    replace(
        EXAMPLE,
        variant="period",
        payment=period,
        known_as=number_of,
        later=(partial(period, RtnCode="0"), partial(period, SimulatePaid="1")),
    ),
)
