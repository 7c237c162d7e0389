"""Stripe's signature and what its events mean, above all refunds in any order."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import stripe
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Verified,
)

PAYLOADS = Path(__file__).parents[2] / "payloads" / "stripe"
PAID_AT = datetime.fromtimestamp(1795281826, UTC)
SECRET = "whsec_a-test-secret-and-nothing-else"
OTHER = "whsec_another-secret-only-for-tests"
KEYS = Keys((SECRET,))
INTENT = "pi_TestOnlyMei0001"


def signature(body: bytes, *, secret: str = SECRET, at: datetime = PAID_AT) -> str:
    stamp = str(int(at.timestamp()))
    signed = stamp.encode() + b"." + body
    return f"t={stamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def post(body: bytes, header: str | None = None) -> Inbound:
    headers = {"stripe-signature": signature(body) if header is None else header}
    return Inbound("POST", "https://shop.example/callbacks/stripe/t/", headers, body)


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def event(name: str, **changes: Any) -> Inbound:
    changed = json.loads(payload(name))
    changed["data"]["object"].update(changes)
    return post(json.dumps(changed).encode())


def read(name: str, **changes: Any) -> list[Notice]:
    notices = stripe.read(event(name, **changes), KEYS)
    assert isinstance(notices, list)
    return notices


def taken_back(notices: list[Notice]) -> Decimal:
    """The sum as the contract in base.Notice words it, from effects that are each kept once."""
    once = {(n.payment_ref, n.kind, n.effect_ref): n for n in notices}
    sums = dict.fromkeys(Kind, Decimal(0))
    totals = [Decimal(0)]
    for notice in once.values():
        if notice.is_total:
            totals.append(notice.amount.amount)
        else:
            sums[notice.kind] += notice.amount.amount
    refunded = max(*totals, sums[Kind.REFUND])
    return refunded + sums[Kind.CHARGEBACK] - sums[Kind.REVERSAL]


def test_a_signed_event_is_verified_under_its_id() -> None:
    body = payload("payment_intent.succeeded")

    assert stripe.verify(post(body), KEYS, PAID_AT) == Verified("evt_TestOnly0001")


def test_any_secret_and_any_v1_may_match_while_a_secret_rolls() -> None:
    body = payload("payment_intent.succeeded")
    by_old = signature(body, secret=OTHER)
    both = f"{by_old},{signature(body).partition(',')[2]},v0=abc"

    assert stripe.verify(post(body, both), KEYS, PAID_AT) == Verified("evt_TestOnly0001")
    assert stripe.verify(post(body, by_old), Keys((SECRET, OTHER)), PAID_AT) == Verified(
        "evt_TestOnly0001"
    )
    assert stripe.verify(post(body, by_old), KEYS, PAID_AT) == Rejected(Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(301, Reason.TOO_OLD), (-301, Reason.TOO_NEW), (300, None), (-300, None)],
)
def test_the_stamp_may_be_five_minutes_off_both_ways(seconds: int, reason: Reason | None) -> None:
    request = post(payload("payment_intent.succeeded"))

    verdict = stripe.verify(request, KEYS, PAID_AT + timedelta(seconds=seconds))

    assert (verdict.reason if isinstance(verdict, Rejected) else None) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        ("not a header at all", Reason.MALFORMED),
        ("t=1795281826", Reason.MALFORMED),
        ("t=1795281826,v0=" + "0" * 64, Reason.MALFORMED),
        ("v1=" + "0" * 64, Reason.MALFORMED),
        ("t=1795281826,t=1795281827,v1=" + "0" * 64, Reason.MALFORMED),
        ("t=١٢٣,v1=00", Reason.MALFORMED),
        ("t=" + "9" * 5000 + ",v1=00", Reason.MALFORMED),
        ("t=1795281826,v1=" + "0" * 64, Reason.BAD_SIGNATURE),
        ("t=1795281826,v1=簽\udc80", Reason.BAD_SIGNATURE),
        ("t=1795281826,v1=", Reason.BAD_SIGNATURE),
    ],
)
def test_headers_that_are_not_right_are_refused(header: str, reason: Reason) -> None:
    verdict = stripe.verify(post(b"{}", header), KEYS, PAID_AT)

    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason


@pytest.mark.parametrize("secrets", [(), ("",), (" ",), ("whsec_",)])
def test_an_account_without_a_usable_secret_refuses(secrets: tuple[str, ...]) -> None:
    body = b'{"id": "evt_1"}'
    request = post(body, signature(body, secret=secrets[0] if secrets else ""))

    assert stripe.verify(request, Keys(secrets), PAID_AT) == Rejected(Reason.NO_SECRET)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id": 5}', b'{"id":"a","id":"b"}'])
def test_a_genuine_post_without_an_id_is_refused(body: bytes) -> None:
    verdict = stripe.verify(post(body), KEYS, PAID_AT)

    assert isinstance(verdict, Rejected)
    assert verdict.reason == Reason.MALFORMED


def test_a_payment_is_read_from_the_payment_intent() -> None:
    assert read("payment_intent.succeeded") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=INTENT,
            effect_ref=INTENT,
            amount=Money(Decimal("880.00"), "HKD"),
            occurred_at=PAID_AT,
            order_ref="WEB-1001",
            member_code="M4K7Q2Z9P",
            store_code="online",
            method="card",
            clues=(Clue("stripe_customer", "cus_TestOnlyMei"), Clue("email", "mei@example.com")),
        )
    ]


def test_the_card_is_a_clue_where_the_charge_is_expanded() -> None:
    charge = json.loads(payload("charge.succeeded"))["data"]["object"]

    new = read("payment_intent.succeeded", latest_charge=charge)
    old = read("payment_intent.succeeded", charges={"data": [charge]})

    assert new[0].clues[-1] == old[0].clues[-1] == Clue("stripe_card", "TestOnlyPrint001")


def test_the_charge_of_a_payment_intent_is_not_a_second_payment() -> None:
    assert stripe.read(event("charge.succeeded"), KEYS) == Ignored("told_by_payment_intent")


def test_a_charge_without_payment_intent_is_the_payment() -> None:
    paid = read("charge.succeeded", payment_intent=None)
    refunded = read("refund.created", payment_intent=None)

    assert [(n.kind, n.payment_ref) for n in paid] == [(Kind.PAYMENT, "ch_TestOnlyMei0001")]
    assert refunded[0].payment_ref == "ch_TestOnlyMei0001"
    assert stripe.read(
        event("charge.succeeded", payment_intent=None, captured=False), KEYS
    ) == Ignored("not_captured_yet")


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("hkd", 88000, "880.00"),
        ("twd", 128000, "1280.00"),
        ("jpy", 1280, "1280"),
        ("krw", 1280, "1280"),
        ("isk", 128000, "1280"),
        ("ugx", 128000, "1280"),
        ("huf", 128050, "1280.50"),
        ("kwd", 1280, "1.280"),
    ],
)
def test_minor_units_follow_the_table_of_stripe(currency: str, minor: int, amount: str) -> None:
    notices = read("payment_intent.succeeded", currency=currency, amount_received=minor)

    assert notices[0].amount == Money(Decimal(amount), currency.upper())


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


@pytest.mark.parametrize("kind", ["charge.dispute.created", "payout.paid", "v2.core.event"])
def test_other_events_are_ignored(kind: str) -> None:
    body = json.dumps({"id": "evt_1", "type": kind, "created": 1}).encode()

    assert stripe.read(post(body), KEYS) == Ignored("unused_event")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("payment_intent.succeeded", {"amount_received": 0}),
        ("payment_intent.succeeded", {"amount_received": -1}),
        ("payment_intent.succeeded", {"amount_received": 1.5}),
        ("payment_intent.succeeded", {"amount_received": "88000"}),
        ("payment_intent.succeeded", {"amount_received": True}),
        ("payment_intent.succeeded", {"amount_received": 10**4000}),
        ("payment_intent.succeeded", {"currency": "zzz"}),
        ("payment_intent.succeeded", {"currency": ["hkd"]}),
        ("payment_intent.succeeded", {"currency": "isk", "amount_received": 128050}),
        ("payment_intent.succeeded", {"id": None}),
        ("payment_intent.succeeded", {"id": "\ud800"}),
        ("payment_intent.succeeded", {"charges": "none"}),
        ("charge.refunded", {"amount_refunded": None}),
        ("charge.refunded", {"id": "c" * 100}),
        ("refund.created", {"payment_intent": None, "charge": None}),
        ("refund.created", {"status": "on_the_moon"}),
        ("refund.created", {"created": 10**30}),
        ("refund.created", {"created": 5}),
        ("charge.dispute.funds_withdrawn", {"amount": 0}),
        ("charge.dispute.funds_reinstated", {"balance_transactions": [1]}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        stripe.read(event(name, **changes), KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": []},
        {"metadata": {"member_id": 5, "order_id": "x" * 500, "store": "\x00"}},
        {"receipt_email": "x" * 300},
        {"payment_method_types": [7]},
        {"customer": None},
    ],
)
def test_a_useless_side_remark_does_not_hold_up_the_money(changes: dict[str, Any]) -> None:
    assert read("payment_intent.succeeded", **changes)[0].amount.amount == Decimal("880.00")


def test_duplicates_are_answered_like_the_first_and_trouble_asks_for_more() -> None:
    statuses = {outcome: stripe.acknowledge(outcome).status for outcome in Outcome}

    assert statuses == {
        Outcome.ACCEPTED: 200,
        Outcome.DUPLICATE: 200,
        Outcome.REFUSED: 400,
    }


@pytest.mark.parametrize("secret", ["", "whsec_", "sk_live_of-the-wrong-kind-entirely"])
def test_staff_cannot_enter_a_secret_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        stripe.check_secret(secret)

    stripe.check_secret(SECRET)
