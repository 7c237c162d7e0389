"""Histories that try to make the books lie."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit.money import Money
from loyalty.services.books import verify_books
from loyalty.services.rules import publish_rule
from loyalty.services.settle import settle_members
from payments.models import Transaction
from payments.providers.base import Clue, Kind, Notice, NoticeLine
from payments.services.booking import Booked
from payments.services.sales import book_sales
from tests import build

pytestmark = pytest.mark.django_db
NOW = build.NOON


def notice(ref: str, amount: str, *, of: str = "", wallet: str = "w", **changes: Any) -> Notice:
    """A payment, or what is taken back `of` one."""
    said = {"kind": Kind.REFUND if of else Kind.PAYMENT, "occurred_at": NOW, **changes}
    return Notice(
        payment_ref=of or ref,
        effect_ref=ref,
        amount=Money.parse(amount, said.pop("currency", "HKD")),
        clues=() if of else (Clue("wallet", wallet),),
        **said,
    )


def book(*notices: Notice, now: datetime = NOW) -> Booked:
    return book_sales(notices, account=build.account(), source="api", now=now)


def settle(now: datetime = NOW) -> None:
    while settle_members(now=now + timedelta(seconds=1), limit=500):
        pass


def differences() -> list[Any]:
    return [
        (str(found.check.name), found.differences)
        for found in verify_books()
        if not found.is_clean
    ]


def test_a_refund_total_and_a_chargeback_of_the_rest_leave_nothing() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")

    book(notice("p", "100"))
    book(notice("p:30", "30", of="p", is_total=True))
    book(notice("dp", "70", of="p", kind=Kind.CHARGEBACK))
    settle()

    assert build.balance_of(mei) == 0
    assert differences() == []


def test_a_cap_that_came_after_a_payment_is_not_widened_by_its_refund() -> None:
    rule = build.earning_rule()
    mei = build.member(wallet="w")
    book(notice("p", "100"))
    settle()
    rule.cap_per_day = 50
    rule.save()
    publish_rule(rule, now=NOW + timedelta(minutes=1))

    later = NOW + timedelta(minutes=5)
    book(notice("r", "100", of="p"), now=later)
    settle(later)
    book(notice("q", "200", occurred_at=later), now=later)
    settle(later)

    assert build.balance_of(mei) == 50


def test_a_refund_takes_what_its_part_earned_though_the_category_moved() -> None:
    drinks = build.category("drinks")
    tea = build.category("tea", parent=drinks)
    build.product("TEA-1", tea)
    build.earning_rule()
    build.earning_rule(kind="category", category=drinks, name="Drinks")
    mei = build.member(wallet="w")
    line = NoticeLine(sku="TEA-1", quantity=Decimal(1), amount=Decimal(100))
    book(notice("p", "100", lines=(line,)))
    settle()
    assert build.balance_of(mei) == 200
    tea.parent = None
    tea.save()

    book(notice("r", "10", of="p"))
    settle()

    assert build.balance_of(mei) == 180


@pytest.mark.parametrize("number", [1, 2, 25])
def test_refunds_in_another_currency_hold_up_nobody_else(number: int) -> None:
    build.earning_rule()
    for n in range(number):
        build.member(wallet=f"w{n}")
        book(notice(f"p{n}", "100", wallet=f"w{n}"))
    settle()
    for n in range(number):
        book(notice(f"r{n}", "10", of=f"p{n}", currency="USD"))
    kit = build.member(wallet="kit")
    book(notice("q", "50", wallet="kit"))

    for _ in range(8):
        settle_members(now=NOW + timedelta(seconds=1), limit=500)

    assert build.balance_of(kit) == 50
    assert Transaction.objects.filter(waiting_for="repair").count() == number


@pytest.mark.parametrize("number", [1, 2, 25])
def test_absurd_amounts_hold_up_nobody_else(number: int) -> None:
    build.earning_rule()
    for n in range(number):
        build.member(wallet=f"w{n}")
        book(notice(f"p{n}", "99999999999999", wallet=f"w{n}"))
    kit = build.member(wallet="kit")
    book(notice("q", "50", wallet="kit"))

    for _ in range(8):
        settle_members(now=NOW + timedelta(seconds=1), limit=500)

    assert build.balance_of(kit) == 50
    assert Transaction.objects.filter(waiting_for="repair").count() == number
