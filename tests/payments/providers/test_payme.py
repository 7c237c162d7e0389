"""PayMe for Business: a hint that may be signed, and our own signed query."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import payme
from payments.providers.base import (
    ANSWER,
    Answer,
    CannotAnswer,
    Clue,
    Hint,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    NotYet,
    Outgoing,
    Question,
    Reason,
    Rejected,
    Trouble,
    Unknown,
)
from tests.payments.providers.example import Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "payme"
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)
SIGNING_KEY = base64.b64encode(b"a test signing key, nothing else").decode()
ID = "5f3c1a52-0d84-4c0e-9a35-2f7f0d7d0001"
PATH = urlsplit(url_of("payme")).path
QUESTION = Question(ID, nonce="trace-1", at=NOON)


def credentials(**changes: str) -> str:
    parts = {
        "signing_key_id": "key-2026",
        "signing_key": SIGNING_KEY,
        "client_id": "client-1",
        "client_secret": "client-secret",
    }
    return json.dumps(parts | changes)


KEYS = Keys((credentials(),), {"environment": "sandbox"})


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def mac(text: str, key: str = SIGNING_KEY) -> str:
    made = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256)
    return base64.b64encode(made.digest()).decode()


def signed(body: bytes, *, at: datetime = NOON, **changes: str) -> Inbound:
    """A hint as HSBC's own rule says that messages are signed."""
    digest = "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = (
        f"(request-target): post {PATH}\nrequest-date-time: {stamp}\ndigest: {digest}\n"
        f"trace-id: t-1"
    )
    headers = {
        "request-date-time": stamp,
        "digest": digest,
        "trace-id": "t-1",
        "signature": (
            'keyId="key-2026",algorithm="hmac-sha256",'
            'headers="(request-target) Request-Date-Time Digest Trace-Id",'
            f'signature="{mac(lines)}"'
        ),
    }
    others = {name.replace("_", "-"): value for name, value in changes.items()}
    return Inbound("POST", PATH, headers | others, body)


def answered(body: bytes, status: int = 200) -> Inbound:
    told = {"status": str(status), "asked-at": NOON.isoformat()}
    return Inbound(ANSWER, f"/payments/paymentrequests/{ID}", told, body)


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(payload("paid")) | changes).encode()


def told(*answers: Answer, keys: Keys = KEYS) -> tuple[list[Outgoing], Inbound]:
    conversation = payme.ask(QUESTION, keys)
    sent = [next(conversation)]
    for answer in answers:
        try:
            sent.append(conversation.send(answer))
        except StopIteration as done:
            return sent, done.value
    raise AssertionError("PayMe is asked more than it answers.")


TOKEN = Answer(200, b'{"accessToken": "token-1", "expiresOn": "2026-11-21T05:00:00Z"}')


def hint_of(sale: Sale) -> Inbound:
    body = {"statusCode": "PR005", "transactions": [{"orderId": sale.ref.ljust(8, "0")}]}
    return signed(json.dumps(body).encode(), at=sale.at)


def answer_of(sale: Sale, state: str = "PR005", status: str = "200") -> Inbound:
    body = {
        "paymentRequestId": sale.ref.ljust(8, "0"),
        "totalAmount": float(sale.money.amount),
        "currencyCode": sale.money.currency,
        "statusCode": state,
        "merchantData": {"orderId": sale.order_ref},
        "transactions": [{"transactionTime": sale.at.strftime("%Y-%m-%dT%H:%M:%SZ")}],
    }
    path = f"/payments/paymentrequests/{sale.ref.ljust(8, '0')}"
    return Inbound(ANSWER, path, {"status": status}, json.dumps(body).encode())


EXAMPLE = Example(
    code="payme",
    keys=KEYS,
    payment=hint_of,
    answer=answer_of,
    later=(
        *(partial(answer_of, state=state) for state in ("PR001", "PR004", "PR007", "PR999")),
        partial(answer_of, status="404"),
    ),
    known_as=lambda ref: ref.ljust(8, "0"),
    signed_headers=("signature", "digest", "request-date-time"),
)


