"""A payment's own page says what became of the points that it earned."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client

from config import pipeline
from kit.money import Money
from loyalty.models import Lot
from loyalty.selectors import PaymentPoints, points_of_payment
from loyalty.services.expire import expire_lots
from payments.models import Transaction
from payments.providers.base import Kind
from payments.services.refunds import Wanted, refund_payment
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.build import NOON


def payment_of(world: World) -> Transaction:
    return Transaction.objects.get(member=world.near.member, amount=600, kind="payment")


def enter(world: World, amount: str, ref: str, **also: Any) -> None:
    wanted = Wanted(Money(Decimal(amount), "HKD"), ref=ref, reason="Came back", **also)
    refund_payment(payment_of(world), wanted, by=world.manager, now=NOON)
    pipeline.run(now=NOON)


def page_of(world: World, client: Client) -> str:
    page = client.get(url_of(Transaction, "change", payment_of(world).pk))
    return " ".join(page.content.decode().split())


def test_a_payment_that_stands_says_only_what_it_earned(world: World, as_manager: Client) -> None:
    text = page_of(world, as_manager)

    assert "600 points </p>" in text
    assert "points are left" not in text
    assert points_of_payment(payment_of(world)) is None


def test_after_refunds_it_says_what_is_left(world: World, as_manager: Client) -> None:
    enter(world, "80.00", "R-1")
    enter(world, "520.00", "R-2")

    text = page_of(world, as_manager)

    assert points_of_payment(payment_of(world)) == PaymentPoints(600, 600, 0, 0)
    assert "0 of 600 points are left" in text
    assert "<dt>Earned</dt><dd>+600</dd>" in text
    assert "<dt>Taken back</dt><dd>−600</dd>" in text
    assert "<dt>Left</dt><dd>0</dd>" in text


def test_what_came_back_of_a_dispute_is_given_back(world: World, as_manager: Client) -> None:
    enter(world, "600.00", "C-1", kind=Kind.CHARGEBACK)
    enter(world, "100.00", "W-1", kind=Kind.REVERSAL)

    text = page_of(world, as_manager)

    assert points_of_payment(payment_of(world)) == PaymentPoints(600, 600, 100, 0)
    assert "100 of 600 points are left" in text
    assert "<dt>Given back</dt><dd>+100</dd>" in text


def test_points_that_had_lapsed_are_told_apart(world: World, as_manager: Client) -> None:
    lot = Lot.objects.get(award__transaction=payment_of(world))
    later = (lot.expires_at or NOON) + timedelta(days=1)
    expire_lots(now=later)
    wanted = Wanted(Money(Decimal(600), "HKD"), ref="R-1", reason="Came back")
    refund_payment(payment_of(world), wanted, by=world.manager, now=later)
    pipeline.run(now=later)

    text = page_of(world, as_manager)

    points = points_of_payment(payment_of(world))
    assert points is not None
    assert (points.earned, points.left, points.taken_back + points.lapsed) == (600, 0, 600)
    assert points.lapsed > 0
    assert f"Lapsed before they could be taken back</dt><dd>−{points.lapsed}</dd>" in text
