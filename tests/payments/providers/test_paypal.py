"""PayPal's notices, signed here with a certificate that exists only for these tests."""

import base64
import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret
from payments.providers import paypal
from payments.providers.base import (
    Inbound,
    Keys,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "paypal"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CERTIFICATE = (PAYLOADS / "test-only-certificate.pem").read_text()
ISSUER = (PAYLOADS / "test-only-issuer.pem").read_text()
OF_ANOTHER = (PAYLOADS / "test-only-certificate-of-another.pem").read_text()
CERT_URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-test-only"
WEBHOOK = "TESTONLYWEBHOOK1"
KEYS = Keys((CERTIFICATE,), {"webhook_id": WEBHOOK})
CAPTURE = "TESTONLYCAPTURE1"


@cache
def private_key() -> RSAPrivateKey:
    key = load_pem_private_key((PAYLOADS / "test-only-private-key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def headers_of(body: bytes, *, webhook: str = WEBHOOK, at: datetime = NOW) -> dict[str, str]:
    message_id, stamp = "test-only-transmission", at.strftime("%Y-%m-%dT%H:%M:%SZ")
    content = f"{message_id}|{stamp}|{webhook}|{zlib.crc32(body)}".encode()
    signature = private_key().sign(content, PKCS1v15(), SHA256())
    return {
        "paypal-transmission-id": message_id,
        "paypal-transmission-time": stamp,
        "paypal-transmission-sig": base64.b64encode(signature).decode(),
        "paypal-cert-url": CERT_URL,
        "paypal-auth-algo": "SHA256withRSA",
    }


def post(body: bytes, **signing: Any) -> Inbound:
    return Inbound("POST", url_of("paypal"), headers_of(body, **signing), body)


def with_header(request: Inbound, name: str, value: str) -> Inbound:
    return replace(request, headers={**request.headers, f"paypal-{name}": value})


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def event(name: str, **changes: Any) -> Inbound:
    told = payload(name)
    told["event_type"] = changes.pop("event_type", told["event_type"])
    told["resource"].update(changes)
    return post(json.dumps(told).encode())


def read(name: str, **changes: Any) -> list[Notice]:
    notices = paypal.read(event(name, **changes), KEYS)
    assert isinstance(notices, list)
    return notices


def reason_of(request: Inbound, keys: Keys = KEYS, now: datetime = NOW) -> Reason | None:
    verdict = paypal.verify(request, keys, now)
    return verdict.reason if isinstance(verdict, Rejected) else None


def up(capture: str) -> list[dict[str, str]]:
    return [{"rel": "up", "href": f"https://api.paypal.com/v2/payments/captures/{capture}"}]


def known_as(ref: str) -> str:
    """PayPal's numbers are letters and digits."""
    return "".join(character for character in ref if character.isalnum())


def example_event(name: str, at: datetime, money: Money, **changes: Any) -> Inbound:
    told = payload(name)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    told["event_type"] = changes.pop("state", told["event_type"])
    told |= {"id": f"WH-{told['event_type']}-{changes['id']}", "create_time": stamp}
    whole = money.currency in ("HUF", "JPY", "TWD")
    value = str(int(money.amount)) if whole else str(money.amount)
    amount = {"currency_code": money.currency, "value": value}
    told["resource"].update(changes, amount=amount, dispute_amount=amount, create_time=stamp)
    return post(json.dumps(told).encode(), at=at)


def example_payment(sale: Sale, state: str = "PAYMENT.CAPTURE.COMPLETED") -> Inbound:
    return example_event(
        "capture_completed",
        sale.at,
        sale.money,
        state=state,
        id=known_as(sale.ref),
        custom_id=sale.member_code,
        invoice_id=sale.order_ref,
        payer={"payer_id": f"payer-{sale.ref}"},
        seller_receivable_breakdown={},
    )


def example_correction(name: str, told: Correction) -> Inbound:
    capture = known_as(told.sale.ref)
    return example_event(
        name,
        told.at,
        Money(told.amount, told.sale.money.currency),
        id=told.ref,
        links=up(capture),
        disputed_transactions=[{"seller_transaction_id": capture}],
    )


def resigned(request: Inbound, at: datetime) -> Inbound:
    return post(request.body, at=at)


EXAMPLE = Example(
    code="paypal",
    keys=KEYS,
    payment=example_payment,
    refund=lambda told: example_correction("capture_refunded", told),
    chargeback=lambda told: example_correction("capture_reversed", told),
    reversal=lambda told: example_correction("dispute_resolved", told),
    currencies=("HKD", "TWD"),
    signed_headers=(
        "paypal-transmission-id",
        "paypal-transmission-time",
        "paypal-transmission-sig",
        "paypal-auth-algo",
    ),
    later=tuple(
        partial(example_payment, state=state)
        for state in (
            "CHECKOUT.ORDER.APPROVED",
            "PAYMENT.CAPTURE.PENDING",
            "PAYMENT.CAPTURE.DENIED",
            "PAYMENT.CAPTURE.DECLINED",
            "CUSTOMER.DISPUTE.CREATED",
        )
    ),
    resign=resigned,
    other_keys=Keys((CERTIFICATE,), {"webhook_id": "ANOTHERWEBHOOK"}),
    known_as=known_as,
)


@pytest.mark.parametrize("secret", [CERTIFICATE, f"\n{CERTIFICATE}\n{ISSUER} "])
def test_an_event_is_verified_under_its_id(secret: str) -> None:
    paypal.check_secret(secret)

    verdict = paypal.verify(event("capture_completed"), replace(KEYS, secrets=(secret,)), NOW)

    assert verdict == Verified("WH-TESTONLY-capture_completed")


def test_old_and_new_certificate_both_hold_while_one_replaces_the_other() -> None:
    request = event("capture_completed")

    assert reason_of(request, replace(KEYS, secrets=("old", OF_ANOTHER, CERTIFICATE))) is None


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2025, 12, 31, tzinfo=UTC), Reason.NO_SECRET),
        (datetime(2026, 1, 2, tzinfo=UTC), None),
        (datetime(2046, 1, 2, tzinfo=UTC), Reason.NO_SECRET),
    ],
)
def test_a_certificate_counts_only_between_its_dates(now: datetime, reason: Reason | None) -> None:
    assert reason_of(event("capture_completed"), now=now) == reason


