"""Refunds that no platform reports: entered by hand, and never taken back twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kit.money import Money
from loyalty.models import Award
from loyalty.services.books import verify_books
from loyalty.services.settle import settle_members
from members.models import Member
from payments.models import AmountConflict, HandEntry, Transaction
from payments.providers.base import Kind, Notice
from payments.selectors import left_of
from payments.services.booking import Booked
from payments.services.conflicts import CannotDecide, join_twins, part_twins
from payments.services.refunds import (
    CannotRefund,
    NotAPayment,
    OtherCurrency,
    RefTaken,
    TooMuch,
    Wanted,
    refund_payment,
    similar_to,
)
from payments.services.sales import book_sales
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


def hkd(amount: str) -> Money:
    return Money(Decimal(amount), "HKD")


def paid(member: Member | None, amount: str = "100.00", ref: str = "p1") -> Transaction:
    code = member.code if member else ""
    notice = Notice(Kind.PAYMENT, ref, ref, hkd(amount), NOON, member_code=code)
    return _book(notice).fresh[0]


def told(amount: str, ref: str, *, at: datetime = NOON, **also: Any) -> Transaction:
    """What the platform says of its own accord."""
    kind = also.pop("kind", Kind.REFUND)
    return _book(Notice(kind, "p1", ref, hkd(amount), at, **also)).fresh[0]


def entered(payment: Transaction, amount: str, ref: str, by: Any, **also: Any) -> Transaction:
    wanted = Wanted(amount=hkd(amount), ref=ref, reason="Came back", **also)
    return refund_payment(payment, wanted, by=by, now=NOON).transaction


def _book(notice: Notice) -> Booked:
    now = max(NOON, notice.occurred_at)
    return book_sales([notice], account=build.account(), source="callback", now=now)


def settle() -> None:
    while settle_members(now=NOON + timedelta(days=60), limit=100):
        pass


def test_a_refund_entered_by_hand_takes_its_points_back(mei: Member, staff: User) -> None:
    payment = paid(mei)
    settle()

    entered(payment, "30.00", "counter-1", staff)
    settle()

    assert build.balance_of(mei) == 70
    assert left_of(payment) == hkd("70.00")
    note = HandEntry.objects.get()
    assert (note.reason, note.actor, note.transaction.source) == ("Came back", staff, "staff")


def test_the_same_reference_again_is_the_same_refund(mei: Member, staff: User) -> None:
    payment = paid(mei)
    wanted = Wanted(amount=hkd("30.00"), ref="counter-1", reason="Came back")

    first = refund_payment(payment, wanted, by=staff, now=NOON)
    again = refund_payment(payment, wanted, by=staff, now=NOON)
    settle()

    assert (first.is_new, again.is_new) == (True, False)
    assert again.transaction == first.transaction
    assert build.balance_of(mei) == 70


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"amount": "70.01"}, TooMuch),
        ({"ref": "counter-1"}, RefTaken),
        ({"kind": Kind.REVERSAL, "amount": "30.01"}, TooMuch),
        ({"kind": Kind.CHARGEBACK, "amount": "71.00"}, TooMuch),
        ({"kind": Kind.PAYMENT}, NotAPayment),
        ({"amount": "0"}, CannotRefund),
        ({"ref": ""}, CannotRefund),
        ({"currency": "USD"}, OtherCurrency),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    mei: Member, staff: User, change: dict[str, Any], refusal: type[Exception]
) -> None:
    payment = paid(mei)
    entered(payment, "30.00", "counter-1", staff)
    asked = {"amount": "20.00", "ref": "counter-2", "currency": "HKD", **change}
    amount = Money(Decimal(asked.pop("amount")), asked.pop("currency"))

    with pytest.raises(refusal):
        refund_payment(payment, Wanted(amount, reason="?", **asked), by=staff, now=NOON)

    assert Transaction.objects.count() == 2
    assert HandEntry.objects.count() == 1


def test_a_refund_is_not_refunded(mei: Member, staff: User) -> None:
    back = entered(paid(mei), "30.00", "counter-1", staff)

    with pytest.raises(NotAPayment):
        entered(back, "10.00", "counter-2", staff)

    assert Transaction.objects.count() == 2


def test_the_platform_tells_of_it_later_and_it_counts_once(mei: Member, staff: User) -> None:
    payment = paid(mei)
    entry = entered(payment, "30.00", "counter-1", staff)
    settle()

    later = told("30.00", "re_1", at=NOON + timedelta(days=12))
    settle()

    assert later.confirms == entry
    assert build.balance_of(mei) == 70
    assert left_of(payment) == hkd("70.00")
    assert list(Award.objects.order_by("booked_at", "id").values_list("points", flat=True)) == [
        100,
        -30,
        0,
    ]


def test_two_equal_refunds_entered_are_confirmed_by_two(mei: Member, staff: User) -> None:
    payment = paid(mei)
    entries = [entered(payment, "30.00", f"counter-{n}", staff) for n in range(2)]

    later = [told("30.00", f"re_{n}") for n in range(3)]
    settle()

    assert [row.confirms for row in later] == [*entries, None]
    assert build.balance_of(mei) == 10  # The third is one that nobody had entered.


def test_an_entry_after_the_platforms_word_adds_nothing(mei: Member, staff: User) -> None:
    payment = paid(mei)
    before = told("30.00", "re_1")
    settle()
    assert similar_to(payment, amount=hkd("30.00"), kind=Kind.REFUND, now=NOON) == before

    entry = entered(payment, "30.00", "counter-1", staff)
    settle()

    before.refresh_from_db()
    assert before.confirms == entry
    assert build.balance_of(mei) == 70


@pytest.mark.parametrize("kind", [Kind.REFUND, Kind.CHARGEBACK, Kind.REVERSAL])
def test_an_entry_of_most_of_it_after_the_platforms_word_adds_nothing(
    mei: Member, staff: User, kind: Kind
) -> None:
    payment = paid(mei)
    if kind == Kind.REVERSAL:
        told("80.00", "cb_1", kind=Kind.CHARGEBACK)
    word = told("80.00", "pyr_1", kind=kind)
    settle()
    left = left_of(payment)

    entry = entered(payment, "80.00", "counter-1", staff, kind=kind)
    settle()

    word.refresh_from_db()
    assert word.confirms == entry
    assert left_of(payment) == left
    assert build.balance_of(mei) == left.amount
    with pytest.raises(TooMuch):
        entered(payment, "80.00", "counter-2", staff, kind=kind, is_another=True)


def test_staff_may_say_that_it_is_another_one(mei: Member, staff: User) -> None:
    payment = paid(mei)
    told("30.00", "re_1")

    entered(payment, "30.00", "counter-1", staff, is_another=True)
    settle()

    assert build.balance_of(mei) == 40


def test_cash_from_the_drawer_is_in_no_total_of_the_platform(mei: Member, staff: User) -> None:
    payment = paid(mei)
    entered(payment, "20.00", "drawer-1", staff, is_outside=True)

    told("30.00", "re_1")
    told("30.00", "total-1", is_total=True)
    settle()

    assert build.balance_of(mei) == 50
    assert AmountConflict.objects.count() == 0


def test_a_total_of_the_platform_contains_what_was_entered(mei: Member, staff: User) -> None:
    payment = paid(mei)
    entered(payment, "30.00", "counter-1", staff)

    told("30.00", "total-1", is_total=True)
    told("45.00", "total-2", is_total=True)
    settle()

    assert build.balance_of(mei) == 55


@pytest.mark.parametrize("change", [{"amount": "30.50"}, {"at": NOON + timedelta(days=31)}])
def test_what_may_be_the_same_waits_for_staff(
    mei: Member, staff: User, change: dict[str, Any]
) -> None:
    payment = paid(mei)
    entry = entered(payment, "30.00", "counter-1", staff)
    later = told(change.pop("amount", "30.00"), "re_1", **change)
    settle()
    question = AmountConflict.objects.get()
    assert (question.first, question.second, later.waiting_for) == (entry, later, "twin")
    assert build.balance_of(mei) == 70

    join_twins(question, reason="A typing error", by=staff, now=NOON)
    settle()

    later.refresh_from_db()
    question.refresh_from_db()
    assert (later.confirms, later.due_at) == (entry, None)
    assert (question.decision, question.decided_by) == ("same", staff)
    assert build.balance_of(mei) == int(Decimal(100) - later.amount)


def test_two_that_differ_both_count_if_staff_say_so(mei: Member, staff: User) -> None:
    payment = paid(mei)
    entered(payment, "30.00", "counter-1", staff)
    told("25.00", "re_1")

    part_twins(AmountConflict.objects.get(), reason="Two items", by=staff, now=NOON)
    settle()

    assert build.balance_of(mei) == 45
    with pytest.raises(CannotDecide):
        join_twins(AmountConflict.objects.get(), reason="No", by=staff, now=NOON)
    assert AmountConflict.objects.get().reason == "Two items"


def test_a_twin_of_somebody_unknown_waits_for_its_member_after_the_answer(staff: User) -> None:
    payment = paid(None)
    entered(payment, "30.00", "counter-1", staff)
    later = told("25.00", "re_1")

    part_twins(AmountConflict.objects.get(), reason="Two items", by=staff, now=NOON)

    later.refresh_from_db()
    assert (later.waiting_for, later.member) == ("member", None)


def test_a_chargeback_entered_by_hand_can_come_back_and_be_charged_again(
    mei: Member, staff: User
) -> None:
    payment = paid(mei, "99.90")
    balances = []
    for kind, ref in [
        (Kind.CHARGEBACK, "cb-1"),
        (Kind.REVERSAL, "won-1"),
        (Kind.CHARGEBACK, "cb-2"),
        (Kind.CHARGEBACK, "cb-2"),
    ]:
        entered(payment, "99.90", ref, staff, kind=kind)
        settle()
        balances.append(build.balance_of(mei))

    assert balances == [0, 99, 0, 0]


@pytest.mark.parametrize(("days", "is_in_vain"), [(29, False), (31, True)])
def test_a_refund_whose_payment_does_not_come_is_shown_as_waiting_in_vain(
    admin_client: Client, days: int, is_in_vain: bool
) -> None:
    cache.clear()
    since = timezone.now() - timedelta(days=days)
    notice = Notice(Kind.REFUND, "p1", "r1", hkd("30.00"), since)
    account = build.account()
    book_sales([notice], account=account, source="callback", now=since)

    page = admin_client.get(reverse("admin:stuck")).content.decode()

    assert ("more than 30 days" in page) is is_in_vain
    # It still resolves, should the payment come after all.
    build.earning_rule()
    mei = build.member()
    paid(mei)
    settle_members(now=timezone.now(), limit=10)
    settle_members(now=timezone.now(), limit=10)
    assert build.balance_of(mei) == 70
