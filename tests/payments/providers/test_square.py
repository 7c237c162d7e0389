"""Square's signature over URL and body, and effects that are told again and again."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import square
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

PAYLOADS = Path(__file__).parents[2] / "payloads" / "square"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "a-test-key-and-nothing-else"
OTHER = "another-key-only-for-tests"
KEYS = Keys((SECRET,), url=url_of("square"))
PAID = "TestOnlyPaid0001"


def signature(body: bytes, *, secret: str = SECRET, url: str = KEYS.url) -> str:
    mac = hmac.new(secret.encode(), url.encode() + body, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def post(body: bytes, header: str | None = None) -> Inbound:
    given = signature(body) if header is None else header
    return Inbound("POST", KEYS.url, {"x-square-hmacsha256-signature": given}, body)


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def event(name: str, **changes: Any) -> Inbound:
    told = payload(name)
    told["data"]["object"][told["data"]["type"]].update(changes)
    return post(json.dumps(told).encode())


def read(name: str, keys: Keys = KEYS, **changes: Any) -> list[Notice]:
    notices = square.read(event(name, **changes), keys)
    assert isinstance(notices, list)
    return notices


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = square.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def example_event(name: str, at: datetime, key: str, **changes: Any) -> Inbound:
    told = payload(name) | {"event_id": f"{name}-{key}"}
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    inner = told["data"]["object"][told["data"]["type"]]
    inner.update(changes, created_at=stamp, updated_at=stamp)
    return post(json.dumps(told).encode())


def money(amount: Decimal, currency: str) -> dict[str, Any]:
    return {"amount": minor(amount, 0 if currency == "JPY" else 2), "currency": currency}


def example_payment(sale: Sale, state: str = "COMPLETED") -> Inbound:
    return example_event(
        "payment.updated",
        sale.at,
        f"{state}-{sale.ref}",
        id=sale.ref,
        status=state,
        amount_money=money(sale.money.amount, sale.money.currency),
        reference_id=sale.member_code,
        order_id=sale.order_ref,
        customer_id=f"customer-{sale.ref}",
        buyer_email_address=None,
        card_details={},
    )


def example_correction(name: str, told: Correction) -> Inbound:
    return example_event(
        name,
        told.at,
        told.ref,
        id=told.ref,
        payment_id=told.sale.ref,
        disputed_payment={"payment_id": told.sale.ref},
        amount_money=money(told.amount, told.sale.money.currency),
    )


def resigned(request: Inbound, _at: datetime) -> Inbound:
    return post(request.body)


EXAMPLE = Example(
    code="square",
    keys=replace(
        KEYS,
        settings={
            "reference_id": "member",
            "merchant_id": "TESTONLYMERCHANT",
        },
    ),
    payment=example_payment,
    refund=lambda told: example_correction("refund.updated", told),
    chargeback=lambda told: example_correction("dispute.created", told),
    reversal=lambda told: example_correction("dispute.state.updated", told),
    currencies=("USD", "JPY"),
    signed_headers=("x-square-hmacsha256-signature",),
    later=tuple(
        partial(example_payment, state=state)
        for state in ("APPROVED", "PENDING", "CANCELED", "FAILED")
    ),
    resign=resigned,
    other_keys=Keys((OTHER,), url=KEYS.url),
)


def test_an_event_is_verified_under_its_id() -> None:
    assert square.verify(event("payment.updated"), KEYS, NOW) == Verified(
        "test-only-payment.updated"
    )


def test_the_registered_url_is_part_of_what_is_signed() -> None:
    body = json.dumps(payload("payment.updated")).encode()
    elsewhere = post(body, signature(body, url="https://proxy.internal/callbacks/square/token/"))

    assert reason_of(elsewhere) == Reason.BAD_SIGNATURE
    assert reason_of(post(body), replace(KEYS, url=KEYS.url.rstrip("/"))) == Reason.BAD_SIGNATURE
    assert reason_of(replace(post(body), url="/callbacks/square/token/?x=1")) is None


def test_old_and_new_key_both_hold_while_one_replaces_the_other() -> None:
    body = json.dumps(payload("payment.updated")).encode()
    by_old = post(body, signature(body, secret=OTHER))

    assert reason_of(by_old, replace(KEYS, secrets=(SECRET, OTHER))) is None
    assert reason_of(by_old) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        (" ", Reason.MISSING_SIGNATURE),
        ("1z2n3DEJJiUPKcPzQo1ftvbxGdw=", Reason.BAD_SIGNATURE),
        ("簽名", Reason.BAD_SIGNATURE),
        ("not base64", Reason.BAD_SIGNATURE),
    ],
)
def test_bad_signatures_are_refused(header: str, reason: Reason) -> None:
    assert reason_of(post(b"{}", header)) == reason


@pytest.mark.parametrize("keys", [Keys((), url=KEYS.url), Keys(("",), url=KEYS.url), Keys(("x",))])
def test_an_account_without_key_or_url_refuses(keys: Keys) -> None:
    body = b'{"event_id": "1"}'
    header = signature(body, secret=keys.secrets[0] if keys.secrets else "", url=keys.url)

    assert reason_of(post(body, header), keys) == Reason.NO_SECRET


@pytest.mark.parametrize(
    ("merchant", "reason"),
    [("", None), ("TESTONLYMERCHANT", None), ("ANOTHER", Reason.OTHER_MERCHANT)],
)
def test_notices_for_other_merchants_are_refused(merchant: str, reason: Reason | None) -> None:
    keys = replace(KEYS, settings={"merchant_id": merchant})

    assert reason_of(event("payment.updated"), keys) == reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"event_id":"a","event_id":"b"}'])
def test_a_genuine_post_that_is_no_event_is_refused(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED


def test_without_an_id_the_same_bytes_have_the_same_key() -> None:
    body = b'{"data": {"type": "webhooks", "id": ">id<"}}'

    first, again = (square.verify(post(body), KEYS, NOW) for _ in range(2))

    assert first == again
    assert isinstance(first, Verified)
    assert first.delivery_key.startswith("sha256:")


def test_a_payment_is_read_without_its_tip() -> None:
    assert read("payment.updated") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=PAID,
            effect_ref=PAID,
            amount=Money(Decimal("88.00"), "USD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, 120000, tzinfo=UTC),
            order_ref="WEB-1001",
            store_code="central",
            method="card",
            clues=(
                Clue("square_customer", "TESTONLYMEI"),
                Clue("email", "mei@example.com"),
                Clue("square_card", "sq-1-TestOnlyPrint"),
            ),
        )
    ]


def test_an_account_may_keep_the_member_in_the_reference() -> None:
    keys = replace(KEYS, settings={"reference_id": "member"})

    (payment,) = read("payment.updated", keys, reference_id="M4K7Q2Z9P")
    (other,) = read("payment.updated", keys, reference_id="table 5 & 6")

    assert (payment.member_code, payment.order_ref) == ("M4K7Q2Z9P", "TestOnlyOrder0001")
    assert other.member_code == ""


def test_a_payment_told_again_in_a_later_version_is_the_same_effect() -> None:
    later: dict[str, Any] = {
        "updated_at": "2026-11-23T11:23:46.120Z",
        "refunded_money": {"amount": 3000, "currency": "USD"},
        "version_token": "TestOnlyVersion9",
    }

    assert read("payment.updated", **later) == read("payment.updated")


@pytest.mark.parametrize(
    ("source", "method"),
    [
        ({"source_type": "CASH"}, "cash"),
        ({"source_type": "WALLET", "wallet_details": {"brand": "ALIPAY"}}, "alipay"),
        ({"source_type": "WALLET"}, "wallet"),
        ({"source_type": None}, ""),
    ],
)
def test_a_wallet_is_named_by_its_brand(source: dict[str, Any], method: str) -> None:
    assert read("payment.updated", **source)[0].method == method


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("payment.updated", {"status": "APPROVED"}, "not_captured_yet"),
        ("payment.updated", {"status": "PENDING"}, "not_paid_yet"),
        ("payment.updated", {"status": "CANCELED"}, "did_not_succeed"),
        ("payment.updated", {"status": "FAILED"}, "did_not_succeed"),
        ("payment.updated", {"status": "NEW"}, "unknown_status"),
        ("refund.updated", {"status": "PENDING"}, "refund_not_under_way"),
        ("refund.updated", {"status": "REJECTED"}, "did_not_succeed"),
        ("refund.updated", {"status": "FAILED"}, "did_not_succeed"),
        ("refund.updated", {"payment_id": None}, "refund_without_payment"),
        ("dispute.created", {"state": "INQUIRY_EVIDENCE_REQUIRED"}, "dispute_without_money"),
        ("dispute.created", {"state": "INQUIRY_CLOSED"}, "dispute_without_money"),
    ],
)
def test_what_is_not_final_moves_no_money(name: str, changes: dict[str, Any], reason: str) -> None:
    assert square.read(event(name, **changes), KEYS) == Ignored(reason)


def test_other_events_are_ignored() -> None:
    request = post(b'{"type": "webhooks.test_notification", "event_id": "1"}')

    assert square.read(request, KEYS) == Ignored("unused_event")


def test_a_refund_names_its_payment() -> None:
    (refund,) = read("refund.updated")

    assert (refund.kind, refund.payment_ref, refund.effect_ref) == (
        Kind.REFUND,
        PAID,
        "TestOnlyPaid0001_R1",
    )
    assert refund.amount == Money(Decimal("30.00"), "USD")


@pytest.mark.parametrize("lost", ["LOST", "ACCEPTED", "PROCESSING", "WAITING_THIRD_PARTY"])
def test_a_dispute_ends_in_the_same_books_in_every_order(lost: str) -> None:
    told = [
        read("dispute.created"),
        read("dispute.created", state=lost),
        read("dispute.state.updated"),
    ]

    for order in permutations(told):
        once = {(n.kind, n.effect_ref, n.amount) for notices in order for n in notices}
        assert once == {
            (Kind.CHARGEBACK, "TestOnlyDispute1", Money(Decimal("88.00"), "USD")),
            (Kind.REVERSAL, "TestOnlyDispute1", Money(Decimal("88.00"), "USD")),
        }


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "8800"), ("EUR", "88.00")])
def test_minor_units_follow_the_currency(currency: str, amount: str) -> None:
    (payment,) = read("payment.updated", amount_money={"amount": 8800, "currency": currency})

    assert payment.amount == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_money": {"amount": 0, "currency": "USD"}},
        {"amount_money": {"amount": -1, "currency": "USD"}},
        {"amount_money": {"amount": "8800", "currency": "USD"}},
        {"amount_money": {"amount": 8800, "currency": "ZZZ"}},
        {"amount_money": 8800},
        {"amount_money": None},
        {"id": None},
        {"created_at": "2026-11-21"},
        {"status": None},
        {"card_details": "none"},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        square.read(event("payment.updated", **changes), KEYS)


def test_duplicates_are_answered_like_the_first_and_trouble_asks_for_more() -> None:
    statuses = {outcome: square.acknowledge(outcome).status for outcome in Outcome}

    assert statuses == {
        Outcome.ACCEPTED: 200,
        Outcome.DUPLICATE: 200,
        Outcome.REFUSED: 400,
    }


@pytest.mark.parametrize(
    "secret", ["", "short", "EAAAEtest-only-access-token", "sq0csp-test-only-12", "a b" * 9]
)
def test_staff_cannot_enter_a_secret_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        square.check_secret(secret)

    square.check_secret(SECRET)
