"""What trees and their verdicts say in words."""

import json
from typing import Any

import pytest
from django.utils import translation

from kit.conditions import Leaf, explain, matches, sentence
from tests.kit.trees import FACTS, HK500, HONG_KONG, NOON, PAYMENT, all_of, any_of, none_of, rule


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
