"""What Antom's notices mean: payments, captures, refunds and disputes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any
from urllib.parse import urlsplit

import pytest

from kit.money import Money
from payments.providers import antom
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Kind,
    MalformedPayload,
    Notice,
    Reason,
)
from tests.payments.providers.example import Correction, Sale, url_of
from tests.payments.providers.test_antom import (
    BY_HAND,
    EXAMPLE,
    KEYS,
    NOW,
    OTHER_KEY,
    PAYMENT,
    amount_of,
    example_dispute,
    key_of,
    notice,
    payload,
    post,
    read,
    reason_of,
    taken_back,
)


def test_a_payment_is_read() -> None:
    assert read("payment") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=PAYMENT,
            effect_ref=PAYMENT,
            amount=Money(Decimal("128.50"), "HKD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
            order_ref="SHOP-4001",
            member_code="M4K7Q2Z9P",
            store_code="central",
            method="alipay_hk",
            clues=(Clue("antom_customer", "ALIPAY_HK:2160000000000042"),),
            payer_country="HK",
        )
    ]


def test_a_card_says_its_country_and_a_fixed_rate_its_settlement() -> None:
    payment = read("card_payment")[0]

    assert (payment.method, payment.payer_country, payment.clues) == ("card", "JP", ())
    assert payment.amount == Money(Decimal(1280), "JPY")
    assert payment.settled == Money(Decimal("66.56"), "HKD")


@pytest.mark.parametrize(
    ("wallet", "country"),
    [("GCASH", "PH"), ("TNG", "MY"), ("DANA", "ID"), ("ALIPAY_CN", "CN"), ("NEW_WALLET", "")],
)
def test_a_wallet_is_the_method_and_tells_the_payers_country(wallet: str, country: str) -> None:
    payment = read("payment", paymentMethodType=wallet)[0]

    assert (payment.method, payment.payer_country) == (wallet.lower(), country)


@pytest.mark.parametrize(
    ("currency", "value", "amount"),
    [("TWD", "128000", "1280.00"), ("IDR", "30000", "300.00"), ("KRW", "5000", "5000")],
)
def test_minor_units_follow_iso(currency: str, value: str, amount: str) -> None:
    payment = read("payment", paymentAmount={"currency": currency, "value": value})[0]

    assert payment.amount == Money(Decimal(amount), currency)


def test_a_period_of_a_subscription_is_a_payment() -> None:
    payment = read("payment", notifyType=None, paymentRequestId=None, subscriptionId="S1")[0]

    assert (payment.kind, payment.payment_ref) == (Kind.PAYMENT, PAYMENT)


def test_cards_that_are_captured_by_hand_count_once_they_are_captured() -> None:
    captured = read("capture", BY_HAND)

    assert antom.read(notice("card_payment"), BY_HAND) == Ignored("not_captured_yet")
    assert [(n.kind, n.payment_ref, n.amount) for n in captured] == [
        (Kind.PAYMENT, "20261121190741010007000000000043", Money(Decimal(1280), "JPY"))
    ]
    assert antom.read(notice("capture"), KEYS) == Ignored("told_by_payment_result")
    assert read("payment", BY_HAND) == read("payment")


def test_a_refund_finds_its_payment_in_what_the_merchant_sent_along() -> None:
    refund = read("refund")[0]

    assert (refund.kind, refund.payment_ref, refund.effect_ref) == (
        Kind.REFUND,
        PAYMENT,
        "20261122190741020007000000000042",
    )
    assert (refund.amount, refund.is_total) == (Money(Decimal("28.50"), "HKD"), False)
    assert read("refund", metadata=None, paymentId=PAYMENT) == [refund]


@pytest.mark.parametrize("metadata", [None, "", "M4K7Q2Z9P", "{", "[]", '{"payment_id": 5}', "{}"])
def test_a_refund_that_names_no_payment_is_left_to_staff(metadata: str | None) -> None:
    request = notice("refund", metadata=metadata)

    assert reason_of(request) is None
    assert antom.read(request, KEYS) == Ignored("refund_names_no_payment")


def test_a_time_that_antom_leaves_out_is_that_of_the_signature() -> None:
    assert read("refund", refundTime=None)[0].occurred_at == NOW


def test_a_dispute_takes_the_money_and_a_judgment_for_the_merchant_returns_it() -> None:
    opened = read("dispute_created")
    won = read("dispute_judged")
    cancelled = read("dispute_created", disputeNotificationType="DISPUTE_CANCELLED")

    assert [(n.kind, n.payment_ref, n.effect_ref) for n in opened] == [
        (Kind.CHARGEBACK, PAYMENT, "20261201190741030007000000000042")
    ]
    assert taken_back(opened) == Decimal("100.00")
    for order in permutations([opened, won, cancelled]):
        assert taken_back([n for notices in order for n in notices]) == 0
    assert taken_back(won) == taken_back(cancelled) == 0


def test_a_lost_dispute_takes_what_was_judged() -> None:
    lost: dict[str, Any] = {"disputeJudgedResult": "ACCEPT_BY_MERCHANT"}
    part = {"currency": "HKD", "value": "4000"}

    whole = read("dispute_judged", **lost)
    less = read("dispute_judged", **lost, disputeJudgedAmount=part)
    alone = read("dispute_judged", **lost, disputeJudgedAmount=part, disputeAmount=None)

    assert whole == read("dispute_created")
    assert taken_back(read("dispute_created") + less) == Decimal("40.00")
    assert taken_back(alone) == Decimal("40.00")


@pytest.mark.parametrize("kind", ["RDR_RESOLVED", "DISPUTE_ACCEPTED"])
def test_what_is_settled_at_once_is_the_same_chargeback(kind: str) -> None:
    assert read("dispute_created", disputeNotificationType=kind) == read("dispute_created")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("payment", {"notifyType": "PAYMENT_PENDING"}, "not_paid_yet"),
        ("payment", {"result": {"resultStatus": "F"}}, "did_not_succeed"),
        ("payment", {"result": {"resultStatus": "U"}}, "did_not_succeed"),
        ("payment", {"notifyType": "UPDATE_AMOUNT_RESULT"}, "unused_event"),
        ("payment", {"notifyType": None}, "unused_event"),
        ("capture", {"result": {"resultStatus": "F"}}, "capture_failed"),
        ("refund", {"refundStatus": "FAIL"}, "refund_failed"),
        ("dispute_created", {"disputeType": "RETRIEVAL_REQUEST"}, "dispute_without_money"),
        ("dispute_created", {"disputeType": "COMPLIANCE_REQUEST"}, "dispute_without_money"),
        (
            "dispute_created",
            {"disputeNotificationType": "DEFENSE_SUPPLIED"},
            "dispute_without_money",
        ),
        ("dispute_judged", {"disputeJudgedResult": "VALIDATE_FAIL"}, "dispute_without_money"),
        ("dispute_judged", {"disputeJudgedResult": None}, "dispute_without_money"),
    ],
)
def test_other_notices_move_no_money(name: str, changes: dict[str, Any], reason: str) -> None:
    request = notice(name, **changes)

    assert reason_of(request) is None
    assert antom.read(request, KEYS) == Ignored(reason)


def test_each_state_of_an_effect_is_a_delivery_of_its_own() -> None:
    requests = [
        notice("payment"),
        notice("payment", notifyType="PAYMENT_PENDING"),
        notice("payment", result={"resultStatus": "F"}),
        notice("capture"),
        notice("refund"),
        notice("refund", refundStatus="FAIL"),
        notice("dispute_created"),
        notice("dispute_judged"),
        notice("dispute_judged", disputeJudgedResult="ACCEPT_BY_MERCHANT"),
        notice("payment", paymentId=None),
    ]

    assert len({key_of(request) for request in requests}) == len(requests)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("payment", {"paymentAmount": None}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "0"}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "-1"}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "1,000.00"}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "128.50"}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "NaN"}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": "9" * 17}}),
        ("payment", {"paymentAmount": {"currency": "HKD", "value": 12850}}),
        ("payment", {"paymentAmount": {"currency": "ZZZ", "value": "12850"}}),
        ("payment", {"paymentAmount": "HKD 128.50"}),
        ("payment", {"paymentId": None}),
        ("payment", {"paymentId": "x" * 101}),
        ("payment", {"paymentTime": None}),
        ("payment", {"paymentTime": "2026-11-21 19:23:46"}),
        ("payment", {"result": None}),
        ("payment", {"grossSettlementAmount": {"currency": "HKD", "value": "?"}}),
        ("refund", {"refundId": None}),
        ("refund", {"refundAmount": None}),
        ("dispute_created", {"disputeAmount": None}),
        ("dispute_created", {"paymentId": None}),
        ("dispute_judged", {"disputeAmount": None}),
        ("dispute_judged", {"disputeJudgedTime": "soon"}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        antom.read(notice(name, **changes), KEYS)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b'{"a": NaN}', b'{"paymentId": "1", "paymentId": "2"}', b"[" * 9999],
)
def test_a_signed_body_that_is_no_notice_is_malformed(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        antom.read(post(body), KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": "謝謝光臨"},
        {"metadata": {"member": "M4K7Q2Z9P"}},
        {"pspCustomerInfo": {"pspCustomerId": "x" * 300}},
        {"paymentMethodType": ["ALIPAY_HK"]},
        {"paymentResultInfo": {"issuingCountry": "Hong Kong"}, "paymentMethodType": "CARD"},
    ],
)
def test_a_useless_side_remark_does_not_hold_up_the_money(changes: dict[str, Any]) -> None:
    assert read("payment", **changes)[0].amount.amount == Decimal("128.50")


CAPTURED_URL = url_of("antom", "captured")
CAPTURED_PATH = urlsplit(CAPTURED_URL).path


def by_hand(told: dict[str, Any], at: datetime) -> Inbound:
    return post(json.dumps(told).encode(), at, path=CAPTURED_PATH)


def captured(sale: Sale, status: str = "S") -> Inbound:
    told = payload(
        "capture",
        result={"resultCode": "SUCCESS", "resultStatus": status},
        paymentId=sale.ref,
        captureId=f"captured-{sale.ref}",
        captureRequestId=sale.order_ref or sale.ref,
        captureAmount=amount_of(sale.money.amount, sale.money.currency),
        captureTime=sale.at.isoformat(timespec="seconds"),
    )
    return by_hand(told, sale.at)


def authorised(sale: Sale) -> Inbound:
    return by_hand(payload("card_payment", paymentId=sale.ref), sale.at)


def named_refund(refund: Correction) -> Inbound:
    """A refund that names its payment, and in place of the amount the one that it is made of."""
    told = json.loads(EXAMPLE.refund(refund).body) if EXAMPLE.refund else {}
    told |= {"paymentId": refund.sale.ref, "refundFromAmount": told.pop("refundAmount")}
    return by_hand(told | {"metadata": None, "refundTime": None}, refund.at)


def dispute(name: str, changes: dict[str, Any], told: Correction) -> Inbound:
    return by_hand(json.loads(example_dispute(name, told).body) | changes, told.at)


ALSO = (
    replace(
        EXAMPLE,
        variant="captured",
        keys=replace(BY_HAND, url=CAPTURED_URL),
        payment=captured,
        refund=named_refund,
        chargeback=partial(
            dispute,
            "dispute_judged",
            {"disputeJudgedResult": "ACCEPT_BY_MERCHANT", "disputeJudgedTime": None},
        ),
        reversal=partial(
            dispute, "dispute_created", {"disputeNotificationType": "DISPUTE_CANCELLED"}
        ),
        later=(authorised, partial(captured, status="F")),
        besides=(partial(dispute, "dispute_created", {"disputeType": "RETRIEVAL_REQUEST"}),),
        resign=lambda request, at: post(request.body, at, path=CAPTURED_PATH),
        other_keys=replace(BY_HAND, secrets=(OTHER_KEY,), url=CAPTURED_URL),
    ),
)
