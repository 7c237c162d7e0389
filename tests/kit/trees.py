"""Trees of conditions to try: an invented member and payment, and short ways to write rules."""

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kit.conditions import Field, Kind, Registry, matches
from kit.money import Money

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
NOON = dt.datetime(2026, 11, 21, 4, tzinfo=dt.UTC)

MEMBER = Registry("member", label="Member")
MEMBER.register(
    Field("tier", "Tier", Kind.CHOICE, choices=lambda: [(1, "Gold"), (2, "Platinum")]),
    Field("visits", "Visits", Kind.NUMBER, unit="times", query="visits"),
    Field("city", "City", Kind.TEXT, is_optional=True),
    Field("joined", "Joined", Kind.DATE),
    Field("bought", "Last purchase", Kind.INSTANT),
    Field("birthday", "Birthday", Kind.ANNIVERSARY, is_private=True),
)
PAYMENT = Registry("payment", label="Payment", includes=[MEMBER])
PAYMENT.register(
    Field("amount", "Amount", Kind.MONEY, currencies=lambda: ["HKD", "JPY"]),
    Field("first", "First purchase", Kind.BOOLEAN),
    Field("basket", "Basket", Kind.SET, choices=lambda: [("tea", "Tea"), ("cake", "Cake")]),
)
HK500 = {"amount": "500.00", "currency": "HKD"}
FACTS = {
    "tier": 1,
    "visits": 3,
    "city": "Hong Kong",
    "joined": dt.date(2026, 1, 31),
    "bought": dt.datetime(2026, 11, 20, 16, 30, tzinfo=dt.UTC),
    "birthday": dt.date(2000, 2, 29),
    "amount": Money(Decimal("320.00"), "HKD"),
    "first": False,
    "basket": {"tea", "mug"},
}


def rule(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def all_of(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)}


def any_of(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"combinator": "or", "not": False, "rules": list(rules)}


def none_of(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"combinator": "or", "not": True, "rules": list(rules)}


def holds(tree: dict[str, Any], *, now: dt.datetime = NOON, **changed: Any) -> bool:
    return matches(tree, FACTS | changed, PAYMENT, now=now, zone=HONG_KONG).is_match
