"""Which trees are taken, in which form they are kept, and how others are refused."""

import json
from typing import Any

import pytest

from kit.conditions import (
    BadTreeError,
    ConditionError,
    NotQueryableError,
    TooDeepError,
    TooLargeError,
    UnknownFieldError,
    UnknownOperatorError,
    WrongValueError,
    matches,
    parse,
    sentence,
    to_q,
    validate,
)
from tests.kit.trees import (
    FACTS,
    HK500,
    HONG_KONG,
    MEMBER,
    NOON,
    PAYMENT,
    all_of,
    any_of,
    holds,
    rule,
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
