"""What trees mean, in memory and in words. That the database agrees is proved next door."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from kit.conditions import (
    ALWAYS,
    BadTreeError,
    ConditionError,
    Field,
    Kind,
    Leaf,
    NotQueryableError,
    Registry,
    TooDeepError,
    TooLargeError,
    UnknownFieldError,
    UnknownOperatorError,
    WrongValueError,
    explain,
    matches,
    parse,
    sentence,
    to_q,
    validate,
)
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


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("amount", ">=", {"amount": "320", "currency": "HKD"}, True),
        ("amount", ">", {"amount": "320", "currency": "HKD"}, False),
        ("amount", "between", [{"amount": "320", "currency": "HKD"}, HK500], True),
        ("amount", "<", {"amount": "9999", "currency": "JPY"}, False),
        ("amount", "!=", {"amount": "9999", "currency": "JPY"}, False),
        ("visits", "=", "3", True),
        ("visits", "=", "3.0", True),
        ("visits", "!=", 3, False),
        ("visits", "<", "2.5", False),
        ("tier", "in", ["1", "2"], True),
        ("tier", "notIn", ["1"], False),
        ("city", "=", "hong kong", False),
        ("city", "beginsWith", "Hong", True),
        ("city", "doesNotContain", "Kong", False),
        ("city", "notNull", None, True),
        ("first", "=", False, True),
        ("basket", "containsAny", ["tea", "cake"], True),
        ("basket", "containsNone", ["cake"], True),
        ("joined", "<=", "2026-01-31", True),
        ("joined", "<", "2026-01-31", False),
        ("joined", "=", "2026-01-31", True),
        # 16:30 in UTC is half past midnight of the next day in Hong Kong.
        ("bought", "=", "2026-11-21", True),
        ("bought", "=", "2026-11-20", False),
        ("bought", "inLast", 0, True),
        ("bought", "beforeLast", 0, False),
    ],
)
def test_a_rule(field: str, operator: str, value: Any, *, expected: bool) -> None:
    assert holds(all_of(rule(field, operator, value))) is expected


@pytest.mark.parametrize(
    ("today", "operator", "value", "expected"),
    [
        ("2027-02-28", "today", None, True),
        ("2028-02-28", "today", None, False),
        ("2028-02-29", "today", None, True),
        ("2027-03-01", "today", None, False),
        ("2027-02-21", "inNext", 7, True),
        ("2027-02-20", "inNext", 7, False),
        ("2027-12-31", "inNext", 59, False),
        ("2027-12-31", "inNext", 60, True),
        ("2026-03-01", "inNext", 364, True),
        ("2026-03-01", "inNext", 363, False),
        ("2027-03-01", "inNext", 364, False),
        ("2027-03-01", "inNext", 365, True),
        ("2027-02-01", "thisMonth", None, True),
        ("2027-03-01", "thisMonth", None, False),
        ("2027-03-01", "inMonth", [2, 3], True),
        ("2027-03-01", "inMonth", ["12"], False),
    ],
)
def test_a_birthday_on_29_february(
    today: str, operator: str, value: Any, *, expected: bool
) -> None:
    now = dt.datetime.fromisoformat(today).replace(hour=9, tzinfo=HONG_KONG)

    assert holds(all_of(rule("birthday", operator, value)), now=now) is expected


def test_the_last_days_and_the_days_before_them_share_no_day_and_miss_none() -> None:
    for days_ago in range(1, 15):
        bought = NOON - dt.timedelta(days=days_ago)
        recent = holds(all_of(rule("bought", "inLast", 7)), bought=bought)
        lapsed = holds(all_of(rule("bought", "beforeLast", 7)), bought=bought)

        assert recent is (days_ago <= 7)
        assert lapsed is not recent


@pytest.mark.parametrize(
    ("unknown", "given"),
    [
        ("amount", rule("amount", "!=", HK500)),
        ("visits", rule("visits", "<", "99")),
        ("tier", rule("tier", "notIn", ["2"])),
        ("city", rule("city", "doesNotContain", "Kow")),
        ("city", rule("city", "notNull")),
        ("first", rule("first", "=", False)),
        ("basket", rule("basket", "containsNone", ["cake"])),
        ("bought", rule("bought", "beforeLast", 7)),
        ("birthday", rule("birthday", "inMonth", list(range(1, 13)))),
    ],
)
def test_no_operator_holds_for_what_is_unknown_and_none_of_turns_that_round(
    unknown: str, given: dict[str, Any]
) -> None:
    changed: dict[str, Any] = {unknown: None}

    assert not holds(all_of(given), **changed)
    assert holds(none_of(given), **changed)


def test_blank_text_is_unknown() -> None:
    assert holds(all_of(rule("city", "null")), city="")
    assert not holds(all_of(rule("city", "!=", "Tokyo")), city="")


def test_an_empty_basket_is_known_to_contain_nothing() -> None:
    assert holds(all_of(rule("basket", "containsNone", ["tea"])), basket=[])


def test_a_missing_fact_is_a_mistake_of_ours_and_not_an_unknown_one() -> None:
    with pytest.raises(KeyError, match="visits"):
        matches(all_of(rule("visits", "=", 1)), {}, MEMBER, now=NOON, zone=HONG_KONG)


@pytest.mark.parametrize("tree", [{}, ALWAYS, none_of()])
def test_an_empty_tree_always_holds(tree: dict[str, Any]) -> None:
    verdict = matches(tree, {}, PAYMENT, now=NOON, zone=HONG_KONG)

    assert verdict.is_match
    assert verdict.failed == ()
    assert validate(tree, PAYMENT) == ALWAYS
    assert sentence(tree, PAYMENT) == "always"


def test_a_verdict_names_the_rules_that_decided_and_what_they_saw() -> None:
    tree = all_of(
        rule("amount", ">=", HK500),
        rule("visits", ">=", "1"),
        any_of(rule("first", "=", True), rule("basket", "containsAny", ["cake"])),
        none_of(rule("tier", "in", ["1"]), rule("tier", "in", ["2"])),
    )

    verdict = matches(tree, FACTS, PAYMENT, now=NOON, zone=HONG_KONG)

    assert not verdict.is_match
    assert verdict.failed == (
        Leaf("amount", ">=", HK500, {"amount": "320.00", "currency": "HKD"}),
        Leaf("first", "=", value=True, seen=False),
        Leaf("basket", "containsAny", ["cake"], ["mug", "tea"]),
        Leaf("tier", "in", ["1"], "1", is_negated=True),
    )
    assert [
        explain(Leaf(**json.loads(json.dumps(leaf.as_json()))), PAYMENT) for leaf in verdict.failed
    ] == [
        "Amount ≥ HK$500.00 (it was HK$320.00)",
        "First purchase is yes (it was no)",
        "Basket contains Cake (it was mug, Tea)",
        "not: Tier is Gold (it was Gold)",
    ]


@pytest.mark.parametrize(
    ("given", "seen", "expected"),
    [
        (rule("bought", "<", "2026-01-01"), ..., "(it was 21 Nov 2026)"),
        (rule("joined", "<", "2026-01-01"), None, "(it was not known)"),
        (rule("visits", ">", "1234"), ..., "Visits > 1,234 times (it was 3 times)"),
        (rule("basket", "containsAny", ["tea"]), [], "(it was empty)"),
    ],
)
def test_an_explanation(given: dict[str, Any], seen: Any, expected: str) -> None:
    facts = FACTS if seen is ... else FACTS | {given["field"]: seen}

    (leaf,) = matches(all_of(given), facts, PAYMENT, now=NOON, zone=HONG_KONG).failed

    assert explain(leaf, PAYMENT).endswith(expected)


def test_a_private_field_leaves_no_trace_in_a_verdict() -> None:
    verdict = matches(
        all_of(rule("birthday", "inMonth", [12])), FACTS, PAYMENT, now=NOON, zone=HONG_KONG
    )

    (leaf,) = verdict.failed
    assert leaf.seen is None
    assert explain(leaf, PAYMENT) == "Birthday is in December"


def test_a_sentence() -> None:
    tree = all_of(
        rule("amount", ">=", HK500),
        any_of(rule("tier", "in", ["1", "2"]), rule("visits", "between", ["2", "9.50"])),
        none_of(rule("city", "contains", "100%"), rule("first", "=", True)),
        none_of(rule("basket", "containsNone", ["tea", "soap"])),
        rule("joined", ">", "2026-01-31"),
        rule("bought", "beforeLast", "60"),
    )

    with translation.override("en"):
        said = sentence(tree, PAYMENT)

    assert said == (
        "Amount ≥ HK$500.00 and (Tier is Gold or Platinum or Visits is from 2 times to 9.5 times)"
        " and none of (City contains “100%” or First purchase is yes)"
        " and none of (Basket contains none of Tea, soap)"
        " and Joined is after 31 Jan 2026 and Last purchase is more than 60 days ago"
    )


def test_saving_brings_a_tree_into_its_normal_form() -> None:
    typed = {
        "id": "r1",
        "combinator": "and",
        "rules": [
            rule("visits", ">=", 10.50),
            rule("amount", "=", {"amount": "5", "currency": "hkd"}),
            rule("tier", "in", [2, "2", 1]),
            rule("bought", "inLast", "30"),
            rule("birthday", "inMonth", ["12", 1]),
            rule("birthday", "today", "left over"),
            rule("city", "=", "  Tai Po "),
        ],
    }

    saved = validate(typed, PAYMENT)

    assert saved == all_of(
        rule("visits", ">=", "10.5"),
        rule("amount", "=", {"amount": "5.00", "currency": "HKD"}),
        rule("tier", "in", ["2", "1"]),
        rule("bought", "inLast", 30),
        rule("birthday", "inMonth", [1, 12]),
        rule("birthday", "today"),
        rule("city", "=", "Tai Po"),
    )
    assert validate(saved, PAYMENT) == saved
    assert json.loads(json.dumps(saved)) == saved


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("visits", "=", "many"),
        ("visits", "=", "NaN"),
        ("visits", "=", True),
        ("visits", "=", "1e30"),
        ("visits", "=", "1e-30"),
        ("visits", "=", None),
        ("visits", "between", ["3", "2"]),
        ("visits", "between", "12"),
        ("amount", "=", "500"),
        ("amount", "=", {"amount": "500.005", "currency": "HKD"}),
        ("amount", "=", {"amount": "500", "currency": "XXQ"}),
        ("amount", "=", {"amount": "500", "currency": "USD"}),
        ("amount", "between", [HK500, {"amount": "900", "currency": "JPY"}]),
        ("first", "=", "yes"),
        ("joined", "=", "31.1.2026"),
        ("joined", "=", "1066-10-14"),
        ("bought", "inLast", "-1"),
        ("bought", "inLast", "1.5"),
        ("birthday", "inNext", "367"),
        ("birthday", "inMonth", [13]),
        ("birthday", "inMonth", []),
        ("tier", "in", []),
        ("tier", "in", "1"),
        ("tier", "in", ["3"]),
        ("basket", "containsAny", ["soap"]),
        ("city", "=", " "),
        ("city", "=", "nul\0"),
        ("city", "=", "half \ud800 pair"),
        ("city", "=", "x" * 201),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_place(field: str, operator: str, value: Any) -> None:
    tree = all_of(rule("first", "=", True), any_of(rule(field, operator, value)))

    with pytest.raises(WrongValueError) as refusal:
        validate(tree, PAYMENT)

    assert refusal.value.path == (1, 0)
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    ("tree", "error", "path"),
    [
        (all_of(rule("shoe_size", "=", 1)), UnknownFieldError, (0,)),
        (all_of(rule("first", ">", 1)), UnknownOperatorError, (0,)),
        (all_of(rule("visits", "null")), UnknownOperatorError, (0,)),
        (all_of(any_of()), BadTreeError, (0,)),
        (all_of({"field": "visits"}), BadTreeError, (0,)),
        (all_of({**rule("visits", "=", 1), "valueSource": "field"}), BadTreeError, (0,)),
        ({"combinator": "xor", "rules": []}, BadTreeError, ()),
        ({"combinator": "and", "rules": "visits"}, BadTreeError, ()),
        ({"combinator": "and", "not": "no", "rules": []}, BadTreeError, ()),
        ({"combinator": "and"}, BadTreeError, ()),
        (all_of(*[rule("visits", "=", 1)] * 51), TooLargeError, ()),
        (any_of(any_of(any_of(any_of(any_of())))), TooDeepError, (0, 0, 0, 0)),
    ],
)
def test_a_bad_tree_is_refused_by_name_and_place(
    tree: dict[str, Any], error: type[ConditionError], path: tuple[int, ...]
) -> None:
    with pytest.raises(error) as refusal:
        validate(tree, PAYMENT)

    assert type(refusal.value) is error
    assert refusal.value.path == path


def test_what_was_saved_works_on_after_a_choice_is_gone() -> None:
    tree = all_of(rule("tier", "in", ["9"]))

    assert holds(tree, tier=9)
    assert sentence(tree, PAYMENT) == "Tier is 9"


def test_a_field_of_facts_alone_cannot_be_queried() -> None:
    with pytest.raises(NotQueryableError, match="Amount"):
        to_q(all_of(rule("amount", "=", HK500)), PAYMENT, now=NOON, zone=HONG_KONG)


def test_a_parsed_tree_can_be_used_again() -> None:
    group = parse(all_of(rule("visits", "=", 3)), MEMBER)

    assert matches(group, FACTS, MEMBER, now=NOON, zone=HONG_KONG).is_match
    assert sentence(group, MEMBER) == "Visits = 3 times"
