"""What a payment's points are counted on: all of it, or what is left without vouchers."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from django.utils import timezone

from config.pipeline import run
from kit.money import Money
from loyalty.models import Standing
from loyalty.services.books import verify_books
from payments.models import Callback, Transaction
from payments.points_base import PAID, RECEIVED
from payments.providers import alipay, wechatpay
from payments.providers.base import Inbound, Keys, MalformedPayload, Notice
from tests import build
from tests.payments.providers import test_alipay, test_wechatpay

VOUCHERS = {"total_amount": "100.00", "buyer_pay_amount": "80.00", "receipt_amount": "95.00"}


def read(module: ModuleType, request: Inbound, keys: Keys, base: str) -> Notice:
    found: Notice
    (found,) = module.read(request, replace(keys, settings={"points_base": base}))
    return found


@pytest.mark.parametrize(
    ("base", "earns"), [("", None), ("whole", None), (PAID, "80.00"), (RECEIVED, "95.00")]
)
def test_alipay_tells_what_the_payer_paid_and_what_the_merchant_receives(
    base: str, earns: str | None
) -> None:
    request = test_alipay.notice("trade_success", **VOUCHERS)

    found = read(alipay, request, test_alipay.KEYS, base)

    assert found.amount == Money(Decimal("100.00"), "CNY")
    assert found.earns == (Money(Decimal(earns), "CNY") if earns else None)


@pytest.mark.parametrize(
    ("changes", "earns"),
    [
        ({"payer_total": 8000}, "80.00"),
        ({"payer_total": 0}, "0.00"),
        ({"payer_total": 10000}, None),
        ({}, None),
        ({"payer_total": 7400, "payer_currency": "HKD"}, None),
    ],
)
def test_wechat_pay_tells_what_the_payer_paid_in_the_same_currency(
    changes: dict[str, Any], earns: str | None
) -> None:
    amount = {"total": 10000, "currency": "CNY", **changes}

    found = read(wechatpay, test_wechatpay.paid(amount=amount), test_wechatpay.KEYS, PAID)

    assert found.earns == (Money(Decimal(earns), "CNY") if earns else None)


def test_less_than_nothing_is_malformed() -> None:
    request = test_alipay.notice("trade_success", **VOUCHERS | {"buyer_pay_amount": "-1.00"})

    with pytest.raises(MalformedPayload):
        read(alipay, request, test_alipay.KEYS, PAID)


@pytest.mark.django_db
def test_points_follow_the_part_that_earns_and_refunds_take_back_their_share() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")
    balances = []

    for post in (
        build.payment("100.00", wallet="w", ref="p1", earning_amount="80.00"),
        build.refund("p1", "33.33"),
        build.refund("p1", "66.67"),
    ):
        build.send(post)
        run(now=timezone.now() + timedelta(seconds=1))
        balances.append(build.balance_of(mei))

    assert balances == [80, 53, 0]
    assert Standing.objects.get().spend_12m == 0
    assert Transaction.objects.get(kind="payment").reporting_amount == Decimal(100)
    assert [finding for finding in verify_books() if not finding.is_clean] == []


@pytest.mark.django_db
@pytest.mark.parametrize("earning", ["-0.01", "eighty"])
def test_a_till_that_states_nonsense_waits_for_staff(earning: str) -> None:
    build.send(build.payment("100.00", earning_amount=earning))

    run(now=timezone.now() + timedelta(seconds=1))

    assert not Transaction.objects.exists()
    assert Callback.objects.get().waiting_for == "repair"
