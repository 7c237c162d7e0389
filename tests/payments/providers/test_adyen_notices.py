"""What Adyen's notices mean: captures, refunds and disputes in any order."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from kit.money import Money
from payments.providers import adyen
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
)
from tests.payments.providers.example import Sale
from tests.payments.providers.test_adyen import (
    EXAMPLE,
    KEYS,
    MANUAL,
    PAID,
    PASSWORD,
    SECRET,
    balance,
    brief,
    example_correction,
    example_post,
    inner,
    notice,
    post,
    read,
    signed,
)


def test_a_payment_is_read() -> None:
    assert read("authorisation") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=PAID,
            effect_ref=PAID,
            amount=Money(Decimal("880.00"), "HKD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
            order_ref="WEB-1001",
            member_code="M4K7Q2Z9P",
            store_code="online",
            method="visa",
            clues=(
                Clue("adyen_shopper", "shopper-mei"),
                Clue("email", "mei@example.com"),
                Clue("adyen_card", "TESTONLYALIAS01"),
            ),
            payer_country="SG",
        )
    ]


@pytest.mark.parametrize("keys", [KEYS, Keys((SECRET, "adyen:another-password"))])
def test_without_basic_authentication_nobody_is_believed_to_be_the_payer(keys: Keys) -> None:
    (payment,) = read("authorisation", keys)

    assert (payment.member_code, payment.store_code, payment.clues) == ("", "", ())
    assert payment.order_ref == "WEB-1001"


def test_with_manual_capture_the_capture_is_the_payment() -> None:
    captured = read("capture", MANUAL)

    assert adyen.read(notice("authorisation"), MANUAL) == Ignored("not_captured_yet")
    assert adyen.read(notice("capture"), KEYS) == Ignored("told_by_authorisation")
    assert brief(captured) == [(Kind.PAYMENT, PAID, "TESTONLYCAPT0001")]


def test_what_was_never_captured_is_taken_back_only_where_it_had_counted() -> None:
    cancelled = {"eventCode": "CANCELLATION"}
    technical = {"eventCode": "TECHNICAL_CANCEL"}
    either = {"additionalData": {"modification.action": "cancel"}}

    assert brief(read("refund", KEYS, **cancelled)) == [(Kind.REFUND, PAID, "TESTONLYREFU0001")]
    assert brief(read("refund", KEYS, **technical)) == [(Kind.REFUND, PAID, "TESTONLYREFU0001")]
    assert brief(read("cancel_or_refund", KEYS, **either)) == [
        (Kind.REFUND, PAID, "TESTONLYCANC0001")
    ]
    for request in (notice("refund", **cancelled), notice("cancel_or_refund", **either)):
        assert adyen.read(request, MANUAL) == Ignored("cancelled_before_capture")


@pytest.mark.parametrize("keys", [KEYS, MANUAL])
def test_a_refund_and_a_failed_capture_take_back(keys: Keys) -> None:
    assert brief(read("refund", keys)) == [(Kind.REFUND, PAID, "TESTONLYREFU0001")]
    assert brief(read("cancel_or_refund", keys)) == [(Kind.REFUND, PAID, "TESTONLYCANC0001")]
    assert brief(read("capture", keys, eventCode="CAPTURE_FAILED")) == [
        (Kind.REFUND, PAID, "TESTONLYCAPT0001")
    ]


@pytest.mark.parametrize("event", ["REFUND_FAILED", "REFUNDED_REVERSED"])
def test_a_refund_that_came_back_leaves_nothing_in_every_order(event: str) -> None:
    told = [read("refund"), read("refund_failed", eventCode=event), read("refund")]

    for order in permutations(told):
        assert balance([notice for notices in order for notice in notices]) == 0


def test_a_dispute_goes_back_and_forth_under_one_reference() -> None:
    first, won, lost = read("chargeback"), read("chargeback_reversed"), read("second_chargeback")

    assert {n.payment_ref for n in (*first, *won, *lost)} == {PAID}
    assert balance(first) == Decimal("880.00")
    assert balance(first + won) == balance(won) == 0
    for order in permutations([first, won, lost]):
        assert balance([notice for notices in order for notice in notices]) == Decimal("880.00")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("authorisation", {"success": "false"}, "did_not_succeed"),
        ("refund", {"success": "false"}, "did_not_succeed"),
        ("authorisation", {"amount": {"value": 0, "currency": "HKD"}}, "nothing_charged"),
        ("notification_of_chargeback", {}, "unused_event"),
        ("authorisation", {"eventCode": "REPORT_AVAILABLE"}, "unused_event"),
    ],
)
def test_other_notices_move_no_money(name: str, changes: dict[str, Any], reason: str) -> None:
    assert adyen.read(notice(name, **changes), KEYS) == Ignored(reason)


@pytest.mark.parametrize(
    ("currency", "value", "amount"),
    [
        ("HKD", 88000, "880.00"),
        ("TWD", 128000, "1280.00"),
        ("JPY", 1280, "1280"),
        ("IDR", 15000, "15000.00"),
        ("ISK", 128000, "1280"),
        ("CLP", 128000, "1280"),
        ("CVE", 1280, "1280.00"),
        ("KWD", 1280, "1.280"),
    ],
)
def test_minor_units_follow_the_table_of_adyen(currency: str, value: int, amount: str) -> None:
    (paid,) = read("authorisation", amount={"currency": currency, "value": value})

    assert paid.amount == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"currency": "HKD", "value": -5}},
        {"amount": {"currency": "ISK", "value": 128050}},
        {"amount": {"currency": "ZZZ", "value": 5}},
        {"amount": {"currency": "HKD"}},
        {"amount": {"currency": "HKD", "value": "88000"}},
        {"amount": {"currency": "HKD", "value": 880.5}},
        {"pspReference": ""},
        {"eventDate": "yesterday"},
        {"eventDate": None},
        {"eventCode": None},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        adyen.read(notice("authorisation", **changes), KEYS)


def captured(sale: Sale, event: str = "CAPTURE", success: str = "true") -> Inbound:
    """Where payments are captured later, the capture is the payment."""
    return example_post(
        "capture",
        sale,
        sale.at,
        eventCode=event,
        success=success,
        pspReference=f"{event[:7]}-{sale.ref}",
        originalReference=sale.ref,
        additionalData={"metadata.member_id": sale.member_code},
    )


def batch(sale: Sale) -> Inbound:
    """Two items in one post, as older set-ups send them, without basic authentication."""
    told = json.loads(EXAMPLE.payment(sale).body)
    report = json.loads(EXAMPLE.payment(sale).body)
    inner(report)["eventCode"] = "REPORT_AVAILABLE"
    told["notificationItems"] += report["notificationItems"]
    return post(signed(told))


ALSO = (
    replace(
        EXAMPLE,
        variant="captured",
        keys=Keys((SECRET, PASSWORD), {"capture": "manual"}),
        payment=captured,
        refund=lambda told: example_correction("cancel_or_refund", told),
        later=(
            EXAMPLE.payment,
            partial(captured, event="CANCELLATION"),
            partial(captured, event="TECHNICAL_CANCEL"),
            partial(captured, success="false"),
        ),
        besides=(
            lambda told: example_correction("refund_failed", told),
            lambda told: example_correction("second_chargeback", told),
            lambda told: example_correction("notification_of_chargeback", told),
        ),
    ),
    replace(
        EXAMPLE,
        variant="batch",
        keys=Keys((SECRET,)),
        payment=batch,
        signed_headers=(),
        later=(),
    ),
)
