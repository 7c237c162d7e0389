"""The fields that staff may ask about: facts and queries say the same of real members."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns.conditions import registry_for
from kit.conditions import Field, Kind, Operator, matches, to_q, validate
from loyalty.conditions import PAYMENT, payment_facts, standing_facts
from loyalty.models import Standing
from members.conditions import MEMBER, member_facts
from members.models import Member
from tests import build
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY

pytestmark = pytest.mark.django_db
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
_SAMPLES: dict[str, Any] = {
    "language": ["en"],
    "region": ["TW"],
    "home_store": ["PEAK"],
    "tier": ["gold"],
    "balance": "900",
    "spend_12m": {"amount": "900", "currency": "HKD"},
    "payments": "1",
    "joined_at": "2026-01-01",
    "first_paid_at": "2026-11-21",
    "last_paid_at": "2026-11-21",
}


@pytest.fixture
def members() -> list[Member]:
    build.tiers(basic="0", gold="800")
    build.earning_rule()
    taiwan = build.region("TW", currency="TWD", zone="Asia/Taipei")
    peak = build.store("PEAK")
    buyer = cast.reader(language="en", home_store=peak, born_on=date(1990, 11, 21))
    small = cast.reader(region=taiwan, now=NOON - 10 * DAY, born_on=date(1990, 2, 1))
    cast.sell(buyer, "900.00")
    cast.sell(small, "20.00", at=NOON - DAY)
    cast.sell(small, "20.00", at=NOON - DAY)
    cast.settle()
    return [buyer, small, cast.reader("Kit")]


def facts_of(member: Member) -> dict[str, Any]:
    standing = Standing.objects.filter(pk=member.pk).first()
    return {**member_facts(member), **standing_facts(standing, currency="HKD")}


def _value(field: Field, operator: Operator) -> Any:
    if operator in (Operator.IN_LAST, Operator.BEFORE_LAST, Operator.IN_NEXT):
        return 3
    if operator is Operator.IN_MONTH:
        return [11]
    sample = _SAMPLES.get(field.name)
    return [sample, sample] if operator is Operator.BETWEEN else sample


@pytest.mark.parametrize(
    ("field", "operator"),
    [(field, operator) for _, field in MEMBER.grouped() for operator in field.operators],
    ids=lambda part: getattr(part, "name", str(part)),
)
def test_facts_and_queries_agree(field: Field, operator: Operator, members: list[Member]) -> None:
    rule = {"field": field.name, "operator": operator.value, "value": _value(field, operator)}
    tree = validate({"combinator": "and", "rules": [rule]}, MEMBER)

    found = set(Member.objects.filter(to_q(tree, MEMBER, now=NOON, zone=HONG_KONG)))

    told = {
        member
        for member in members
        if matches(tree, facts_of(member), MEMBER, now=NOON, zone=HONG_KONG).is_match
    }
    assert found == told
    assert len(found) < len(members) or operator is not Operator.EQUAL


def test_every_field_has_its_fact(members: list[Member]) -> None:
    payment = payment_facts(
        cast.sell(members[0]).money,
        shop_time=NOON.astimezone(HONG_KONG),
        store=None,
        method="alipay",
        is_first_payment=False,
        categories={"tea"},
    )

    names = {field.name for _, field in PAYMENT.grouped()}

    assert names == set(payment) | set(facts_of(members[0]))
    assert (payment["hour"], payment["weekday"]) == (12, "5")


def test_a_condition_is_offered_what_its_trigger_knows() -> None:
    assert registry_for("large_ticket").find("amount") is not None
    assert registry_for("silence").find("amount") is None
    assert registry_for("tier_reached").find("tier") is not None


def test_choices_are_what_the_merchant_has(members: list[Member]) -> None:
    build.category("tea")
    offered = {
        field.name: [value for value, _ in field.choices()]
        for _, field in PAYMENT.grouped()
        if field.kind in (Kind.CHOICE, Kind.SET)
    }

    assert offered["tier"] == ["basic", "gold"]
    assert offered["categories"] == ["tea"]
    assert offered["region"] == ["HK", "TW"]
    assert offered["currency"] == ["HKD", "TWD"]
    assert offered["weekday"] == list("0123456")
