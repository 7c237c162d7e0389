"""What PayPal's notices mean, once they are known to be genuine."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from kit.money import Money
from payments.providers import paypal
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Kind,
    MalformedPayload,
    Notice,
)
from tests.payments.providers.example import Sale
from tests.payments.providers.test_paypal import (
    CAPTURE,
    EXAMPLE,
    KEYS,
    event,
    post,
    read,
    up,
)


def test_a_captured_payment_is_read_with_what_it_settles_to() -> None:
    assert read("capture_completed") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=CAPTURE,
            effect_ref=CAPTURE,
            amount=Money(Decimal("880.00"), "HKD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
            order_ref="WEB-1001",
            member_code="M4K7Q2Z9P",
            method="paypal",
            clues=(Clue("paypal_payer", "TESTONLYMEI"), Clue("email", "mei@example.com")),
            settled=Money(Decimal("880.00"), "HKD"),
            fee=Money(Decimal("36.27"), "HKD"),
        )
    ]


def test_what_is_paid_out_in_another_currency_is_not_guessed() -> None:
    gross = {"currency_code": "USD", "value": "100.00"}
    changed = {"gross_amount": gross, "receivable_amount": {"currency_code": "HKD", "value": "7"}}

    without_fee = {"gross_amount": gross, "paypal_fee": {}}

    for breakdown in (changed, without_fee, {}):
        (payment,) = read("capture_completed", seller_receivable_breakdown=breakdown)
        assert (payment.settled, payment.fee) == (None, None)


@pytest.mark.parametrize("custom", ["order 7; table 5", "x" * 60, "", None, 5])
def test_the_custom_field_may_hold_something_else_than_a_member(custom: Any) -> None:
    (payment,) = read("capture_completed", custom_id=custom, invoice_id=None)

    assert (payment.member_code, payment.order_ref) == ("", "TESTONLYORDER1")


def test_a_refund_finds_its_capture_by_the_link_upwards() -> None:
    (refund,) = read("capture_refunded")

    assert (refund.kind, refund.payment_ref, refund.effect_ref) == (
        Kind.REFUND,
        CAPTURE,
        "TESTONLYREFUND01",
    )
    assert refund.amount == Money(Decimal("300.00"), "HKD")


@pytest.mark.parametrize(
    "links",
    [
        None,
        [],
        [{"rel": "self", "href": f"https://api.paypal.com/v2/payments/captures/{CAPTURE}"}],
        [{"rel": "up", "href": f"https://evil.example/v2/payments/captures/{CAPTURE}"}],
        [{"rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/1"}],
        [{"rel": "up", "href": "https://[::1"}],
        [{"rel": "up"}],
        up("a/b"),
        up(""),
        up(CAPTURE) * 30,
    ],
)
def test_a_refund_without_its_capture_is_malformed(links: Any) -> None:
    with pytest.raises(MalformedPayload):
        paypal.read(event("capture_refunded", links=links), KEYS)


def test_a_reversal_and_a_dispute_won_leave_nothing_in_every_order() -> None:
    told = [read("capture_reversed"), read("dispute_resolved"), read("capture_reversed")]

    for order in permutations(told):
        once = {(n.kind, n.payment_ref, n.effect_ref, n.amount.amount) for ns in order for n in ns}
        assert once == {
            (Kind.CHARGEBACK, CAPTURE, f"{CAPTURE}:reversed", Decimal("880.00")),
            (Kind.REVERSAL, CAPTURE, f"{CAPTURE}:reversed", Decimal("880.00")),
        }


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("capture_completed", {"event_type": "CHECKOUT.ORDER.APPROVED"}, "not_paid_yet"),
        ("capture_completed", {"event_type": "PAYMENT.CAPTURE.PENDING"}, "not_paid_yet"),
        ("capture_completed", {"event_type": "PAYMENT.CAPTURE.DENIED"}, "did_not_succeed"),
        ("capture_completed", {"event_type": "BILLING.PLAN.CREATED"}, "unused_event"),
        ("capture_refunded", {"status": "FAILED"}, "did_not_succeed"),
        ("dispute_created", {}, "dispute_without_money"),
        ("dispute_resolved", {"dispute_life_cycle_stage": "INQUIRY"}, "dispute_without_money"),
        (
            "dispute_resolved",
            {"dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}},
            "told_by_refund_or_reversal",
        ),
    ],
)
def test_other_events_move_no_money(name: str, changes: dict[str, Any], reason: str) -> None:
    assert paypal.read(event(name, **changes), KEYS) == Ignored(reason)


@pytest.mark.parametrize(
    ("currency", "value", "amount"),
    [("HKD", "880.00", "880.00"), ("TWD", "1280", "1280.00"), ("JPY", "1280", "1280")],
)
def test_amounts_follow_the_currency(currency: str, value: str, amount: str) -> None:
    told = {"currency_code": currency, "value": value}

    assert read("capture_completed", amount=told)[0].amount == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"currency_code": "HKD", "value": "0.00"}},
        {"amount": {"currency_code": "HKD", "value": "-1.00"}},
        {"amount": {"currency_code": "HKD", "value": "1,000.00"}},
        {"amount": {"currency_code": "HKD", "value": 880}},
        {"amount": {"currency_code": "TWD", "value": "1280.50"}},
        {"amount": {"currency_code": "ZZZ", "value": "1.00"}},
        {"amount": "880.00"},
        {"id": None},
        {"create_time": "yesterday"},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        paypal.read(event("capture_completed", **changes), KEYS)


def settled(sale: Sale) -> Inbound:
    """A capture with all that PayPal tells of money, and the order's number elsewhere."""
    told = json.loads(EXAMPLE.payment(sale).body)
    capture = told["resource"]
    fee = {"currency_code": sale.money.currency, "value": "3"}
    capture["seller_receivable_breakdown"] = {"gross_amount": capture["amount"], "paypal_fee": fee}
    capture["supplementary_data"] = {"related_ids": {"order_id": capture.pop("invoice_id")}}
    capture["payer"]["email_address"] = f"{sale.ref}@example.com"
    return post(json.dumps(told).encode(), at=sale.at)


ALSO = (replace(EXAMPLE, variant="settled", payment=settled, later=()),)
