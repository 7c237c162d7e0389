"""What is left of a payment, by a table."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.rules.remaining import is_refunded_in_full, undone_refunds, what_remains
from payments.rules.visitors import is_visitor


@dataclass(frozen=True)
class Row:
    pk: int
    kind: str
    amount: Decimal
    is_total: bool = False
    is_outside: bool = False
    confirms_id: Any = None


def row(words: str, number: int) -> Row:
    """`refund 30`, `total 30` (all refunds so far), `outside 30`, `refund 30 again 0`."""
    kind, amount, *more = words.split()
    return Row(
        pk=number,
        kind="refund" if kind in {"total", "outside"} else kind,
        amount=Decimal(amount),
        is_total=kind == "total",
        is_outside=kind == "outside",
        confirms_id=int(more[1]) if more else None,
    )


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([], 95),
        (["refund 6"], 89),
        (["refund 6", "refund 6"], 83),
        (["total 6", "refund 6"], 89),  # Both say the same refund.
        (["total 6", "total 30"], 65),  # Totals so far do not add up.
        (["refund 6", "refund 89"], 0),
        (["refund 200"], 0),
        (["refund 95", "reversal 95"], 95),  # The refund failed.
        (["chargeback 95", "reversal 95"], 95),  # The dispute was won …
        (["chargeback 95", "reversal 95", "chargeback 95"], 0),  # … and opened once more.
        (["refund 30", "chargeback 95"], 0),
        (["refund 30", "chargeback 95", "reversal 95"], 65),
        (["refund 30", "chargeback 65", "reversal 65"], 65),
        (["total 40", "chargeback 55"], 0),
        (["total 70", "outside 20"], 5),  # In cash: the platform's total does not know of it.
        (["refund 30", "refund 30 again 0"], 65),  # Entered by hand, then told by the platform.
        (["refund 30", "refund 31 again 0"], 64),  # The platform knows better.
        (["refund 30", "refund 30 again 0", "total 30"], 65),
        (["outside 30", "refund 30"], 35),
        (["reversal 5"], 95),
    ],
)
def test_what_is_left_does_not_depend_on_the_order(told: list[str], left: int) -> None:
    rows = [row(words, number) for number, words in enumerate(told)]

    found = {what_remains(Decimal(95), order) for order in permutations(rows)}

    assert found == {Decimal(left)}


@pytest.mark.parametrize(
    ("told", "is_full"),
    [
        ([], False),
        (["refund 94"], False),
        (["refund 6", "refund 89"], True),
        (["total 95"], True),
        (["refund 40", "outside 55"], True),
        (["refund 95", "refund 94 again 0"], False),
        (["chargeback 95"], False),
        (["refund 65", "chargeback 30"], False),
        (["refund 95", "chargeback 95"], True),
        (["refund 95", "reversal 1"], False),  # The refund failed in part.
        (["chargeback 95", "reversal 95", "refund 95"], True),  # The dispute was won before.
        (["chargeback 30", "reversal 31", "refund 95"], False),
    ],
)
def test_a_refund_in_full_is_told_from_what_a_dispute_took(told: list[str], is_full: bool) -> None:
    rows = [row(words, number) for number, words in enumerate(told)]

    found = {is_refunded_in_full(Decimal(95), order) for order in permutations(rows)}

    assert found == {is_full}


CORRECTIONS = st.lists(
    st.tuples(
        st.sampled_from(["refund", "total", "outside", "chargeback", "reversal"]),
        st.integers(1, 95),
    ),
    max_size=6,
)


@given(CORRECTIONS)
def test_of_a_refund_in_full_nothing_is_left_and_without_disputes_the_other_way_round(
    told: list[tuple[str, int]],
) -> None:
    rows = [row(f"{kind} {amount}", number) for number, (kind, amount) in enumerate(told)]

    is_full = is_refunded_in_full(Decimal(95), rows)

    is_nothing_left = what_remains(Decimal(95), rows) == 0
    if any(kind == "chargeback" for kind, _amount in told):
        assert is_nothing_left or not is_full
    else:
        assert is_full == is_nothing_left


@pytest.mark.parametrize(
    ("home", "payer", "store", "wanted"),
    [
        ("HK", "", "HK", False),
        ("HK", "", "TW", True),
        ("HK", "CN", "HK", False),  # A mainland wallet in the hand of a local member.
        ("", "CN", "HK", True),
        ("", "HK", "HK", False),
        ("", "", "HK", None),
        ("HK", "CN", "", None),
    ],
)
def test_a_visitor_pays_in_another_country_than_their_own(
    home: str, payer: str, store: str, wanted: bool | None
) -> None:
    assert is_visitor(home_country=home, payer_country=payer, store_country=store) is wanted


@pytest.mark.parametrize(
    ("told", "undone"),
    [
        (["refund 30"], []),
        (["refund 30", "reversal 30"], [0]),
        (["refund 30", "reversal 20"], []),
        (["refund 30", "refund 40", "reversal 40"], [1]),
        (["refund 30", "refund 40", "reversal 70"], [1, 0]),
        (["refund 30", "chargeback 65", "reversal 65"], []),  # The dispute was won.
        (["refund 30", "refund 30 again 0", "reversal 30"], [1]),
    ],
)
def test_reversals_undo_the_latest_refunds_first(told: list[str], undone: list[int]) -> None:
    rows = [row(words, number) for number, words in enumerate(told)]

    assert [found.pk for found in undone_refunds(rows)] == undone
