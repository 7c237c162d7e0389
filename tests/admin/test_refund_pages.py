"""Staff enter refunds and decide conflicts in the admin."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from config import pipeline
from kit.money import Money
from members.models import StaffScope
from payments.admin.refunds import RefundDialog
from payments.models import AmountConflict, HandEntry, PaymentMethod, Product, Rate, Transaction
from payments.services.reference_rates import UnreadableRates
from payments.services.refunds import Wanted, refund_payment
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import act, said
from tests.admin.test_pages import url_of
from tests.build import NOON

GIVEN = {"kind": "refund", "amount": "80", "ref": "HAND-1", "reason": "Broken cup"}


def payment_of(world: World) -> Transaction:
    return Transaction.objects.get(member=world.near.member, amount=600, kind="payment")


def test_staff_enter_a_refund_with_a_reason_and_a_name(world: World, as_manager: Client) -> None:
    payment = payment_of(world)
    before = build.balance_of(world.near.member)

    page = act(as_manager, Transaction, payment, "refund_one", **GIVEN)
    pipeline.run(now=NOON)

    assert "HK$80.00 was entered" in said(page)
    note = HandEntry.objects.get()
    assert note.reason == "Broken cup"
    assert note.actor == world.manager
    assert note.transaction.amount == 80
    assert build.balance_of(world.near.member) == before - 80
    shown = as_manager.get(url_of(Transaction, "change", payment.pk)).content.decode()
    assert "HK$520.00 of HK$600.00" in shown
    assert "manager: Broken cup" in shown


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"amount": "600.01"},
            ("amount", "Only HK$600.00 is left of this payment. Enter that much or less."),
        ),
        ({"amount": "1.005"}, ("amount", "The amount has more decimals than its currency.")),
        ({"amount": "0"}, ("amount", "The amount must be above zero.")),
        ({"amount": "-5"}, ("amount", "The amount must be above zero.")),
        ({"amount": "-" + "9" * 23}, ("amount", "The amount must be above zero.")),
        (
            {"amount": "9" * 23},
            ("amount", "This amount is too large. Enter what came back of this payment."),
        ),
        ({"reason": ""}, ("reason", "This field is required.")),
        (
            {"kind": "payment"},
            ("kind", "Select a valid choice. payment is not one of the available choices."),
        ),
        (
            {"kind": "reversal"},
            ("amount", "Only HK$0.00 was taken of this payment, so no more can come back."),
        ),
    ],
)
def test_what_cannot_be_is_said_in_the_dialog_beside_what_was_typed(
    world: World, as_manager: Client, change: dict[str, str], error: tuple[str, str]
) -> None:
    given = {**GIVEN, **change}

    page = act(as_manager, Transaction, payment_of(world), "refund_one", **given)

    form = page.context["form"]
    field, words = error
    assert form.errors == {field: [words]}
    assert {name: form[name].value() for name in given} == given
    assert words in page.content.decode()
    assert HandEntry.objects.count() == 0


def test_a_reference_of_another_amount_is_refused_beside_the_reference(
    world: World, as_manager: Client
) -> None:
    payment = payment_of(world)
    act(as_manager, Transaction, payment, "refund_one", **GIVEN)

    page = act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "amount": "90"})

    words = "HAND-1 is booked already, with HK$80.00. Give this one another reference."
    assert page.context["form"].errors == {"ref": [words]}
    assert HandEntry.objects.count() == 1


def test_the_button_pressed_twice_enters_it_once(world: World, as_manager: Client) -> None:
    payment = payment_of(world)

    for words in ("HK$600.00 was entered. Points follow", "HAND-1 had been entered already."):
        whole = {**GIVEN, "amount": "600"}
        assert words in said(act(as_manager, Transaction, payment, "refund_one", **whole))

    assert HandEntry.objects.count() == 1


def test_of_a_payment_that_came_back_whole_the_dialog_proposes_a_reversal(
    world: World, as_manager: Client
) -> None:
    payment = payment_of(world)
    act(as_manager, Transaction, payment, "refund_one", **{**GIVEN, "amount": "600"})

    form = RefundDialog(object_id=str(payment.pk), request=None)
    back = {"kind": "reversal", "amount": "600", "ref": "BACK-1", "reason": "A mistake"}
    page = act(as_manager, Transaction, payment, "refund_one", **back)

    assert (form["kind"].value(), form["amount"].value()) == ("reversal", None)
    assert "HK$600.00 was entered" in said(page)
    assert HandEntry.objects.count() == 2


def test_the_same_amount_that_the_platform_reported_is_asked_about(
    world: World, as_manager: Client
) -> None:
    payment = payment_of(world)
    refund = build.refund(payment.payment_ref, "80.00", ref="re_1")
    build.send(refund, to=world.near.account)
    pipeline.run(now=NOON)

    refused = act(as_manager, Transaction, payment, "refund_one", **GIVEN)
    assert "reported one of this amount already: re_1" in refused.content.decode()
    assert HandEntry.objects.count() == 0

    act(as_manager, Transaction, payment, "refund_one", **GIVEN, is_another="on")
    assert HandEntry.objects.count() == 1


def test_without_the_right_or_the_scope_nobody_enters_refunds(
    world: World, as_manager: Client
) -> None:
    far = Transaction.objects.get(member=world.far.member, amount=600, kind="payment")
    world.nobody.groups.set([Group.objects.get(name="Cashier")])
    StaffScope.objects.create(user=world.nobody, sees_everything=True)
    cashier = Client()
    cashier.force_login(world.nobody)

    for client, payment in ((as_manager, far), (cashier, payment_of(world))):
        act(client, Transaction, payment, "refund_one", **GIVEN)

    assert HandEntry.objects.count() == 0


def test_staff_decide_which_amount_is_right(world: World, as_manager: Client) -> None:
    payment = payment_of(world)
    again = build.payment("590.00", ref=payment.payment_ref, member=world.near.member.code)
    build.send(again, to=world.near.account)
    pipeline.run(now=NOON)
    conflict = AmountConflict.objects.get()
    before = build.balance_of(world.near.member)

    page = as_manager.get(url_of(AmountConflict, "change", conflict.pk)).content.decode()
    assert "HK$600.00" in page
    assert "HK$590.00" in page
    answer = act(as_manager, AmountConflict, conflict, "accept", reason="Asked the till")
    pipeline.run(now=NOON)

    assert "The decision was noted." in said(answer)
    conflict.refresh_from_db()
    assert (conflict.decision, conflict.decided_by) == ("corrected", world.manager)
    assert build.balance_of(world.near.member) == before - 10
    again_page = as_manager.get(url_of(AmountConflict, "change", conflict.pk)).content.decode()
    assert "Keep the first" not in again_page


def test_staff_say_that_a_refund_was_told_twice(world: World, as_manager: Client) -> None:
    payment = payment_of(world)
    wanted = Wanted(Money(Decimal(80), "HKD"), ref="HAND-1", reason="Broken cup")
    refund_payment(payment, wanted, by=world.manager, now=NOON)
    build.send(build.refund(payment.payment_ref, "81.00"), to=world.near.account)
    pipeline.run(now=NOON)
    before = build.balance_of(world.near.member)

    act(as_manager, AmountConflict, AmountConflict.objects.get(), "same", reason="A typing error")
    pipeline.run(now=NOON)

    assert build.balance_of(world.near.member) == before - 1


def test_rates_are_fetched_on_demand_only_where_the_settings_say_so(
    world: World, as_boss: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = url_of(Rate, "changelist")
    assert "Fetch today" not in as_boss.get(lists).content.decode()
    settings.EXCHANGE_RATES_URL = "https://rates.example/daily.xml"
    assert "Fetch today" in as_boss.get(lists).content.decode()

    def refuse(*_asked: Any, **_limits: Any) -> Any:
        raise UnreadableRates("The address answered with status 503.")

    monkeypatch.setattr("payments.admin.rates.fetch_rates", refuse)
    page = as_boss.get("/admin/payments/rate/fetch_now", follow=True)

    assert "status 503" in said(page)
    assert Rate.objects.count() == 1


def test_saving_a_product_that_sales_taught_completes_it(world: World, as_boss: Client) -> None:
    product = Product.objects.create(sku="BAG", name="BAG", is_learnt=True)
    given = {
        "sku": "BAG",
        "name": "Bag",
        "brand": "Wuyin",
        "cost": "12.50",
        "cost_currency": "HKD",
    }

    as_boss.post(url_of(Product, "change", product.pk), given)

    product.refresh_from_db()
    assert (product.is_learnt, str(product.unit_cost)) == (False, "HKD 12.5000")


def test_a_cost_needs_a_currency_and_a_method_real_countries(
    world: World, as_boss: Client
) -> None:
    product = build.product("BAG")

    as_boss.post(url_of(Product, "change", product.pk), {"sku": "BAG", "name": "B", "cost": "1"})
    given = {"code": "x", "kind": "card", "name": "X", "order": "1", "payer_countries": "HK,XX"}
    page = as_boss.post(url_of(PaymentMethod, "add"), given)

    product.refresh_from_db()
    assert product.cost is None
    assert "“XX” is not a country" in page.content.decode()
    assert not PaymentMethod.objects.filter(code="x").exists()
