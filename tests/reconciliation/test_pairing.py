"""Which row is which effect, where references alone do not say it."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from payments.services.reconcile.pairing import Comparison, Ours, compare_rows
from tests.build import NOON


def row(number: int, amount: str, **changes: Any) -> Any:
    given = {
        "kind": "refund", "payment_ref": "p", "effect_ref": "", "order_ref": "",
        "currency": "TWD", "fee": None, "settled_currency": "", **changes,
    }  # fmt: skip
    at = NOON + timedelta(minutes=number)
    return SimpleNamespace(number=number, amount=Decimal(amount), occurred_at=at, **given)


def mine(effect_ref: str, amount: str, **changes: Any) -> Ours:
    given: dict[str, Any] = {
        "kind": "refund", "payment_ref": "p", "order_ref": "", "currency": "TWD",
        "is_total": False, "fee": None, "settled_currency": None, **changes,
    }  # fmt: skip
    return Ours(
        id=uuid4(), effect_ref=effect_ref, amount=Decimal(amount), occurred_at=NOON, **given
    )


def told(found: Comparison) -> dict[int, tuple[str, UUID | None]]:
    return {
        row.number: (verdict, effect.of.id if effect else None)
        for row, verdict, effect in found.pairs
    }


def test_refunds_without_references_go_by_their_amounts() -> None:
    small, large = mine("by-hand-1", "20"), mine("by-hand-2", "300")

    found = compare_rows([row(1, "300"), row(2, "20")], [small, large])

    assert told(found) == {1: ("matched", large.id), 2: ("matched", small.id)}
    assert found.unmatched == []


def test_totals_are_compared_by_what_they_grew_by() -> None:
    first = mine("a:20", "20", is_total=True)
    second = mine("b:50", "50", is_total=True)

    found = compare_rows(
        [row(1, "20", effect_ref="a"), row(2, "30", effect_ref="b")], [second, first]
    )

    assert told(found) == {1: ("matched", first.id), 2: ("matched", second.id)}


def test_a_refund_told_alone_and_in_a_total_is_one() -> None:
    single, total = mine("re_1", "20"), mine("ch:20", "20", is_total=True)

    found = compare_rows([row(1, "20", effect_ref="re_1")], [total, single])

    assert told(found) == {1: ("matched", single.id)}
    assert found.unmatched == []


def test_a_payment_known_by_its_order_is_found_unless_the_order_has_two() -> None:
    one = mine("TRADE", "95", kind="payment", payment_ref="TRADE", order_ref="A1")
    other = mine("TRADE2", "95", kind="payment", payment_ref="TRADE2", order_ref="A1")
    asked = row(1, "95", kind="payment", payment_ref="unknown", order_ref="A1")

    alone, twice = compare_rows([asked], [one]), compare_rows([asked], [one, other])

    assert told(alone) == {1: ("matched", one.id)}
    assert told(twice) == {1: ("missing_here", None)}


def test_another_currency_is_said_before_another_amount() -> None:
    paid = mine("p", "95", kind="payment", currency="HKD")

    found = compare_rows([row(1, "96", kind="payment", effect_ref="p")], [paid])

    assert told(found) == {1: ("currency_differs", paid.id)}


def test_one_refund_too_many_is_missing_and_one_too_few_is_left_over() -> None:
    only = mine("r1", "20")

    more = compare_rows([row(1, "20"), row(2, "25")], [only])
    fewer = compare_rows([row(1, "20")], [only, mine("r2", "25")])

    assert told(more) == {1: ("matched", only.id), 2: ("missing_here", None)}
    assert [effect.amount for effect in fewer.unmatched] == [Decimal(25)]


def test_fees_in_another_currency_are_not_compared() -> None:
    paid = mine("p", "95", kind="payment", fee=Decimal(3), settled_currency="HKD")
    asked = row(1, "95", kind="payment", effect_ref="p", fee=Decimal(9), settled_currency="TWD")

    assert told(compare_rows([asked], [paid])) == {1: ("matched", paid.id)}
