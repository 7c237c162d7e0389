"""Refunds and disputes at Stripe: in every order of arrival they end in the same sum."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

from kit.money import Money
from payments.providers import stripe
from payments.providers.base import (
    Ignored,
    Inbound,
    Kind,
)
from tests.payments.providers.example import Correction, Sale, minor
from tests.payments.providers.test_stripe import (
    EXAMPLE,
    INTENT,
    KEYS,
    event,
    example_event,
    read,
    taken_back,
)


def test_the_same_refund_is_one_effect_whichever_event_tells_of_it() -> None:
    created = read("refund.created", status="pending")
    updated = read("refund.created")

    assert [(n.kind, n.payment_ref, n.effect_ref) for n in created] == [
        (Kind.REFUND, INTENT, "re_TestOnly0001")
    ]
    assert created == updated


def test_the_running_total_of_a_charge_is_marked_as_a_total() -> None:
    notices = read("charge.refunded")

    assert [(n.payment_ref, n.is_total, n.amount.amount) for n in notices] == [
        (INTENT, True, Decimal("300.00"))
    ]


def test_refunds_end_in_the_same_sum_in_every_order() -> None:
    told = [
        read("refund.created"),
        read("charge.refunded"),
        read("refund.failed"),
        read("refund.created", id="re_again", amount=30000),
        read("charge.refunded", amount_refunded=30000),
        read("refund.created"),
    ]

    for order in permutations(told):
        assert taken_back([notice for notices in order for notice in notices]) == Decimal("300.00")


def test_an_endpoint_that_only_hears_totals_takes_back_the_largest() -> None:
    told = [
        *read("charge.refunded", amount_refunded=80000),
        *read("charge.refunded", amount_refunded=30000),
        *read("charge.refunded", amount_refunded=80000),
    ]

    assert taken_back(told) == Decimal("800.00")


def test_a_failed_refund_balances_even_if_nothing_else_was_heard() -> None:
    assert taken_back(read("refund.failed")) == 0
    assert taken_back(read("refund.failed", status="canceled")) == 0


def test_what_a_partial_capture_lets_go_was_never_paid_and_is_no_refund() -> None:
    captured = {"amount": 88000, "amount_captured": 60000}

    released = event("charge.refunded", **captured, amount_refunded=28000)
    refunded = read("charge.refunded", **captured, amount_refunded=38000)

    assert stripe.read(released, KEYS) == Ignored("authorisation_released")
    assert refunded[0].amount == Money(Decimal("100.00"), "HKD")
    for ignored in (
        event("charge.refunded", captured=False, amount_captured=0, amount_refunded=88000),
        event("refund.created", balance_transaction=None),
    ):
        assert stripe.read(ignored, KEYS) == Ignored("authorisation_released")


def test_a_refund_that_waits_for_the_customer_takes_nothing_yet() -> None:
    request = event("refund.created", status="requires_action")

    assert stripe.read(request, KEYS) == Ignored("refund_not_under_way")


def test_a_dispute_takes_the_money_and_winning_it_brings_it_back() -> None:
    withdrawn = read("charge.dispute.funds_withdrawn")
    reinstated = read("charge.dispute.funds_reinstated")

    assert [(n.kind, n.payment_ref, n.effect_ref) for n in withdrawn] == [
        (Kind.CHARGEBACK, INTENT, "dp_TestOnly0001")
    ]
    assert taken_back(withdrawn) == Decimal("880.00")
    assert taken_back(withdrawn + reinstated) == 0
    assert taken_back(reinstated) == taken_back(reinstated + withdrawn + reinstated) == 0


def test_a_dispute_that_is_won_in_two_steps_comes_back_in_two_steps() -> None:
    first = {"id": "txn_1", "amount": 30000, "currency": "hkd"}
    second = {"id": "txn_2", "amount": 58000, "currency": "hkd"}

    part = read("charge.dispute.funds_reinstated", balance_transactions=[first])
    whole = read("charge.dispute.funds_reinstated", balance_transactions=[first, second])

    assert taken_back(part) == Decimal("580.00")
    assert taken_back(whole + part) == 0


def test_movements_in_another_currency_count_as_the_whole_dispute() -> None:
    movement = {"id": "txn_1", "amount": 11000, "currency": "usd"}

    notices = read("charge.dispute.funds_reinstated", balance_transactions=[movement])

    assert taken_back(notices) == 0


def of_charge(name: str, at: datetime, key: str, sale: Sale, **changes: Any) -> Inbound:
    """The older Charges API: no payment intent stands behind the charge."""
    currency = sale.money.currency.lower()
    own = {"payment_intent": None, "currency": currency, "receipt_email": None}
    return example_event(name, at, f"{name}-{key}", **own | changes)


def charged(sale: Sale) -> Inbound:
    value = minor(sale.money.amount, 2)
    return of_charge(
        "charge.succeeded",
        sale.at,
        sale.ref,
        sale,
        id=sale.ref,
        amount=value,
        amount_captured=value,
        customer={"id": f"cus_{sale.ref}", "object": "customer"},
        metadata={"member_id": sale.member_code, "order_id": sale.order_ref},
    )


def total_refunded(refund: Correction) -> Inbound:
    value = minor(refund.sale.money.amount, 2)
    return of_charge(
        "charge.refunded",
        refund.at,
        f"{refund.ref}-{refund.so_far}",
        refund.sale,
        id=refund.sale.ref,
        amount=value,
        amount_captured=value,
        amount_refunded=minor(refund.so_far, 2),
        customer=None,
    )


def disputed(name: str, told: Correction) -> Inbound:
    value, currency = minor(told.amount, 2), told.sale.money.currency.lower()
    movements = [
        {"id": f"txn_{sign}-{told.ref}", "amount": sign * value, "currency": currency}
        for sign in (-1, 1)
    ]
    return of_charge(
        name,
        told.at,
        told.ref,
        told.sale,
        id=told.ref,
        amount=value,
        created=int(told.at.timestamp()),
        charge={"id": told.sale.ref, "object": "charge"},
        balance_transactions=movements,
    )


ALSO = (
    replace(
        EXAMPLE,
        variant="charges",
        payment=charged,
        refund=total_refunded,
        chargeback=partial(disputed, "charge.dispute.funds_withdrawn"),
        reversal=partial(disputed, "charge.dispute.funds_reinstated"),
        later=(),
        besides=(partial(disputed, "refund.created"), partial(disputed, "refund.failed")),
    ),
)
