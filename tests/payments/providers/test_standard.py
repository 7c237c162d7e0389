"""Standard Webhooks, with the reference library of the specification as the second opinion."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import standard
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    NoticeLine,
    Outcome,
    Reason,
    Rejected,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "standard"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a test secret, nothing else").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret for testing").decode()


def post(body: bytes, *, secret: str = SECRET, at: datetime = NOON) -> Inbound:
    headers = standard.sign(body, secret=secret, message_id="msg_1", at=at)
    return Inbound("POST", "https://shop.example/callbacks/standard/t/", headers, body)


def with_header(request: Inbound, name: str, value: str) -> Inbound:
    return replace(request, headers={**request.headers, name: value})


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def changed(name: str, **data: Any) -> Inbound:
    event = json.loads(payload(name))
    event["data"].update(data)
    return post(json.dumps(event).encode())


def example_post(kind: str, message_id: str, at: datetime, **told: Any) -> Inbound:
    body = json.dumps({"type": kind, "data": told}).encode()
    headers = standard.sign(body, secret=SECRET, message_id=message_id, at=at)
    return Inbound("POST", url_of("standard"), headers, body)


def example_payment(sale: Sale, kind: str = "payment.succeeded") -> Inbound:
    return example_post(
        kind,
        f"{kind}-{sale.ref}",
        sale.at,
        payment_ref=sale.ref,
        amount=str(sale.money.amount),
        currency=sale.money.currency,
        paid_at=sale.at.isoformat(),
        member=sale.member_code,
        order_ref=sale.order_ref,
        customer={"wallet": f"wallet-{sale.ref}"},
    )


def example_correction(kind: str, name: str, told: Correction) -> Inbound:
    return example_post(
        kind,
        f"{kind}-{told.ref}",
        told.at,
        payment_ref=told.sale.ref,
        amount=str(told.amount),
        currency=told.sale.money.currency,
        occurred_at=told.at.isoformat(),
        **{name: told.ref},
    )


def resigned(request: Inbound, at: datetime) -> Inbound:
    key = request.headers.get("webhook-id", "msg_1")
    headers = standard.sign(request.body, secret=SECRET, message_id=key, at=at)
    return replace(request, headers=headers)


def vouched(request: Inbound) -> object:
    """Not the signatures themselves: there may be several, and one is enough."""
    return request.headers["webhook-id"], request.headers["webhook-timestamp"], request.body


EXAMPLE = Example(
    code="standard",
    keys=Keys((SECRET,), url=url_of("standard")),
    payment=example_payment,
    refund=lambda told: example_correction("refund.succeeded", "refund_ref", told),
    chargeback=lambda told: example_correction("chargeback.created", "chargeback_ref", told),
    reversal=lambda told: example_correction("chargeback.reversed", "chargeback_ref", told),
    currencies=("HKD", "CNY"),
    signed_headers=("webhook-id", "webhook-timestamp", "webhook-signature"),
    later=tuple(
        partial(example_payment, kind=f"payment.{state}")
        for state in ("pending", "failed", "expired", "finished")
    ),
    resign=resigned,
    vouched=vouched,
    other_keys=Keys((OTHER,)),
)


def with_basket(sale: Sale) -> Inbound:
    told = json.loads(example_payment(sale).body)
    told["data"] |= json.loads(payload("payment"))["data"] | told["data"]
    told["data"]["customer"]["phone"] = f"+852{sale.at:%H%M}{sum(sale.ref.encode()):04d}"
    told["data"]["lines"][0]["amount"] = str(sale.money.amount)
    return resigned(replace(example_payment(sale), body=json.dumps(told).encode()), sale.at)


ALSO = (replace(EXAMPLE, variant="basket", payment=with_basket, later=()),)


def test_a_signed_post_is_verified_under_its_message_id() -> None:
    assert standard.verify(post(payload("payment")), Keys((SECRET,)), NOON) == Verified("msg_1")


def test_our_signature_satisfies_the_reference_library() -> None:
    body = payload("payment")
    now = datetime.now(UTC)  # noqa: TID251 - the library reads the clock itself

    headers = standard.sign(body, secret=SECRET, message_id="msg_1", at=now)

    assert Webhook(SECRET).verify(body, headers) == json.loads(body)


def test_a_signature_of_the_reference_library_satisfies_us() -> None:
    body = payload("payment")
    given = Webhook(SECRET).sign("msg_1", NOON, body.decode())

    request = with_header(post(body), "webhook-signature", f"v1a,AAAA v1,AAAA {given}")

    assert standard.verify(request, Keys((SECRET,)), NOON) == Verified("msg_1")


def test_old_and_new_secret_both_hold_while_one_replaces_the_other() -> None:
    request = post(payload("payment"), secret=OTHER)

    assert standard.verify(request, Keys((SECRET, OTHER)), NOON) == Verified("msg_1")
    assert standard.verify(request, Keys((SECRET,)), NOON) == Rejected(Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("whsec_c2hvcnQ=",), ("¡no!",)])
def test_an_account_without_a_usable_secret_refuses(secrets: tuple[str, ...]) -> None:
    assert standard.verify(post(b"{}"), Keys(secrets), NOON) == Rejected(Reason.NO_SECRET)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-301, Reason.TOO_OLD), (301, Reason.TOO_NEW), (-300, None), (300, None)],
)
def test_the_stamp_may_be_five_minutes_off(seconds: int, reason: Reason | None) -> None:
    request = post(b"{}", at=NOON + timedelta(seconds=seconds))

    verdict = standard.verify(request, Keys((SECRET,)), NOON)

    assert (verdict.reason if isinstance(verdict, Rejected) else None) == reason


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        ("webhook-id", "", Reason.MISSING_SIGNATURE),
        ("webhook-id", "msg_2", Reason.BAD_SIGNATURE),
        ("webhook-id", "msg_1 ", Reason.MALFORMED),
        ("webhook-id", "x" * 201, Reason.MALFORMED),
        ("webhook-id", "收據", Reason.MALFORMED),
        ("webhook-timestamp", "", Reason.MISSING_SIGNATURE),
        ("webhook-timestamp", "١٧٦٣٧٢٦٤٠٠", Reason.MALFORMED),
        ("webhook-timestamp", "9" * 400, Reason.MALFORMED),
        ("webhook-timestamp", "1e9", Reason.MALFORMED),
        ("webhook-timestamp", "-5", Reason.MALFORMED),
        ("webhook-signature", "", Reason.MISSING_SIGNATURE),
        ("webhook-signature", "v1", Reason.BAD_SIGNATURE),
        ("webhook-signature", "v1,", Reason.BAD_SIGNATURE),
        ("webhook-signature", "v1,簽\udc80名", Reason.BAD_SIGNATURE),
        ("webhook-signature", "v1,@@@ ,,, v2,x", Reason.BAD_SIGNATURE),
    ],
)
def test_headers_that_are_not_right_are_refused(header: str, value: str, reason: Reason) -> None:
    verdict = standard.verify(with_header(post(b"{}"), header, value), Keys((SECRET,)), NOON)

    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason


def test_a_payment_is_read_with_its_basket_and_its_signs_of_the_payer() -> None:
    assert standard.read(post(payload("payment")), Keys()) == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref="TILL-1-000123",
            effect_ref="TILL-1-000123",
            amount=Money(Decimal("95.00"), "HKD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
            order_ref="A-77",
            member_code="M4K7Q2Z9P",
            store_code="central",
            method="octopus",
            clues=(
                Clue("phone", "+85255500100"),
                Clue("email", "mei@example.com"),
                Clue("wallet", "wallet-mei"),
            ),
            lines=(
                NoticeLine("LATTE", Decimal(2), Decimal("80.00"), "Latte", "drinks"),
                NoticeLine("BUN", Decimal(1), Decimal("15.00"), "菠蘿包", "bakery"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("name", "kind", "effect_ref"),
    [
        ("refund", Kind.REFUND, "TILL-1-R-9"),
        ("chargeback", Kind.CHARGEBACK, "CB-5"),
        ("chargeback_reversed", Kind.REVERSAL, "CB-5"),
    ],
)
def test_what_is_taken_back_names_the_payment(name: str, kind: Kind, effect_ref: str) -> None:
    notices = standard.read(post(payload(name)), Keys())

    assert isinstance(notices, list)
    assert [(n.kind, n.payment_ref, n.effect_ref, n.is_total) for n in notices] == [
        (kind, "TILL-1-000123", effect_ref, False)
    ]


def test_a_type_that_we_do_not_know_is_ignored() -> None:
    assert standard.read(post(b'{"type": "cart.updated"}'), Keys()) == Ignored("unknown_type")


@pytest.mark.parametrize(
    "data",
    [
        {"amount": 95.0},
        {"amount": 9500},
        {"amount": "0.00"},
        {"amount": "-95.00"},
        {"amount": "9_5"},
        {"amount": "９５.00"},
        {"amount": "1e3"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": "95.001"},
        {"amount": "1000000000000000.00"},
        {"amount": "9" * 5000},
        {"currency": "ZZZ"},
        {"currency": "XXX"},
        {"currency": ""},
        {"currency": None},
        {"currency": "JPY", "amount": "95.50"},
        {"paid_at": "2026-11-21T19:23:46"},
        {"paid_at": "2026-11-21"},
        {"paid_at": "2026-02-30T00:00:00Z"},
        {"paid_at": "0001-01-01T00:00:00+14:00"},
        {"paid_at": "9999-12-31T23:59:59-14:00"},
        {"paid_at": 1795281826},
        {"payment_ref": ""},
        {"payment_ref": 123},
        {"payment_ref": "x" * 101},
        {"payment_ref": "a\x00b"},
        {"payment_ref": "\ud800"},
        {"customer": "mei"},
        {"customer": {"E-mail": "mei@example.com"}},
        {"customer": {"phone": 55500100}},
        {"customer": {f"sign_{n}": "x" for n in range(21)}},
        {"lines": {}},
        {"lines": ["LATTE"]},
        {"lines": [{"sku": "LATTE", "amount": "-1.00"}]},
        {"lines": [{"sku": "LATTE", "amount": "80.00", "quantity": 0}]},
        {"lines": [{"sku": "LATTE", "amount": "80.00", "quantity": True}]},
        {"lines": [{"sku": "LATTE", "amount": "80.00", "quantity": "1.0005"}]},
        {"lines": [{"sku": "LATTE", "amount": "80.00", "quantity": 10**4000}]},
        {"lines": [{"amount": "80.00"}]},
        {"lines": [{"sku": "LATTE", "amount": "1.00"}] * 1001},
    ],
)
def test_values_that_cannot_be_true_are_malformed(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        standard.read(changed("payment", **data), Keys())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"type": "payment.succeeded", "type": "cart.updated"}',
        b'{"type": "payment.succeeded", "data": {"amount": NaN}}',
        b'{"type": "payment.succeeded", "data": {"amount": -Infinity}}',
        b'{"type": "payment.succeeded", "data": {"amount": 1e99999999999999999999}}',
        b'{"type": "payment.succeeded", "data": {"amount": ' + b"9" * 5000 + b"}}",
        b'{"type": ' + b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"type": "payment.succeeded"}',
        b'{"type": "payment.succeeded", "data": []}',
        b'{"type": ["payment.succeeded"]}',
    ],
)
def test_a_body_that_is_not_our_format_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        standard.read(post(body), Keys())


@pytest.mark.parametrize("name", ["order_ref", "member", "store", "method", "customer", "lines"])
def test_everything_beside_the_money_may_be_left_out(name: str) -> None:
    notices = standard.read(changed("payment", **{name: None}), Keys())

    assert isinstance(notices, list)
    assert notices[0].amount == Money(Decimal("95.00"), "HKD")


def test_duplicates_are_answered_like_the_first_and_trouble_asks_for_more() -> None:
    statuses = {outcome: standard.acknowledge(outcome).status for outcome in Outcome}

    assert statuses == {
        Outcome.ACCEPTED: 200,
        Outcome.DUPLICATE: 200,
        Outcome.REFUSED: 400,
    }


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all"])
def test_staff_cannot_enter_a_secret_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        standard.check_secret(secret)

    standard.check_secret(SECRET)
