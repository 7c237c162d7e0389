"""Staff say in the refund dialog which goods came back, and how many of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from config import pipeline
from kit.money import Money
from loyalty.models import Award
from loyalty.services.books import verify_books
from members.keys import make_key
from members.models import ApiKey
from payments.admin.refunds import RefundDialog
from payments.models import HandEntry, Line, Transaction
from payments.providers.base import NoticeLine
from payments.rules.returning import Goods, came_back, worth
from payments.selectors import left_of
from payments.services.refunds import TooMany, Wanted, refund_payment
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import act, said
from tests.build import NOON

BASKET = [
    {"sku": "TEA-1", "name": "Oolong", "category": "tea", "quantity": 3, "amount": "100.00"},
    {"sku": "CUP", "name": "Cup", "quantity": 1, "amount": "80.00"},
    {"sku": "HERB", "name": "Herbs", "category": "tea", "quantity": "0.250", "amount": "57.50"},
]
GIVEN = {"kind": "refund", "amount": "", "ref": "HAND-1", "reason": "Broken"}


@pytest.fixture
def bought(world: World) -> Callable[[str], Transaction]:
    """Buys the basket; tea earns two more points a dollar, and the tier half as much again."""
    tea = build.category("tea")
    build.earning_rule(kind="category", category=tea, name="Tea", rates={"HKD": ("1", 2)})

    def buy(ref: str = "b1", **also: Any) -> Transaction:
        told = build.payment(
            "237.50", ref=ref, member=world.near.member.code, lines=BASKET, **also
        )
        build.send(told, to=world.near.account)
        pipeline.run(now=NOON)
        return Transaction.objects.get(payment_ref=ref, kind="payment")

    return buy


def came_back_of(payment: Transaction) -> list[tuple[str, Decimal, Decimal]]:
    lines = Line.objects.filter(transaction__original=payment).order_by("transaction", "position")
    return list(lines.values_list("product__sku", "quantity", "amount"))


def points_of(payment: Transaction) -> list[int]:
    rows = Award.objects.filter(transaction__original=payment).order_by("booked_at", "pk")
    return list(rows.values_list("points", flat=True))


@pytest.mark.parametrize(
    ("picked", "amount", "lines", "points"),
    [
        ({"lines-1": "1"}, "33.33", {"TEA-1": "33.33"}, -148),
        ({"lines-1": "2", "lines-3": "0.1"}, "89.67", {"TEA-1": "66.67", "HERB": "23.00"}, -405),
        ({"lines-2": "1"}, "80", {"CUP": "80.00"}, -120),
        ({"lines-2": "1", "amount": "60"}, "60", {"CUP": "60.00"}, -90),
        ({"lines-1": "3", "amount": "90"}, "90", {"TEA-1": "90.00"}, -405),
        ({"lines-2": "1", "amount": "100"}, "100", {"CUP": "80.00"}, -210),
        ({"amount": "80"}, "80", {}, -279),
    ],
)
def test_points_go_back_as_for_the_same_refund_by_the_api(
    *,
    bought: Callable[[str], Transaction],
    as_manager: Client,
    picked: dict[str, str],
    amount: str,
    lines: dict[str, str],
    points: int,
) -> None:
    by_hand, by_api = bought("b1"), bought("b2")
    _key, plain = make_key("Shop", scopes=[ApiKey.Scope.REFUNDS_WRITE])
    quantities = {"TEA-1": picked.get("lines-1"), "HERB": picked.get("lines-3"), "CUP": "1"}
    sent = [
        {"sku": sku, "quantity": quantities[sku], "amount": part} for sku, part in lines.items()
    ]

    page = act(as_manager, Transaction, by_hand, "refund_one", **{**GIVEN, **picked})
    answer = as_manager.post(
        f"/api/v1/transactions/{by_api.pk}/refunds",
        {"refund_ref": "API-1", "amount": amount, "lines": sent},
        "application/json",
        headers={"Authorization": f"Bearer {plain}", "Idempotency-Key": "1"},
    )
    pipeline.run(now=NOON)

    assert "was entered. Points follow" in said(page)
    assert answer.status_code == 201, answer.content
    assert came_back_of(by_hand) == came_back_of(by_api)
    assert left_of(by_hand) == left_of(by_api) == Money(Decimal("237.50") - Decimal(amount), "HKD")
    assert points_of(by_hand) == points_of(by_api) == [points]
    assert [finding for finding in verify_books() if not finding.is_clean] == []


def test_the_dialog_shows_what_was_bought_and_what_came_back(
    bought: Callable[[str], Transaction], as_manager: Client
) -> None:
    payment = bought("b1")
    act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "lines-1": "2"})

    text = RefundDialog(object_id=str(payment.pk), request=None)["lines"].as_widget()

    assert "Oolong" in text
    assert "3 for HK$100.00, 2 came back" in text
    assert 'max="1"' in text
    assert "0.25 for HK$57.50<" in text


def test_a_payment_without_lines_asks_as_before(world: World, as_manager: Client) -> None:
    payment = Transaction.objects.get(member=world.near.member, amount=600, kind="payment")

    form = RefundDialog(object_id=str(payment.pk), request=None)
    page = act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "lines-1": "1"})

    assert "lines" not in form.fields
    assert page.context["form"].errors == {"amount": ["This field is required."]}
    assert HandEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("before", "picked", "words"),
    [
        ({}, {"lines-1": "4"}, "Only 3 of Oolong can still come back. Enter that many or fewer."),
        (
            {"lines-1": "2"},
            {"lines-1": "1.5"},
            "Only 1 of Oolong can still come back. Enter that many or fewer.",
        ),
        ({"lines-2": "1"}, {"lines-2": "1"}, "All of Cup came back already. Leave it empty."),
        ({}, {"lines-3": "-1"}, "Herbs: Ensure this value is greater than or equal to 0."),
        ({}, {"lines-3": "some"}, "Herbs: Enter a number."),
        (
            {},
            {"lines-3": "0.0001"},
            "Herbs: Ensure that there are no more than 3 decimal places.",
        ),
    ],
)
def test_more_than_was_bought_does_not_come_back(
    *,
    bought: Callable[[str], Transaction],
    as_manager: Client,
    before: dict[str, str],
    picked: dict[str, str],
    words: str,
) -> None:
    payment = bought("b1")
    if before:
        act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, **before})
    known = HandEntry.objects.count()

    again = {**GIVEN, "ref": "HAND-2", "amount": "10", **picked}
    page = act(as_manager, Transaction, payment, "refund_one", **again)

    assert page.context["form"].errors == {"lines": [words]}
    assert HandEntry.objects.count() == known


def test_what_a_platform_or_another_payment_of_the_order_took_back_is_heeded(
    bought: Callable[..., Transaction], world: World, as_manager: Client
) -> None:
    payment = bought("b1", order_ref="WEB-1")
    cash = build.payment("50.00", ref="cash", order_ref="WEB-1", member=world.near.member.code)
    back = [{"sku": "TEA-1", "quantity": 1, "amount": "30.00"}]
    for told in (cash, build.refund("b1", "30.00", lines=back)):
        build.send(told, to=world.near.account)
    build.send(build.refund("cash", "30.00", lines=back), to=world.near.account)
    pipeline.run(now=NOON)

    page = act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "lines-1": "2"})

    words = "Only 1 of Oolong can still come back. Enter that many or fewer."
    assert page.context["form"].errors == {"lines": [words]}
    assert HandEntry.objects.count() == 0


def test_two_who_enter_the_same_goods_at_once_enter_them_once(
    bought: Callable[[str], Transaction], world: World
) -> None:
    payment, cup = bought("b1"), NoticeLine("CUP", Decimal(1), Decimal("20.00"))

    def enter(ref: str) -> None:
        wanted = Wanted(Money(Decimal("20.00"), "HKD"), ref=ref, reason="", lines=(cup,))
        refund_payment(payment, wanted, by=world.manager, now=NOON)

    enter("R-1")
    with pytest.raises(TooMany, match="All of Cup came back already"):
        enter("R-2")

    assert came_back_of(payment) == [("CUP", Decimal(1), Decimal(20))]


def test_the_button_pressed_twice_brings_them_back_once(
    bought: Callable[[str], Transaction], as_manager: Client
) -> None:
    payment, given = bought("b1"), {**GIVEN, "amount": "80", "lines-2": "1"}

    for words in ("HK$80.00 was entered.", "HAND-1 had been entered already."):
        assert words in said(act(as_manager, Transaction, payment, "refund_one", **given))

    assert came_back_of(payment) == [("CUP", Decimal(1), Decimal(80))]


def test_each_line_gives_back_its_own_where_two_are_of_one_product(
    world: World, as_manager: Client
) -> None:
    two = [{"sku": "CUP", "amount": "80.00"}, {"sku": "CUP", "amount": "0.00"}]
    build.send(build.payment("80.00", ref="b1", lines=two), to=world.near.account)
    pipeline.run(now=NOON)
    payment = Transaction.objects.get(payment_ref="b1")

    wrong = act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "lines-1": "2"})
    both, one = {**GIVEN, "lines-1": "1", "lines-2": "1"}, Decimal(1)
    right = act(as_manager, Transaction, payment, "refund_one", **both)

    words = "Only 1 of CUP can still come back. Enter that many or fewer."
    assert wrong.context["form"].errors == {"lines": [words]}
    assert "HK$80.00 was entered" in said(right)
    assert came_back_of(payment) == [("CUP", one, Decimal(80)), ("CUP", one, Decimal(0))]


def test_goods_are_left_out_of_a_chargeback(
    bought: Callable[[str], Transaction], as_manager: Client
) -> None:
    payment = bought("b1")

    given = {**GIVEN, "kind": "chargeback", "amount": "80", "lines-2": "1"}
    page = act(as_manager, Transaction, payment, "refund_one", **given)

    assert "HK$80.00 was entered" in said(page)
    assert came_back_of(payment) == []


def test_what_is_proposed_is_never_more_than_is_left(
    bought: Callable[[str], Transaction], as_manager: Client
) -> None:
    payment = bought("b1")
    act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "amount": "200"})

    page = act(
        as_manager, Transaction, payment, "refund_one", **{**GIVEN, "ref": "2", "lines-2": "1"}
    )

    assert "HK$37.50 was entered" in said(page)
    assert came_back_of(payment) == [("CUP", Decimal(1), Decimal("37.50"))]


def test_the_parts_of_a_line_add_up_to_it() -> None:
    line = Goods(1, Decimal(3), Decimal("100.00"))

    parts = [worth(line, back=Decimal(back), quantity=Decimal(1), places=2) for back in range(3)]

    assert parts == [Decimal("33.33"), Decimal("33.34"), Decimal("33.33")]


def test_goods_come_back_from_the_line_with_the_nearest_price() -> None:
    gift, sold = Goods(1, Decimal(2), Decimal(0)), Goods(1, Decimal(2), Decimal(160))
    returned = [Goods(1, Decimal(1), Decimal(75)), Goods(2, Decimal(1), Decimal(80))]

    assert came_back([gift, sold], returned) == [Decimal(0), Decimal(1)]
    assert came_back([gift, sold], [Goods(1, Decimal(9), Decimal(720))]) == [2, 2]


def undo(client: Client, payment: Transaction, amount: str) -> None:
    given = {**GIVEN, "kind": "reversal", "amount": amount, "ref": "UNDONE-1"}
    assert "was entered" in said(act(client, Transaction, payment, "refund_one", **given))
    pipeline.run(now=NOON)


@pytest.mark.parametrize("picked", [{"lines-1": "1"}, {"lines-2": "1"}, {"amount": "80"}])
def test_what_is_undone_gives_back_the_points_that_it_took(
    bought: Callable[[str], Transaction], as_manager: Client, picked: dict[str, str]
) -> None:
    payment = bought("b1")
    act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, **picked})
    pipeline.run(now=NOON)
    taken = payment.money.amount - left_of(payment).amount

    undo(as_manager, payment, str(taken))

    refunded, reversed_ = points_of(payment)
    assert refunded < 0
    assert reversed_ == -refunded


def test_goods_of_a_refund_that_was_undone_may_come_back(
    bought: Callable[[str], Transaction], as_manager: Client
) -> None:
    payment = bought("b1")
    act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "lines-2": "1"})
    undo(as_manager, payment, "80")

    given = {**GIVEN, "lines-2": "1", "ref": "HAND-2"}
    page = act(as_manager, Transaction, payment, "refund_one", **given)

    assert "was entered. Points follow" in said(page)
    assert left_of(payment) == Money(Decimal("157.50"), "HKD")


@pytest.mark.parametrize("is_told_first", [False, True])
def test_goods_stay_known_when_the_platform_tells_the_same_refund(
    *, bought: Callable[[str], Transaction], world: World, is_told_first: bool
) -> None:
    payment = bought("b1")
    key, _plain = make_key("Shop", scopes=[ApiKey.Scope.REFUNDS_WRITE])
    cup = NoticeLine("CUP", Decimal(1), Decimal(80))
    wanted = Wanted(Money(Decimal(80), "HKD"), ref="API-1", reason="", lines=(cup,))

    def tell() -> None:
        build.send(build.refund("b1", "80.00"), to=world.near.account)
        pipeline.run(now=NOON)

    if is_told_first:
        tell()
    refund_payment(payment, wanted, by=key, now=NOON)
    pipeline.run(now=NOON)
    if not is_told_first:
        tell()

    assert left_of(payment) == Money(Decimal("157.50"), "HKD")
    assert sum(points_of(payment)) == -120
    assert [finding for finding in verify_books() if not finding.is_clean] == []
