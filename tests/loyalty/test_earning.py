"""What a payment earns, by table and by property."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.earning import Basket, Block, Candidate, Terms, earn

PER_TEN = {"HKD": Block(Decimal(10), 1)}


def rule(number: int = 1, **changes: Any) -> Terms:
    given_terms = {
        "version": f"v{number}",
        "rule": number,
        "kind": "base",
        "priority": 100,
        "blocks": PER_TEN,
        "category": "",
        "fixed_points": 0,
        "cap_per_day": None,
        **changes,
    }
    return Terms(**given_terms)


def basket(amount: str = "95", **changes: Any) -> Basket:
    return Basket(
        **{
            "amount": Decimal(amount),
            "currency": "HKD",
            "reporting_rate": Decimal(1),
            "reporting_currency": "HKD",
            **changes,
        }
    )


def points(bought: Basket, *terms: Terms) -> int:
    return earn(bought, [Candidate(each) for each in terms]).points


@pytest.mark.parametrize(
    ("amount", "per", "each", "earned"),
    [
        ("95", "10", 1, 9),
        ("89", "10", 1, 8),
        ("9.99", "10", 1, 0),
        ("10.00", "10", 1, 1),
        ("3.00", "2.50", 5, 5),  # A block rate is a pair, never a fraction.
        ("0.30", "0.10", 1, 3),  # Exact where a float would give 2.
        ("1280", "40", 1, 32),
        ("0", "10", 1, 0),
    ],
)
def test_full_blocks_earn(amount: str, per: str, each: int, earned: int) -> None:
    assert points(basket(amount), rule(blocks={"HKD": Block(Decimal(per), each)})) == earned


def test_a_zero_decimal_amount_earns_by_its_own_block() -> None:
    taiwan = basket("1280", currency="TWD", reporting_rate=Decimal("0.24"))

    assert points(taiwan, rule(blocks={"TWD": Block(Decimal(40), 1)})) == 32


def test_a_currency_without_a_block_earns_through_the_rate_of_its_day() -> None:
    abroad = basket("10", currency="GBP", reporting_rate=Decimal("9.9"))

    assert points(abroad, rule()) == 9


def test_without_any_block_that_fits_nothing_is_earned_and_the_reason_is_kept() -> None:
    earning = earn(basket("100", currency="GBP"), [Candidate(rule(blocks={}))])

    assert earning.points == 0
    assert earning.why == ({"outcome": "refused", "rule": "v1", "reason": "no_rate_for_currency"},)


def test_of_several_base_rules_the_lowest_priority_number_counts() -> None:
    double = rule(2, priority=1, blocks={"HKD": Block(Decimal(10), 2)})

    earning = earn(basket(), [Candidate(rule(1)), Candidate(double)])

    assert earning.points == 18
    assert earning.why[1] == {
        "outcome": "refused",
        "rule": "v1",
        "reason": "another_rule_came_first",
    }


def test_a_category_rule_adds_for_its_lines_and_the_tier_multiplies_both_once() -> None:
    bought = basket("95", categories={"tea": Decimal(45)}, multiplier=Decimal("1.5"))
    tea = rule(2, kind="category", category="tea")

    assert points(bought, rule(), tea) == 19  # (9 + 4) × 1.5 = 19.5, rounded down once.


def test_a_bonus_is_not_multiplied() -> None:
    assert (
        points(basket(multiplier=Decimal(2)), rule(), rule(2, kind="bonus", fixed_points=5)) == 23
    )


def test_a_cap_cuts_and_says_how_much_was_wanted() -> None:
    earning = earn(basket(), [Candidate(rule(cap_per_day=6), cap_left=6)])

    assert earning.points == 6
    assert earning.why[0]["wanted"] == 9


def test_a_refused_rule_gives_nothing_and_keeps_its_reason() -> None:
    earning = earn(basket(), [Candidate(rule(), refusal={"reason": "condition", "failed": []})])

    assert (earning.points, earning.why[0]["reason"]) == (0, "condition")


cents = st.integers(1, 10**7).map(lambda minor: Decimal(minor) / 100)


@given(
    amount=cents,
    per=cents,
    multiplier=st.sampled_from(["1", "1.25", "1.5", "2", "3.33"]),
    cuts=st.lists(st.floats(0, 1), max_size=5),
)
def test_parts_that_are_taken_back_add_up_to_the_whole(
    amount: Decimal, per: Decimal, multiplier: str, cuts: list[float]
) -> None:
    terms = rule(blocks={"HKD": Block(per, 3)})
    left, taken, earned = amount, 0, None
    for cut in [*cuts, 1.0]:
        whole = points(basket(str(left), multiplier=Decimal(multiplier)), terms)
        earned = whole if earned is None else earned
        left -= (left * Decimal(cut)).quantize(Decimal("0.01"))
        kept = points(basket(str(left), multiplier=Decimal(multiplier)), terms)
        assert 0 <= kept <= whole
        taken += whole - kept

    assert (left, taken) == (Decimal(0), earned)
