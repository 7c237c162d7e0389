"""Effects are settled in the order in which they were told first, whoever reads them first."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction

from kit.money import Money
from payments.models import Transaction
from payments.providers.base import Kind, Notice
from payments.services.booking import Entry, book
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db


def tell(ref: str, *, of: str = "", after: int) -> None:
    """A post received `after` seconds is read now."""
    kind = Kind.REFUND if of else Kind.PAYMENT
    notice = Notice(kind, of or ref, ref, Money.parse("10", "HKD"), NOON, member_code=CODE)
    at = NOON + timedelta(seconds=after)
    account = build.account()
    with transaction.atomic():
        book([Entry(notice=notice, account_id=account.pk, source="callback", received_at=at)])


CODE = "M00000001"


def turns() -> list[str]:
    rows = Transaction.objects.exclude(due_at=None).order_by("due_at")
    return list(rows.values_list("effect_ref", flat=True))


def due(ref: str) -> datetime | None:
    return Transaction.objects.get(effect_ref=ref).due_at


@pytest.fixture(autouse=True)
def _somebody() -> None:
    build.member(code=CODE)


def test_a_payment_told_twice_has_its_turn_by_the_first_post() -> None:
    tell("p1", after=30)
    tell("p2", after=20)
    assert turns() == ["p2", "p1"]

    tell("p1", after=10)
    tell("p1", after=40)

    assert turns() == ["p1", "p2"]
    assert due("p1") == NOON + timedelta(seconds=10)


def test_its_refunds_come_along_behind_it() -> None:
    tell("r1", of="p1", after=5)
    tell("r2", of="p1", after=15)
    tell("p1", after=30)
    tell("p2", after=20)
    assert turns() == ["p2", "p1", "r1", "r2"]

    tell("p1", after=10)

    assert turns() == ["p1", "r1", "r2", "p2"]
    assert due("r1") == NOON + timedelta(seconds=10, microseconds=1)
    assert due("r2") == NOON + timedelta(seconds=15)


def test_a_refund_told_earlier_stays_behind_its_payment() -> None:
    tell("p1", after=10)
    tell("r1", of="p1", after=30)
    tell("p2", after=20)

    tell("r1", of="p1", after=5)

    assert turns() == ["p1", "r1", "p2"]


def test_what_is_settled_stays_settled() -> None:
    tell("p1", after=30)
    Transaction.objects.update(due_at=None)

    tell("p1", after=10)

    assert due("p1") is None
