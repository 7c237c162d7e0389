"""Orders meet their payments by number within their store, whichever of the two comes first."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config import pipeline
from kit.money import Money
from loyalty.models import Award, Rule
from members.identity_kinds import PHONE
from members.models import Member, Store
from members.services.identities import add_identity
from payments.models import Line, Order, Transaction
from payments.providers.base import Clue, Kind, Notice, NoticeLine
from payments.services.accounts import forget_accounts
from payments.services.booking import Entry, book
from payments.services.linking import match_all_waiting
from payments.services.orders import (
    NewOrder,
    OrderDiffers,
    PaidAlready,
    Taken,
    payment_of,
    take_order,
)
from payments.wording import state_of
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db

TEA = NoticeLine("TEA", Decimal(2), Decimal(60), "Tea", "tea")
CUP = NoticeLine("CUP", Decimal(1), Decimal(40), "Cup", "cups")


def order(ref: str = "A-1", **given: Any) -> Taken:
    options: dict[str, Any] = {
        "order_ref": ref,
        "store": None,
        "money": Money(Decimal("100.00"), "HKD"),
        "ordered_at": NOON,
        "lines": (TEA, CUP),
    }
    return take_order(NewOrder(**(options | given)), api_key=None, now=NOON)


def pay(ref: str = "A-1", **given: Any) -> Transaction:
    store: Store | None = given.pop("store", None)
    member: Member | None = given.pop("member", None)
    wait: timedelta = given.pop("wait", timedelta(0))
    number = Transaction.objects.count()
    notice: dict[str, Any] = {
        "kind": Kind.PAYMENT,
        "payment_ref": f"pay-{number}",
        "effect_ref": f"pay-{number}",
        "amount": Money(Decimal("100.00"), "HKD"),
        "occurred_at": NOON,
        "order_ref": ref,
        "member_code": member.code if member else "",
        "store_code": store.code if store else "",
    }
    entry = Entry(
        notice=Notice(**(notice | given)),
        account_id=build.account().pk,
        source="callback",
        received_at=NOON,
        order_wait=wait,
    )
    (row,) = book([entry]).fresh
    return row


def lines_of(row: Transaction) -> list[tuple[str, Decimal, Decimal]]:
    rows = Line.objects.filter(transaction=row).order_by("position")
    return list(rows.values_list("product__sku", "quantity", "amount"))


BASKET = [("TEA", Decimal(2), Decimal(60)), ("CUP", Decimal(1), Decimal(40))]


def test_an_order_that_comes_first_gives_its_payment_member_and_lines() -> None:
    mei = build.member()
    placed = order(member_code=mei.code).order

    paid = pay()

    assert (paid.order, paid.member, paid.waiting_for) == (placed, mei, "")
    assert lines_of(paid) == BASKET


def test_a_payment_that_came_first_and_waits_gets_member_and_lines_and_earns() -> None:
    mei = build.member()
    build.earning_rule()
    paid = pay()
    taken_back = pay(kind=Kind.REFUND, effect_ref="r-1", payment_ref=paid.payment_ref,
                     amount=Money(Decimal("10.00"), "HKD"))  # fmt: skip

    taken = order(member_code=mei.code)
    pipeline.run(now=NOON + timedelta(seconds=1))

    paid.refresh_from_db()
    taken_back.refresh_from_db()
    assert (taken.is_new, taken.is_late) == (True, False)
    assert (paid.order, paid.member, taken_back.member) == (taken.order, mei, mei)
    assert lines_of(paid) == BASKET
    assert build.balance_of(mei) == 90


def test_a_payment_that_has_earned_keeps_its_points_and_its_lines_are_late() -> None:
    mei = build.member()
    build.earning_rule(kind=Rule.Kind.CATEGORY, category=build.category("tea"))
    build.earning_rule(name="All")
    paid = pay(member=mei)
    pipeline.run(now=NOON)
    before = build.balance_of(mei)

    taken = order(member_code=mei.code)
    pay(kind=Kind.REFUND, effect_ref="r-1", payment_ref=paid.payment_ref,
        amount=Money(Decimal("50.00"), "HKD"))  # fmt: skip
    pipeline.run(now=NOON)

    assert taken.is_late
    assert lines_of(paid) == BASKET
    assert before == 100
    assert build.balance_of(mei) == 50


def test_the_member_in_signed_metadata_comes_before_the_order_and_that_before_a_known_sign() -> (
    None
):
    mei, bo = build.member(), build.member()
    kit = build.member(wallet="W-kit")
    wallet = (Clue("wallet", "W-kit"),)
    order("A-1", member_code=bo.code)
    order("A-2", member_code=bo.code)

    signed = pay("A-1", member=mei, clues=wallet)
    ordered = pay("A-2", clues=wallet)
    known = pay("A-3", clues=wallet)

    assert [signed.member, ordered.member, known.member] == [mei, bo, kit]
    assert not bo.identities.exists()


def test_the_sign_of_the_buyer_comes_before_that_of_the_payer() -> None:
    mei, bo = build.member(phone="+85255550142"), build.member(wallet="W-bo")
    order(clues=(Clue(PHONE, "+85255550142"),))

    paid = pay(clues=(Clue("wallet", "W-bo"),))

    assert paid.member == mei
    assert bo.identities.get().kind == "wallet"


@pytest.mark.parametrize("pays_first", [True, False])
def test_a_buyer_who_becomes_known_later_gets_the_payment(pays_first: bool) -> None:
    clues = (Clue(PHONE, "+85255550142"),)
    paid = pay() if pays_first else None
    placed = order(clues=clues).order
    paid = paid or pay()
    mei = build.member()
    add_identity(mei, kind=PHONE, value="+85255550142", now=NOON)

    assert match_all_waiting() == 1
    assert match_all_waiting() == 0

    for row in (paid, placed):
        row.refresh_from_db()
        assert row.member == mei
    assert paid.waiting_for == ""


def test_two_stores_may_number_their_orders_alike() -> None:
    tst, cwb = build.store("TST"), build.store("CWB")
    mei, bo = build.member(), build.member()
    order(store=tst, member_code=mei.code)
    order(store=cwb, member_code=bo.code)

    rows = [pay(store=tst), pay(store=cwb), pay()]

    assert [row.member for row in rows] == [mei, bo, None]
    assert [row.order is None for row in rows] == [False, False, True]


def test_an_order_takes_no_payment_of_another_store() -> None:
    tst, cwb = build.store("TST"), build.store("CWB")
    mei = build.member()
    elsewhere, somewhere = pay(store=cwb), pay()

    placed = order(store=tst, member_code=mei.code).order

    elsewhere.refresh_from_db()
    somewhere.refresh_from_db()
    assert (elsewhere.order, elsewhere.member) == (None, None)
    assert (somewhere.order, somewhere.member, somewhere.store) == (placed, mei, tst)


def test_of_two_payments_the_first_has_the_lines_and_both_have_the_member() -> None:
    mei = build.member()
    placed = order(member_code=mei.code).order
    half = Money(Decimal("50.00"), "HKD")

    first, second = pay(amount=half), pay(amount=half)

    assert [first.member, second.member] == [mei, mei]
    assert (lines_of(first), lines_of(second)) == (BASKET, [])
    assert payment_of(placed).difference == 0


def test_lines_that_came_with_the_payment_stay() -> None:
    order()

    paid = pay(lines=(CUP,))

    assert lines_of(paid) == [("CUP", Decimal(1), Decimal(40))]


def test_lines_in_another_currency_are_not_taken_over() -> None:
    mei = build.member()
    order(member_code=mei.code)

    paid = pay(amount=Money(Decimal("12.00"), "USD"))

    assert (paid.member, lines_of(paid)) == (mei, [])


def test_a_difference_is_kept_and_points_follow_the_payment() -> None:
    mei = build.member()
    build.earning_rule()
    placed = order(member_code=mei.code).order

    pay(amount=Money(Decimal("90.00"), "HKD"))
    pipeline.run(now=NOON)

    assert payment_of(placed).difference == Decimal(-10)
    assert build.balance_of(mei) == 90


def test_an_order_sent_again_changes_nothing_and_with_other_lines_is_refused() -> None:
    order()

    again = order()
    with pytest.raises(OrderDiffers):
        order(lines=(TEA,))
    with pytest.raises(OrderDiffers):
        order(money=Money(Decimal("101.00"), "HKD"))

    assert not again.is_new
    assert Order.objects.count() == 1
    assert again.order.lines.count() == 2


def test_an_order_of_nobody_known_may_be_sent_again_with_its_member() -> None:
    mei, bo = build.member(), build.member()
    paid = pay()
    order()

    order(member_code=mei.code)
    order(member_code=bo.code)

    paid.refresh_from_db()
    assert (paid.member, Order.objects.get().member) == (mei, mei)


def test_a_paid_order_books_the_sale_with_its_lines_once() -> None:
    mei, tst = build.member(), build.store("TST")
    build.earning_rule()

    for _time in range(2):
        order(store=tst, member_code=mei.code, paid_at=NOON, method="cash")
    pipeline.run(now=NOON)

    row = Transaction.objects.get()
    assert (row.member, row.store, row.method, row.source) == (mei, tst, "cash", "api")
    assert lines_of(row) == BASKET
    assert build.balance_of(mei) == 100


def test_a_paid_order_that_a_platform_reported_too_is_refused_and_leaves_nothing() -> None:
    pay()

    with pytest.raises(PaidAlready):
        order(paid_at=NOON)

    assert Transaction.objects.count() == 1
    assert not Order.objects.exists()


def test_a_payment_waits_for_its_order_until_that_comes() -> None:
    mei = build.member()
    build.earning_rule(kind=Rule.Kind.CATEGORY, category=build.category("tea"))
    paid = pay(member=mei, wait=timedelta(seconds=60))

    pipeline.run(now=NOON + timedelta(seconds=59))
    assert not Award.objects.exists()
    assert state_of(paid) == "Waits for its order, until 12:01 at the latest."
    order()
    pipeline.run(now=NOON + timedelta(seconds=59))

    paid.refresh_from_db()
    assert paid.is_done
    assert build.balance_of(mei) == 60


def test_a_payment_waits_for_its_order_no_longer_than_it_was_told() -> None:
    mei = build.member()
    build.earning_rule()
    pay(member=mei, wait=timedelta(seconds=60))

    pipeline.run(now=NOON + timedelta(seconds=60))

    assert build.balance_of(mei) == 100


def test_what_has_no_number_or_brings_its_lines_does_not_wait() -> None:
    wait = timedelta(seconds=60)

    rows = [pay("", wait=wait), pay("A-1", wait=wait, lines=(CUP,))]

    assert [row.due_at for row in rows] == [NOON, NOON]


def test_the_account_says_how_long_a_callback_waits() -> None:
    mei = build.member(wallet="W-1")
    build.earning_rule()
    account = build.account(order_wait_seconds=3600)
    forget_accounts()

    build.send(build.payment(wallet="W-1", order_ref="A-1"), to=account)
    pipeline.run(now=timezone.now())

    row = Transaction.objects.get()
    assert row.due_at == row.received_at + timedelta(hours=1)
    assert not Award.objects.filter(member=mei).exists()


def queries_of_booking(number: int) -> int:
    entries = [
        Entry(
            notice=Notice(
                kind=Kind.PAYMENT,
                payment_ref=f"{number}-{place}",
                effect_ref=f"{number}-{place}",
                amount=Money(Decimal("100.00"), "HKD"),
                occurred_at=NOON,
                order_ref=f"O-{number}-{place}",
            ),
            account_id=build.account().pk,
            source="callback",
            received_at=NOON,
        )
        for place in range(number)
    ]
    for entry in entries:
        order(entry.notice.order_ref)
    with CaptureQueriesContext(connection) as queries:
        book(entries)
    return len(queries)


def test_any_number_of_payments_joins_its_orders_in_the_same_queries() -> None:
    build.account()

    assert queries_of_booking(2) == queries_of_booking(12)
