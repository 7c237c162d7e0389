"""Whose an order is: signs are equals, and what is booked to one member is never taken again."""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from config.people import merge
from kit.money import Money
from members.models import Member
from members.services.identities import add_identity
from payments.models import Order, Transaction
from payments.providers.base import Clue, Kind, Notice
from payments.services.booking import Entry, book
from payments.services.linking import match_all_waiting
from payments.services.orders import NewOrder, take_order
from tests import build
from tests.build import NOON

PHONE, EMAIL = Clue("phone", "+85255550142"), Clue("email", "buyer@example.com")


def order(**given: Any) -> Order:
    money = Money(Decimal("100.00"), "HKD")
    asked = NewOrder(order_ref="A-1", store=None, money=money, ordered_at=NOON, **given)
    return take_order(asked, api_key=None, now=NOON).order


def pay(kind: Kind = Kind.PAYMENT, ref: str = "pay", amount: str = "100.00") -> Transaction:
    notice = Notice(
        kind=kind,
        payment_ref="pay",
        effect_ref=ref,
        amount=Money(Decimal(amount), "HKD"),
        occurred_at=NOON,
        order_ref="A-1",
    )
    account = build.account().pk
    (row,) = book([Entry(notice, account_id=account, source="api", received_at=NOON)]).fresh
    return row


def owners() -> list[tuple[Member | None, str]]:
    rows = Transaction.objects.order_by("effect_ref")
    return [(row.member, row.waiting_for) for row in rows]


@pytest.mark.django_db
@pytest.mark.parametrize("pays_first", [True, False])
def test_an_order_with_signs_of_two_people_is_nobodys_until_they_are_one(pays_first: bool) -> None:
    mei = build.member(phone=PHONE.value)
    bo = build.member(email=EMAIL.value)
    if pays_first:
        pay()
    order(clues=(PHONE, EMAIL))
    if not pays_first:
        pay()

    assert match_all_waiting() == 0
    assert Order.objects.get().member is None
    assert owners() == [(None, "member")]

    merge(bo, mei, reason="one", actor=User.objects.create(username="kim"), now=NOON)

    assert Order.objects.get().member == mei
    assert owners() == [(mei, "")]


@pytest.mark.django_db
def test_signs_that_become_known_as_two_peoples_give_the_order_to_neither() -> None:
    order(clues=(PHONE, EMAIL))
    pay()
    add_identity(build.member(), kind="phone", value=PHONE.value, now=NOON)
    add_identity(build.member(), kind="email", value=EMAIL.value, now=NOON)

    assert match_all_waiting() == 0

    assert Order.objects.get().member is None
    assert owners() == [(None, "member")]


@pytest.mark.django_db
def test_a_member_who_is_named_outweighs_the_signs() -> None:
    build.member(phone=PHONE.value)
    bo = build.member(email=EMAIL.value)

    placed = order(clues=(PHONE, EMAIL), member_code=bo.code)

    assert placed.member == bo


@pytest.mark.django_db(transaction=True)
def test_a_refund_that_is_booked_in_that_moment_follows_its_payment() -> None:
    mei = build.member()
    order()
    with transaction.atomic():
        pay()
    booked, may_commit = threading.Event(), threading.Event()

    def refund() -> None:
        with transaction.atomic():
            pay(Kind.REFUND, "refund", "40.00")
            booked.set()
            assert may_commit.wait(20)
        connections.close_all()

    def name() -> None:
        order(member_code=mei.code)
        connections.close_all()

    refunding, naming = threading.Thread(target=refund), threading.Thread(target=name)
    refunding.start()
    assert booked.wait(20)
    naming.start()
    wait_until_one_waits()
    may_commit.set()
    refunding.join()
    naming.join()

    assert owners() == [(mei, ""), (mei, "")]


def wait_until_one_waits() -> None:
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute(
                "SELECT count(*), pg_sleep(0.05) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
    pytest.fail("Nobody waits: the two do not meet.")