@pytest.mark.parametrize(
    "keys",
    [
        replace(KEYS, secrets=()),
        replace(KEYS, secrets=("",)),
        replace(KEYS, secrets=(OF_ANOTHER,)),
        replace(KEYS, secrets=(CERTIFICATE + OF_ANOTHER,)),
        replace(KEYS, settings={}),
        replace(KEYS, settings={"webhook_id": " "}),
    ],
)
def test_an_account_without_certificate_or_webhook_refuses(keys: Keys) -> None:
    assert reason_of(event("capture_completed"), keys) == Reason.NO_SECRET


def test_a_notice_for_another_webhook_of_the_same_shop_is_refused() -> None:
    body = json.dumps(payload("capture_completed")).encode()

    assert reason_of(post(body, webhook="ANOTHERWEBHOOK")) == Reason.BAD_SIGNATURE


def test_the_refusal_names_the_certificate_that_staff_are_to_fetch() -> None:
    verdict = paypal.verify(event("capture_completed"), replace(KEYS, secrets=()), NOW)

    assert verdict == Rejected(
        Reason.NO_SECRET, said("It was signed with %(address)s.", address=CERT_URL)
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://api.paypal.com/certs/1",
        "https://api.paypal.com.evil.example/certs/1",
        "https://evilpaypal.com/certs/1",
        "https://api.paypal.com@evil.example/certs/1",
        "https://user@api.paypal.com/certs/1",
        "https://api.paypal.com:8443/certs/1",
        "https://api.paypal.com:99999/certs/1",
        "https://[::1/certs",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_refused(address: str) -> None:
    request = with_header(event("capture_completed"), "cert-url", address)

    assert reason_of(request) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("transmission-id", "", Reason.MISSING_SIGNATURE),
        ("transmission-time", "", Reason.MISSING_SIGNATURE),
        ("transmission-sig", "", Reason.MISSING_SIGNATURE),
        ("transmission-id", "another", Reason.BAD_SIGNATURE),
        ("transmission-id", "簽\udc80", Reason.BAD_SIGNATURE),
        ("transmission-time", "2026-11-21T12:00:01Z", Reason.BAD_SIGNATURE),
        ("transmission-sig", "AAAA", Reason.BAD_SIGNATURE),
        ("transmission-sig", "not base64", Reason.BAD_SIGNATURE),
        ("auth-algo", "", Reason.WEAK_SIGNATURE),
        ("auth-algo", "SHA1withRSA", Reason.WEAK_SIGNATURE),
    ],
)
def test_headers_that_are_not_right_are_refused(name: str, value: str, reason: Reason) -> None:
    assert reason_of(with_header(event("capture_completed"), name, value)) == reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id": 5}', b'{"id":"a","id":"b"}'])
def test_a_genuine_post_without_an_id_is_refused(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED


def test_duplicates_are_answered_like_the_first_and_trouble_asks_for_more() -> None:
    statuses = {outcome: paypal.acknowledge(outcome).status for outcome in Outcome}

    assert statuses == {
        Outcome.ACCEPTED: 200,
        Outcome.DUPLICATE: 200,
        Outcome.REFUSED: 400,
    }


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "a client secret",
        (PAYLOADS / "test-only-private-key.pem").read_text(),
        OF_ANOTHER,
        ISSUER,
        CERTIFICATE + OF_ANOTHER,
        CERTIFICATE * 6,
        CERTIFICATE.replace("A", "B", 5),
    ],
)
def test_staff_cannot_enter_a_certificate_that_proves_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        paypal.check_secret(secret)

    paypal.check_secret(CERTIFICATE + ISSUER)


def test_staff_see_whose_certificate_it_is_and_when_it_ends() -> None:
    assert paypal.describe_secret(CERTIFICATE) == (
        "messageverificationcerts.sandbox.paypal.com, valid until 2046-01-01"
    )
    assert paypal.describe_secret("x") == ""
