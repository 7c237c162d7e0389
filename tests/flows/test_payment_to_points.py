"""From the callback's door to the balance."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from loyalty.models import Award, Lot, LotUse, Transfer
from loyalty.services.books import verify_books
from loyalty.services.points import adjust_points
from loyalty.services.settle import settle_members
from members.models import Event
from payments.models import Callback, Conflict, Transaction
from payments.services.accounts import forget_accounts
from payments.services.linking import link_transactions
from payments.services.rates import enter_rate
from payments.services.translate import translate_callbacks
from tests import build

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _books_are_right() -> Iterator[None]:
    yield
    assert [finding for finding in verify_books() if not finding.is_clean] == []


def drain() -> None:
    now = timezone.now() + timedelta(seconds=1)
    while translate_callbacks(now=now, limit=500) + settle_members(now=now, limit=500):
        pass


def points_of(ref: str) -> list[int]:
    rows = Award.objects.filter(transaction__payment_ref=ref).order_by("booked_at", "id")
    return list(rows.values_list("points", flat=True))


def test_a_payment_of_a_known_wallet_becomes_points() -> None:
    build.earning_rule()
    mei = build.member(wallet="wallet-mei")

    response = build.send(build.payment("880.00", wallet="wallet-mei", ref="p1"))
    drain()

    assert response.status_code in {200, 204}
    assert build.balance_of(mei) == 880
    assert points_of("p1") == [880]
    assert list(mei.events.order_by("id").values_list("kind", flat=True)) == ["joined", "paid"]


def test_joining_later_earns_the_points_of_earlier_purchases() -> None:
    build.earning_rule()
    build.send(build.payment("880.00", wallet="wallet-late", ref="p1"))
    build.send(build.refund("p1", "80.00"))
    drain()
    assert Award.objects.count() == 0
    assert set(Transaction.objects.values_list("waiting_for", flat=True)) == {"member"}

    late = build.member(wallet="wallet-other")
    linked = link_transactions(
        Transaction.objects.filter(kind="payment"), late, now=timezone.now()
    )
    drain()

    assert linked == 2
    assert build.balance_of(late) == 800
    assert points_of("p1") == [880, -80]


def test_a_redelivered_callback_changes_nothing() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")
    payment = build.payment("50.00", wallet="w")

    first = build.send(payment, message_id="once")
    again = build.send(payment, message_id="once")
    other_key = build.send(payment, message_id="twice")
    drain()

    assert first.status_code == again.status_code == other_key.status_code
    assert Callback.objects.count() == 2
    assert Conflict.objects.count() == 0
    assert Transaction.objects.count() == 1
    assert build.balance_of(mei) == 50


def test_a_refund_before_its_payment_waits_for_it() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")
    build.send(build.refund("p1", "30.00"))
    drain()
    parked = Transaction.objects.get()
    assert parked.waiting_for == f"payment:{parked.account_id}:p1"

    build.send(build.payment("100.00", wallet="w", ref="p1"))
    drain()

    assert build.balance_of(mei) == 70
    assert points_of("p1") == [100, -30]


@pytest.mark.parametrize(
    ("refunds", "kept"),
    [(["6.00"], 8), (["6.00", "89.00"], 0), (["31.66", "31.67", "31.67"], 0), (["95.00"], 0)],
)
def test_refunds_take_back_exactly_what_their_part_earned(refunds: list[str], kept: int) -> None:
    build.earning_rule(rates={"HKD": ("10", 1)})
    mei = build.member(wallet="w")
    build.send(build.payment("95.00", wallet="w", ref="p1"))
    for part in refunds:
        build.send(build.refund("p1", part))
    drain()

    assert points_of("p1")[0] == 9
    assert sum(points_of("p1")) == kept
    assert build.balance_of(mei) == kept


def test_points_already_spent_become_a_debt_that_later_points_repay() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")
    build.send(build.payment("100.00", wallet="w", ref="p1"))
    drain()
    spend(mei, 80)
    build.send(build.refund("p1", "100.00"))
    drain()
    assert build.balance_of(mei) == -80

    build.send(build.payment("100.00", wallet="w"))
    drain()

    assert build.balance_of(mei) == 20
    assert Transfer.objects.filter(covered_at=None).count() == 0
    lot = Lot.objects.get(closed_at=None)
    assert lot.points - sum(LotUse.objects.filter(lot=lot).values_list("points", flat=True)) == 20


def spend(member: Any, points: int) -> None:
    adjust_points(member, points=-points, reason="Spent", actor=None, now=timezone.now())


def test_a_foreign_currency_waits_for_its_rate_and_resumes_once() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")
    build.send(build.payment("10.00", wallet="w", currency="GBP", ref="p1"))
    drain()
    assert Transaction.objects.get().waiting_for == f"rate:GBP:{build.NOON.date()}"

    _, resumed = enter_rate(
        currency="GBP",
        valid_from=build.NOON.date(),
        rate=Decimal("9.9"),
        source="staff",
        now=build.NOON,
    )
    drain()
    drain()

    row = Transaction.objects.get()
    assert (resumed, str(row.reporting_amount), row.rate and row.rate.currency) == (
        1,
        "99.0000",
        "GBP",
    )
    assert build.balance_of(mei) == 99
    assert Event.objects.filter(kind="paid").count() == 1


def test_a_phone_number_without_a_country_is_one_of_the_store_s_country() -> None:
    """9123 4567 is somebody in Hong Kong, and somebody else in Singapore."""
    singapore = build.region("SG", zone="Asia/Singapore")
    hong_kong = build.member(phone="+852 9123 4567")
    siti = build.member(region=singapore, phone="+65 9123 4567")
    till = build.account(store=build.store("ORCHARD", region=singapore))

    build.send(build.payment("88.00", customer={"phone": "9123 4567"}), to=till)
    drain()

    assert Transaction.objects.get().member == siti != hong_kong


def test_without_a_store_a_local_number_is_nobody_s_while_regions_differ() -> None:
    hong_kong = build.member(phone="+852 9123 4567")
    account = build.account()

    build.send(build.payment("88.00", customer={"phone": "9123 4567"}), to=account)
    drain()
    build.region("SG", zone="Asia/Singapore")
    forget_accounts()
    build.send(build.payment("99.00", customer={"phone": "9123 4567"}), to=account)
    build.send(build.payment("77.00", customer={"phone": "+85291234567"}), to=account)
    drain()

    found = Transaction.objects.order_by("received_at")
    assert [row.member for row in found] == [hong_kong, None, hong_kong]


def test_what_is_dated_far_ahead_happened_when_it_was_told() -> None:
    build.earning_rule()
    mei = build.member(wallet="w")

    build.send(build.payment("88.00", wallet="w", paid_at="2199-01-01T00:00:00+08:00"))
    drain()

    paid = Transaction.objects.get()
    assert paid.occurred_at == paid.received_at + timedelta(minutes=10)
    assert build.balance_of(mei) == 88
