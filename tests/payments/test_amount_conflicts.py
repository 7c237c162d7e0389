"""The same effect with another amount: the first counts, until staff decide."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from loyalty.models import Standing
from loyalty.services.books import verify_books
from loyalty.services.settle import settle_members
from members.models import Member
from payments.models import AmountConflict, Callback, Transaction
from payments.services.conflicts import CannotDecide, accept_second, keep_first
from payments.services.replay import replay_callbacks
from payments.services.translate import translate_callbacks
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _books_are_right() -> Iterator[None]:
    yield
    assert [finding for finding in verify_books() if not finding.is_clean] == []


@pytest.fixture
def mei() -> Member:
    build.earning_rule()
    return build.member(wallet="mei")


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff", is_staff=True)


def drain() -> None:
    now = timezone.now() + timedelta(seconds=1)
    while translate_callbacks(now=now, limit=100) + settle_members(now=now, limit=100):
        pass


def pay(amount: str) -> None:
    build.send(build.payment(amount, wallet="mei", ref="p1"))
    drain()


def take(amount: str, ref: str = "r1") -> None:
    build.send(build.refund("p1", amount, ref=ref))
    drain()


def dispute(kind: str, amount: str) -> None:
    data = {
        "payment_ref": "p1",
        "chargeback_ref": "c1",
        "amount": amount,
        "currency": "HKD",
        "occurred_at": NOON.isoformat(),
    }
    build.send({"type": f"chargeback.{kind}", "data": data})
    drain()


def decide(staff: User, answer: Any) -> None:
    conflict = AmountConflict.objects.filter(decided_at=None).latest("found_at")
    answer(conflict, reason="Asked the platform", by=staff, now=timezone.now())
    drain()


def test_the_first_amount_stands_and_staff_see_both(mei: Member) -> None:
    pay("100.00")
    pay("90.00")

    conflict = AmountConflict.objects.get()
    assert (conflict.kind, str(conflict.first.money), str(conflict.money)) == (
        "different",
        "HKD 100.0000",
        "HKD 90.0000",
    )
    assert conflict.callback is not None
    assert (conflict.callback.waiting_for, conflict.callback.outcome) == ("conflict", "conflict")
    assert build.balance_of(mei) == 100
    assert Transaction.objects.count() == 1


def test_keeping_the_first_changes_no_money_and_ends_the_question(
    mei: Member, staff: User
) -> None:
    pay("100.00")
    pay("90.00")

    decide(staff, keep_first)

    conflict = AmountConflict.objects.get()
    assert (conflict.decision, conflict.reason, conflict.decided_by) == (
        "kept",
        "Asked the platform",
        staff,
    )
    assert build.balance_of(mei) == 100
    assert Callback.objects.filter(due_at__isnull=False).count() == 0
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize(
    ("second", "booked"),
    [("90.00", (90, 1)), ("120.00", (120, 2)), ("99.50", (99, 1))],
)
def test_a_payment_is_corrected_by_a_refund_or_by_a_payment_beside_it(
    mei: Member, staff: User, second: str, booked: tuple[int, int]
) -> None:
    pay("100.00")
    pay(second)

    decide(staff, accept_second)

    payments = Transaction.objects.filter(kind="payment").count()
    assert (build.balance_of(mei), payments) == booked
    assert str(Standing.objects.get(pk=mei.pk).spend_12m) == f"{second}00"
    conflict = AmountConflict.objects.get()
    assert conflict.decision == "corrected"
    assert conflict.correction is not None
    assert Callback.objects.filter(due_at__isnull=False).count() == 0


def test_a_full_refund_after_a_correction_leaves_nothing(mei: Member, staff: User) -> None:
    pay("100.00")
    pay("90.00")
    decide(staff, accept_second)

    take("90.00")

    assert build.balance_of(mei) == 0


@pytest.mark.parametrize(("second", "balance"), [("20.00", 80), ("45.00", 55)])
def test_a_refund_is_corrected_by_one_that_stands_for_it(
    mei: Member, staff: User, second: str, balance: int
) -> None:
    pay("100.00")
    take("30.00")
    take(second)
    assert build.balance_of(mei) == 70

    decide(staff, accept_second)

    assert build.balance_of(mei) == balance
    correction = AmountConflict.objects.get().correction
    assert correction is not None
    assert correction.confirms == Transaction.objects.get(effect_ref="r1")


def test_a_second_correction_stands_for_the_first(mei: Member, staff: User) -> None:
    pay("100.00")
    take("30.00")
    take("20.00")
    decide(staff, accept_second)

    take("25.00")
    decide(staff, accept_second)

    assert build.balance_of(mei) == 75


def test_a_chargeback_and_its_reversal_are_corrected_alike(mei: Member, staff: User) -> None:
    pay("100.00")
    for kind in ("created", "reversed"):
        dispute(kind, "60.00")
        dispute(kind, "50.00")
        decide(staff, accept_second)

    assert build.balance_of(mei) == 100


def test_what_was_decided_is_not_asked_again(mei: Member, staff: User) -> None:
    pay("100.00")
    pay("90.00")
    pay("90.00")
    assert AmountConflict.objects.count() == 2

    decide(staff, accept_second)
    pay("90.00")
    replay_callbacks(Callback.objects.all(), now=timezone.now())
    drain()

    assert set(AmountConflict.objects.values_list("decision", flat=True)) == {"corrected"}
    assert Callback.objects.filter(due_at__isnull=False).count() == 0
    assert build.balance_of(mei) == 90
    assert Transaction.objects.filter(kind="refund").count() == 1


def test_nobody_decides_twice(mei: Member, staff: User) -> None:
    pay("100.00")
    pay("90.00")
    conflict = AmountConflict.objects.get()
    decide(staff, keep_first)

    with pytest.raises(CannotDecide):
        accept_second(conflict, reason="No", by=staff, now=NOON)

    assert Transaction.objects.count() == 1


def test_another_currency_cannot_be_booked_as_a_difference(mei: Member, staff: User) -> None:
    pay("100.00")
    build.send(build.payment("100.00", wallet="mei", ref="p1", currency="USD"))
    drain()

    with pytest.raises(CannotDecide):
        decide(staff, accept_second)

    assert AmountConflict.objects.get().decision is None
    assert Transaction.objects.count() == 1
