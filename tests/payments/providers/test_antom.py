"""Antom's notices, signed here by its published formula with a key pair only for these tests."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.said import said
from kit.signatures import UnusableSecret
from payments.providers import antom
from payments.providers.base import (
    Inbound,
    Keys,
    Kind,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Reply,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, minor, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "antom"
OTHERS = Path(__file__).parents[2] / "payloads" / "alipay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
URL = url_of("antom")
PATH = urlsplit(URL).path
CLIENT = "SANDBOX_5Y00000000000042"
PUBLIC_KEY = (PAYLOADS / "test-only-public-key.pem").read_text()
BARE_KEY = "".join(PUBLIC_KEY.splitlines()[1:-1])
OTHER_KEY = (OTHERS / "test-only-public-key.pem").read_text()
KEYS = Keys((f"keyVersion=1\n{PUBLIC_KEY}",), {"client_id": CLIENT}, URL)
BY_HAND = Keys(KEYS.secrets, {"client_id": CLIENT, "cards": "captured"}, URL)
PAYMENT = "20261121190741010007000000000042"


@cache
def private_key() -> RSAPrivateKey:
    key = load_pem_private_key((PAYLOADS / "test-only-private-key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def signature(body: bytes, *, path: str, time: str, algorithm: SHA1 | SHA256 | None = None) -> str:
    content = f"POST {path}\n{CLIENT}.{time}.".encode() + body
    signed = private_key().sign(content, PKCS1v15(), algorithm or SHA256())
    escaped = quote_plus(base64.b64encode(signed))
    return f"algorithm=RSA256,keyVersion=1,signature={escaped}"


def post(body: bytes, at: datetime = NOW, *, path: str = PATH) -> Inbound:
    time = at.isoformat(timespec="seconds")
    headers = {
        "client-id": CLIENT,
        "request-time": time,
        "signature": signature(body, path=path, time=time),
    }
    return Inbound("POST", "/behind/a/proxy/", headers, body)


def altered(request: Inbound, **changes: str) -> Inbound:
    given = {name.replace("_", "-"): value for name, value in changes.items()}
    return Inbound("POST", request.url, dict(request.headers) | given, request.body)


def payload(name: str, **changes: Any) -> dict[str, Any]:
    notice = json.loads((PAYLOADS / f"{name}.json").read_text()) | changes
    return {key: value for key, value in notice.items() if value is not None}


def notice(name: str, **changes: Any) -> Inbound:
    return post(json.dumps(payload(name, **changes)).encode())


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = antom.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def key_of(request: Inbound) -> str:
    verdict = antom.verify(request, KEYS, NOW)
    assert isinstance(verdict, Verified)
    return verdict.delivery_key


def read(name: str, keys: Keys = KEYS, **changes: Any) -> list[Notice]:
    notices = antom.read(notice(name, **changes), keys)
    assert isinstance(notices, list)
    return notices


def taken_back(notices: list[Notice]) -> Decimal:
    """What is left of all effects, equal ones once."""
    effects = {(n.kind, n.effect_ref): n.amount.amount for n in notices}
    return sum(
        (-amount if kind is Kind.REVERSAL else amount for (kind, _), amount in effects.items()),
        Decimal(0),
    )


@pytest.mark.parametrize(
    "secret", [PUBLIC_KEY, BARE_KEY, f"keyVersion=1\n{BARE_KEY}", f"keyVersion: 1\r\n{PUBLIC_KEY}"]
)
def test_a_notice_is_verified_under_what_it_tells_of(secret: str) -> None:
    antom.check_secret(secret)

    assert antom.verify(notice("payment"), Keys((secret,), url=URL), NOW) == Verified(
        f"paymentId:{PAYMENT}:PAYMENT_RESULT:S"
    )


def test_while_keys_change_each_serves_its_version() -> None:
    rolled = Keys((f"keyVersion=2\n{OTHER_KEY}", *KEYS.secrets), KEYS.settings, URL)
    gone = Keys((f"keyVersion=2\n{OTHER_KEY}",), KEYS.settings, URL)

    assert reason_of(notice("payment"), rolled) is None
    assert antom.verify(notice("payment"), gone, NOW) == Rejected(
        Reason.BAD_SIGNATURE, said("The account has no key of version %(version)s.", version=1)
    )


def test_the_registered_path_is_signed_and_not_that_behind_the_proxy() -> None:
    body = notice("payment").body
    queried = Keys(KEYS.secrets, KEYS.settings, f"{URL}?shop=1")

    assert reason_of(post(body, path="/callbacks/antom/other/")) == Reason.BAD_SIGNATURE
    assert reason_of(post(body), queried) == Reason.BAD_SIGNATURE
    assert reason_of(post(body, path=f"{PATH}?shop=1"), queried) is None


def test_the_header_may_have_spaces_and_unescaped_base64() -> None:
    genuine = notice("payment")
    header = genuine.headers["signature"]
    plain = header.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")

    for spelling in (header.replace(",", ", "), plain):
        assert reason_of(altered(genuine, signature=spelling)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": ""}, Reason.MISSING_SIGNATURE),
        ({"client_id": ""}, Reason.MISSING_SIGNATURE),
        ({"request_time": ""}, Reason.MISSING_SIGNATURE),
        ({"signature": "signature=AAAA"}, Reason.MALFORMED),
        ({"signature": "algorithm=RSA256,keyVersion=x,signature=AAAA"}, Reason.MALFORMED),
        ({"signature": "algorithm=RSA256,keyVersion=1,signature=簽名"}, Reason.BAD_SIGNATURE),
        ({"signature": "algorithm=RSA256,keyVersion=1,signature=AAAA"}, Reason.BAD_SIGNATURE),
        ({"signature": "algorithm=RSA256,keyVersion=1,signature=%"}, Reason.BAD_SIGNATURE),
        ({"signature": "algorithm=RSA,keyVersion=1,signature=AAAA"}, Reason.WEAK_SIGNATURE),
        ({"client_id": "SANDBOX_9"}, Reason.BAD_SIGNATURE),
        ({"client_id": "a.b"}, Reason.MALFORMED),
        ({"request_time": "2026-11-21T13:00:00+00:00"}, Reason.BAD_SIGNATURE),
        ({"request_time": '2026-11-21T12:00:00+00:00.{"a'}, Reason.MALFORMED),
    ],
)
def test_bad_headers_are_refused(changes: dict[str, str], reason: Reason) -> None:
    assert reason_of(altered(notice("payment"), **changes)) == reason


def test_the_same_signature_in_another_spelling_is_refused() -> None:
    genuine = notice("payment")
    header = genuine.headers["signature"]
    first = header.index("signature=") + len("signature=")
    respelled = f"{header[:first]}%{ord(header[first]):02X}{header[first + 1 :]}"

    assert reason_of(altered(genuine, signature=respelled)) == Reason.BAD_SIGNATURE


def test_a_signature_by_sha1_does_not_pass_under_the_name_of_rsa256() -> None:
    genuine = notice("payment")
    time = genuine.headers["request-time"]
    header = signature(genuine.body, path=PATH, time=time, algorithm=SHA1())  # noqa: S303

    assert reason_of(altered(genuine, signature=header)) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize("secrets", [(), ("",), ("AAAA",), ("keyVersion=1",)])
def test_an_account_without_a_usable_key_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(notice("payment"), Keys(secrets, url=URL)) == Reason.NO_SECRET


def test_a_notice_for_another_client_is_refused() -> None:
    keys = Keys(KEYS.secrets, {"client_id": "SANDBOX_9"}, URL)

    assert reason_of(notice("payment"), keys) == Reason.OTHER_MERCHANT


def test_the_answer_is_the_result_that_antom_waits_for() -> None:
    good = Reply(
        200,
        b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}',
        "application/json",
    )

    refused = antom.acknowledge(Outcome.REFUSED)

    assert antom.acknowledge(Outcome.ACCEPTED) == antom.acknowledge(Outcome.DUPLICATE) == good
    assert (refused.status, json.loads(refused.body)["result"]["resultStatus"]) == (400, "F")


@pytest.mark.parametrize("secret", ["", "AAAA", "鑰匙", "keyVersion=1"])
def test_staff_cannot_enter_a_key_that_protects_nothing(secret: str) -> None:
    private = (PAYLOADS / "test-only-private-key.pem").read_text()

    for unusable in (secret, private):
        with pytest.raises(UnusableSecret):
            antom.check_secret(unusable)


def amount_of(amount: Decimal, currency: str) -> dict[str, str]:
    return {"currency": currency, "value": str(minor(amount, 0 if currency == "JPY" else 2))}


def example_payment(sale: Sale) -> Inbound:
    metadata = json.dumps({"member": sale.member_code}) if sale.member_code else None
    body = payload(
        "payment",
        paymentId=sale.ref,
        paymentRequestId=sale.order_ref or sale.ref,
        paymentAmount=amount_of(sale.money.amount, sale.money.currency),
        paymentTime=sale.at.isoformat(timespec="seconds"),
        metadata=metadata,
    )
    return post(json.dumps(body).encode(), sale.at)


def example_refund(refund: Correction) -> Inbound:
    body = payload(
        "refund",
        refundId=refund.ref,
        refundAmount=amount_of(refund.amount, refund.sale.money.currency),
        refundTime=refund.at.isoformat(timespec="seconds"),
        metadata=json.dumps({"payment_id": refund.sale.ref}),
    )
    return post(json.dumps(body).encode(), refund.at)


def example_dispute(name: str, dispute: Correction) -> Inbound:
    at = dispute.at.isoformat(timespec="seconds")
    body = payload(
        name,
        disputeId=dispute.ref,
        paymentId=dispute.sale.ref,
        disputeAmount=amount_of(dispute.amount, dispute.sale.money.currency),
        disputeTime=at,
    )
    if name == "dispute_judged":
        body["disputeJudgedTime"] = at
    return post(json.dumps(body).encode(), dispute.at)


def example_state(kind: str, status: str, sale: Sale) -> Inbound:
    """A payment that is pending or failed, or the capture of one that was told before."""
    told = json.loads(example_payment(sale).body)
    told |= {"notifyType": kind, "result": {"resultCode": status, "resultStatus": status}}
    if kind == "CAPTURE_RESULT":
        told |= {"captureId": f"captured-{sale.ref}", "captureAmount": told["paymentAmount"]}
        told["captureTime"] = told["paymentTime"]
    return post(json.dumps(told).encode(), sale.at)


EXAMPLE = Example(
    code="antom",
    keys=KEYS,
    payment=example_payment,
    refund=example_refund,
    chargeback=lambda dispute: example_dispute("dispute_created", dispute),
    reversal=lambda dispute: example_dispute("dispute_judged", dispute),
    currencies=("HKD", "JPY"),
    signed_headers=("signature", "client-id", "request-time"),
    later=tuple(
        partial(example_state, kind, status)
        for kind, status in (
            ("PAYMENT_PENDING", "U"),
            ("PAYMENT_RESULT", "F"),
            ("CAPTURE_RESULT", "S"),
            ("CAPTURE_RESULT", "F"),
        )
    ),
    resign=lambda request, at: post(request.body, at),
    other_keys=Keys((OTHER_KEY,), KEYS.settings, URL),
)
