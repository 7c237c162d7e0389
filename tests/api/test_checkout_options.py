"""GET /api/v1/checkout-options."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from payments.models import PaymentMethod
from payments.services.methods import make_methods
from payments.services.rates import enter_rate
from tests import build
from tests.api.conftest import Call, caller
from tests.build import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> Iterator[None]:
    build.programme()
    make_methods()
    offered = ["alipay_cn", "alipay_hk", "visa", "jkopay", "octopus", "cash"]
    PaymentMethod.objects.filter(code__in=offered).update(is_offered=True)
    taipei = build.region("TW", currency="TWD", zone="Asia/Taipei")
    build.store("TAIPEI", region=taipei)
    build.store("CENTRAL")
    PaymentMethod.objects.get(code="cash").regions.add(build.region("HK"))
    with time_machine.travel(NOON, tick=False):
        yield


def enter(currency: str, rate: str) -> None:
    enter_rate(
        currency=currency,
        valid_from=date(2026, 11, 20),
        rate=Decimal(rate),
        source="ECB 2026-11-20",
        now=NOON,
    )


def codes(answer: Any) -> list[str]:
    return [method["code"] for method in answer.json()["methods"]]


def test_a_member_sees_what_people_at_home_carry_first(call: Call) -> None:
    member = build.member(language="zh-hant")

    answer = call("get", "checkout-options", {"store": "TAIPEI", "member": member.code})

    assert answer.status_code == 200
    assert answer.json()["currency"] == "TWD"
    # Octopus takes Hong Kong dollars only, and cash only the shops in Hong Kong.
    assert codes(answer) == ["alipay_hk", "visa", "alipay_cn", "jkopay"]
    names = {method["code"]: method["name"] for method in answer.json()["methods"]}
    assert (names["jkopay"], names["alipay_cn"]) == ("街口支付", "支付寶")


def test_names_follow_the_members_language(call: Call) -> None:
    build.region("CN", currency="CNY", language="zh-hans")
    member = build.member(language="zh-hans", region=build.region("CN"))

    answer = call("get", "checkout-options", {"store": "CENTRAL", "member": member.code})

    assert codes(answer)[0] == "alipay_cn"
    assert answer.json()["methods"][0]["name"] == "支付宝"


def test_the_bill_is_shown_in_the_members_own_currency(call: Call) -> None:
    enter("TWD", "0.2440")
    member = build.member()
    asked = {"store": "TAIPEI", "member": member.code, "amount": "1280"}

    answer = call("get", "checkout-options", asked)

    assert answer.json()["home"] == {
        "currency": "HKD",
        "rate": "0.2440000000",
        "rate_on": "2026-11-20",
        "rate_source": "ECB 2026-11-20",
        "amount": "312.32",
    }


def test_two_foreign_currencies_are_crossed(call: Call) -> None:
    enter("TWD", "0.2440")
    enter("CNY", "1.0980")
    member = build.member(region=build.region("CN", currency="CNY"))
    asked = {"store": "TAIPEI", "member": member.code, "amount": "100"}

    home = call("get", "checkout-options", asked).json()["home"]

    assert (home["currency"], home["amount"]) == ("CNY", "22.22")  # 24.40 / 1.0980 = 22.222…


def test_without_a_rate_or_a_member_no_other_currency_is_shown(call: Call) -> None:
    member = build.member()

    no_rate = call("get", "checkout-options", {"store": "TAIPEI", "member": member.code})
    nobody = call("get", "checkout-options", {"store": "TAIPEI"})
    at_home = call("get", "checkout-options", {"store": "CENTRAL", "member": member.code})

    assert [answer.json()["home"] for answer in (no_rate, nobody, at_home)] == [None] * 3
    assert codes(nobody)[0] == "jkopay"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"store": "NOWHERE"}, "store"),
        ({"member": "M000"}, "member"),
        ({"region": "XX"}, "region"),
        ({"store": "TAIPEI", "region": "HK"}, "region"),
        ({"store": "TAIPEI", "amount": "1,280"}, "amount"),
        ({"storee": "TAIPEI"}, "storee"),
    ],
)
def test_what_nobody_knows_is_named(call: Call, asked: dict[str, str], field: str) -> None:
    answer = call("get", "checkout-options", asked)

    assert answer.status_code == 400
    assert field in str(answer.json())


def test_a_key_without_the_scope_is_refused() -> None:
    answer = caller(scopes=["sales:write"])("get", "checkout-options", {"store": "TAIPEI"})

    assert answer.status_code == 403