def bare_hint(sale: Sale) -> Inbound:
    """Not signed, and with the number in another place."""
    body = json.dumps({"paymentRequestId": sale.ref.ljust(8, "0")}).encode()
    return Inbound("POST", PATH, {}, body)


def other_answer(sale: Sale) -> Inbound:
    answer = answer_of(sale)
    told = json.loads(answer.body) | {"totalAmount": str(sale.money.amount)}
    told |= {"transactions": ["9b2d"], "updatedTime": sale.at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return replace(answer, body=json.dumps(told).encode())


ALSO = (
    replace(
        EXAMPLE,
        variant="bare",
        payment=bare_hint,
        answer=other_answer,
        signed_headers=(),
        later=(),
    ),
)


def test_a_signed_hint_names_the_payment_request() -> None:
    request = signed(payload("hint"))

    assert payme.verify(request, KEYS, NOON) == Hint(ID)
    assert payme.read(request, KEYS) == Ignored("hint")


@pytest.mark.parametrize("field", ["paymentRequestId", "orderId"])
def test_the_number_may_stand_in_other_places(field: str) -> None:
    body = json.dumps({field: ID, "statusCode": "PR004"}).encode()

    assert payme.verify(signed(body), KEYS, NOON) == Hint(ID)


def test_a_hint_without_signature_is_a_hint_all_the_same() -> None:
    bare = Inbound("POST", PATH, {}, payload("hint"))

    assert payme.verify(bare, KEYS, NOON) == Hint(ID)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (signed(payload("hint"), signature='keyId="k",signature="AAAA"'), Reason.MALFORMED),
        (replace(signed(payload("hint")), body=payload("paid")), Reason.BAD_SIGNATURE),
        (replace(signed(payload("hint")), url="/callbacks/payme/other/"), Reason.BAD_SIGNATURE),
        (signed(payload("hint"), trace_id="t-2"), Reason.BAD_SIGNATURE),
        (signed(payload("hint"), at=NOON - timedelta(seconds=301)), Reason.TOO_OLD),
        (signed(payload("hint"), at=NOON + timedelta(seconds=301)), Reason.TOO_NEW),
        (signed(b"{}"), Reason.MALFORMED),
        (signed(b'{"orderId": "../../tokens"}'), Reason.MALFORMED),
        (signed(b"["), Reason.MALFORMED),
        (replace(signed(payload("hint")), method="GET"), Reason.MALFORMED),
        (replace(signed(payload("hint")), method=ANSWER), Reason.MALFORMED),
    ],
)
def test_a_wrong_signature_or_a_nameless_hint_is_refused(
    request_: Inbound, reason: Reason
) -> None:
    verdict = payme.verify(request_, KEYS, NOON)

    assert isinstance(verdict, Rejected)
    assert verdict.reason is reason


def test_a_signature_needs_a_key_to_be_checked_with() -> None:
    verdict = payme.verify(signed(payload("hint")), Keys(("rubbish", "{}", "[]")), NOON)

    assert verdict == Rejected(Reason.NO_SECRET)


def test_either_set_of_credentials_verifies_while_they_roll_over() -> None:
    newer = credentials(signing_key=base64.b64encode(b"another signing key").decode())

    assert payme.verify(signed(payload("hint")), Keys((newer, credentials())), NOON) == Hint(ID)
    assert payme.verify(signed(payload("hint")), Keys((newer,)), NOON) == Rejected(
        Reason.BAD_SIGNATURE
    )


def test_a_token_is_asked_for_and_kept_and_the_query_is_signed() -> None:
    sent, _answer = told(TOKEN, Answer(200, payload("paid")))

    token, query = sent
    assert (token.method, token.url) == (
        "POST",
        "https://sandbox.api.payme.hsbc.com.hk/oauth2/token",
    )
    assert token.body == b"client_id=client-1&client_secret=client-secret"
    assert token.kept_for == timedelta(minutes=50)
    assert (query.method, query.url) == (
        "GET",
        f"https://sandbox.api.payme.hsbc.com.hk/payments/paymentrequests/{ID}",
    )
    assert query.headers["Authorization"] == "Bearer token-1"
    assert query.headers["Signature"] == expected_signature(query.headers)


