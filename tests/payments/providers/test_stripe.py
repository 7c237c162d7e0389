"""Stripe's signature and what its events mean, above all refunds in any order."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
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
from tests.payments.providers.example import Correction, Example, Sale, minor, url_of

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


def example_event(name: str, at: datetime, key: str, **changes: Any) -> Inbound:
    told = json.loads(payload(name))
    told |= {"id": f"evt_{key}", "created": int(at.timestamp())}
    told["data"]["object"].update(changes)
    body = json.dumps(told).encode()
    return Inbound("POST", url_of("stripe"), {"stripe-signature": signature(body, at=at)}, body)


def example_payment(sale: Sale) -> Inbound:
    return example_event(
        "payment_intent.succeeded",
        sale.at,
        f"paid-{sale.ref}",
        id=sale.ref,
        amount_received=minor(sale.money.amount, 2),
        currency=sale.money.currency.lower(),
        customer=f"cus_{sale.ref}",
        receipt_email=None,
        metadata={"member_id": sale.member_code, "order_id": sale.order_ref},
    )


def example_state(kind: str, sale: Sale) -> Inbound:
    """Another event about the same payment intent, or about its charge or checkout session."""
    name = "charge.succeeded" if kind.startswith("charge.") else "payment_intent.succeeded"
    own = {"id": sale.ref}
    if not kind.startswith("payment_intent."):
        own = {"id": f"{kind}-{sale.ref}", "payment_intent": sale.ref}
    key = f"{kind}-{sale.ref}"
    told = json.loads(example_event(name, sale.at, key, **own).body) | {"type": kind}
    told["data"]["object"]["currency"] = sale.money.currency.lower()
    return resigned(post(json.dumps(told).encode()), sale.at)


def example_correction(name: str, told: Correction, **changes: Any) -> Inbound:
    return example_event(
        name,
        told.at,
        f"{name}-{told.ref}",
        id=told.ref,
        payment_intent=told.sale.ref,
        amount=minor(told.amount, 2),
        currency=told.sale.money.currency.lower(),
        created=int(told.at.timestamp()),
        **changes,
    )


def resigned(request: Inbound, at: datetime) -> Inbound:
    return replace(request, headers={"stripe-signature": signature(request.body, at=at)})


def vouched(request: Inbound) -> object:
    """Not the signatures themselves: there may be several, and one is enough."""
    return request.headers["stripe-signature"].partition(",")[0], request.body


EXAMPLE = Example(
    code="stripe",
    keys=Keys((SECRET,), url=url_of("stripe")),
    payment=example_payment,
    refund=lambda told: example_correction("refund.created", told),
    chargeback=lambda told: example_correction("charge.dispute.funds_withdrawn", told),
    reversal=lambda told: example_correction(
        "charge.dispute.funds_reinstated", told, balance_transactions=[]
    ),
    currencies=("HKD", "EUR"),
    signed_headers=("stripe-signature",),
    later=tuple(
        partial(example_state, kind)
        for kind in (
            "payment_intent.created",
            "payment_intent.processing",
            "payment_intent.payment_failed",
            "payment_intent.canceled",
            "charge.pending",
            "charge.succeeded",
            "charge.captured",
            "charge.failed",
            "charge.expired",
            "checkout.session.completed",
            "checkout.session.expired",
            "checkout.session.async_payment_failed",
        )
    ),
    resign=resigned,
    vouched=vouched,
    other_keys=Keys((OTHER,)),
)


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


def test_a_card_tells_of_which_country_it_is() -> None:
    (paid,) = read("charge.succeeded", payment_intent=None)

    assert paid.payer_country == "HK"
