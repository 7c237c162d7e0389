"""What trees mean in memory. That the database agrees is proved next door."""

import datetime as dt
from typing import Any

import pytest

from kit.conditions import ALWAYS, matches, sentence, validate
from tests.kit.trees import HK500, HONG_KONG, MEMBER, NOON, PAYMENT, all_of, holds, none_of, rule


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