def expected_signature(headers: Mapping[str, str]) -> str:
    lines = (
        f"(request-target): get /payments/paymentrequests/{ID}\napi-version: 0.12\n"
        f"request-date-time: 2026-11-21T04:00:00Z\ndigest: {headers['Digest']}\n"
        f"accept: application/json\ntrace-id: trace-1\nauthorization: Bearer token-1"
    )
    names = "(request-target) Api-Version Request-Date-Time Digest Accept Trace-Id Authorization"
    return f'keyId="key-2026",algorithm="hmac-sha256",headers="{names}",signature="{mac(lines)}"'


def test_a_paid_request_is_a_payment() -> None:
    _sent, answer = told(TOKEN, Answer(200, payload("paid")))

    assert payme.read(answer, KEYS) == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ID,
            effect_ref=ID,
            amount=Money(Decimal("95.50"), "HKD"),
            occurred_at=NOON,
            order_ref="HK-77",
            method="payme",
            clues=(Clue("payme_payer", "b1946ac9-2f7f-0d7d-8f6c-9b2d7a100003"),),
            payer_country="HK",
        )
    ]


def test_where_the_answer_has_no_time_it_counts_from_when_it_came() -> None:
    found = payme.read(answered(changed(transactions=["9b2d7a10"])), KEYS)

    assert isinstance(found, list)
    assert found[0].occurred_at == NOON


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("PR001", NotYet("not_paid_yet")),
        ("PR004", Ignored("payment_failed")),
        ("PR007", Ignored("closed_unpaid")),
        ("PR999", NotYet("unknown_state")),
    ],
)
def test_other_states_move_no_money(state: str, meaning: Ignored) -> None:
    found = payme.read(answered(changed(statusCode=state)), KEYS)

    assert found == meaning
    assert type(found) is type(meaning)


def test_a_payment_request_that_is_not_there_is_unknown() -> None:
    assert payme.read(answered(b'{"errors": []}', 404), KEYS) == Unknown("unknown_payment")


@pytest.mark.parametrize(
    "body",
    [
        changed(paymentRequestId="somebody-elses"),
        changed(totalAmount=0),
        changed(totalAmount=-1),
        changed(totalAmount=95.555),
        changed(totalAmount="1,000.00"),
        changed(totalAmount=True),
        changed(currencyCode="H"),
        changed(statusCode=None),
        changed(transactions=[{"transactionTime": "yesterday"}]),
        b'{"errors": [{"errorCode": "EA018"}]}',
        b"",
    ],
)
def test_an_answer_unlike_the_documentation_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        payme.read(answered(body), KEYS)


def test_refused_credentials_are_followed_by_the_older_set() -> None:
    lapsed = credentials(client_id="client-2")

    sent, answer = told(
        Answer(401, b"{}"),
        TOKEN,
        Answer(200, payload("paid")),
        keys=Keys((lapsed, credentials()), {}),
    )

    assert b"client-2" in sent[0].body
    assert b"client-1" in sent[1].body
    assert sent[2].url.startswith("https://api.payme.hsbc.com.hk/")
    assert answer.body == payload("paid")


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ((Answer(401, b""),), Trouble.KEY_REFUSED),
        ((TOKEN, Answer(403, b"")), Trouble.KEY_REFUSED),
        ((Answer(500, b""),), Trouble.BUSY),
        ((TOKEN, Answer(502, b"")), Trouble.BUSY),
        ((Answer(200, b"[]"),), Trouble.UNREADABLE),
    ],
)
def test_trouble_is_named(answers: tuple[Answer, ...], trouble: Trouble) -> None:
    with pytest.raises(CannotAnswer) as caught:
        told(*answers)

    assert caught.value.trouble is trouble


@pytest.mark.parametrize(
    "secret",
    ["", "{}", "a signing key", credentials(client_secret=" "), credentials(signing_key="?")],
)
def test_half_a_set_of_credentials_is_not_taken(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        payme.check_secret(secret)

    payme.check_secret(credentials())
