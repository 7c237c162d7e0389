"""LINE Pay: its hint proves nothing; our query is signed, and only its answer is read as money."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import linepay
from payments.providers.base import (
    ANSWER,
    Answer,
    CannotAnswer,
    Hint,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    NotYet,
    Outcome,
    Outgoing,
    Question,
    Reason,
    Rejected,
    Trouble,
    Unknown,
)
from tests.payments.providers.example import Correction, Example, Sale

PAYLOADS = Path(__file__).parents[2] / "payloads" / "linepay"
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)
SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
CHANNEL = {"channel_id": "1650000000", "environment": "sandbox"}
KEYS = Keys((SECRET,), CHANNEL)
ID = "2026112100708765432"
QUESTION = Question(ID, nonce="nonce-1", at=NOON)


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def hint(**fields: str) -> Inbound:
    url = f"/callbacks/linepay/token/?{urlencode(fields)}"
    return Inbound("GET", url, {"host": "shop.example"}, b"")


def details(body: bytes, reference: str = ID) -> Inbound:
    return Inbound(ANSWER, f"/v3/payments?transactionId={reference}", {}, body)


def checked(code: str) -> Inbound:
    body = json.dumps({"returnCode": code, "returnMessage": ""}).encode()
    return Inbound(ANSWER, f"/v3/payments/requests/{ID}/check", {}, body)


def changed(**changes: Any) -> bytes:
    answer = json.loads(payload("details"))
    answer["info"][0].update(changes)
    return json.dumps(answer).encode()


def told(*answers: bytes | Answer, keys: Keys = KEYS) -> tuple[list[Outgoing], Inbound]:
    """What `ask` sends, and the answer that counts, if LINE Pay answers so."""
    conversation = linepay.ask(QUESTION, keys)
    sent = [next(conversation)]
    for answer in answers:
        try:
            said = answer if isinstance(answer, Answer) else Answer(200, answer)
            sent.append(conversation.send(said))
        except StopIteration as done:
            return sent, done.value
    raise AssertionError("LINE Pay is asked more than it answers.")


def number_of(ref: str) -> str:
    return "2" + str(int.from_bytes(hashlib.sha256(ref.encode()).digest()[:7])).zfill(18)


def hint_of(sale: Sale) -> Inbound:
    return hint(orderId=sale.order_ref, transactionId=number_of(sale.ref))


def answer_of(sale: Sale) -> Inbound:
    reference = number_of(sale.ref)
    body = {
        "returnCode": "0000",
        "info": [
            {
                "transactionId": int(reference),
                "transactionDate": sale.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "transactionType": "PAYMENT",
                "currency": sale.money.currency,
                "orderId": sale.order_ref,
                "payInfo": [{"method": "BALANCE", "amount": float(sale.money.amount)}],
            }
        ],
    }
    return details(json.dumps(body).encode(), reference)


def state_of(code: str, sale: Sale) -> Inbound:
    """What the check of a request says, where its payment is not listed."""
    path = f"/v3/payments/requests/{number_of(sale.ref)}/check"
    return Inbound(ANSWER, path, {}, json.dumps({"returnCode": code}).encode())


def listed_as(state: str, sale: Sale) -> Inbound:
    answer = answer_of(sale)
    body = json.loads(answer.body)
    body["info"][0]["payStatus"] = state
    return replace(answer, body=json.dumps(body).encode())


EXAMPLE = Example(
    code="linepay",
    keys=KEYS,
    payment=hint_of,
    answer=answer_of,
    later=(
        *(partial(state_of, code) for code in ("0000", "0110", "0121", "0122", "0123", "1150")),
        partial(listed_as, "AUTHORIZATION"),
        partial(listed_as, "VOIDED_AUTHORIZATION"),
        partial(listed_as, "EXPIRED_AUTHORIZATION"),
    ),
    known_as=number_of,
    currencies=("TWD", "THB"),
)


def refunds_of(refund: Correction) -> Inbound:
    """Refunds have no message of their own: the next answer carries them, and numbers as text."""
    answer = answer_of(refund.sale)
    body = json.loads(answer.body)
    row = body["info"][0]
    whole = row["payInfo"][0]["amount"]
    row["transactionId"] = str(row["transactionId"])
    row["payInfo"] = [{"amount": whole - 1}, {"method": "DISCOUNT", "amount": 1}]
    when = refund.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    row["refundList"] = [{"refundAmount": -float(refund.so_far), "refundTransactionDate": when}]
    return replace(answer, body=json.dumps(body).encode())


ALSO = (replace(EXAMPLE, variant="asked-again", refund=refunds_of, later=()),)


def test_a_hint_names_the_payment_as_text() -> None:
    request = hint(orderId="TPE-1001", transactionId=ID)

    assert linepay.verify(request, KEYS, NOON) == Hint(ID, "TPE-1001")
    assert linepay.read(request, KEYS) == Ignored("hint")


@pytest.mark.parametrize(
    "request_",
    [
        hint(orderId="TPE-1001"),
        hint(transactionId="2026e11"),
        hint(transactionId="-1"),
        hint(transactionId="٣" * 19),
        hint(transactionId="1" * 21),
        Inbound("GET", "/?transactionId=1&transactionId=2", {}, b""),
        Inbound("GET", "/?" + "a=1&" * 50 + f"transactionId={ID}", {}, b""),
    ],
)
def test_a_hint_that_names_no_payment_is_malformed(request_: Inbound) -> None:
    verdict = linepay.verify(request_, KEYS, NOON)

    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.MALFORMED


@pytest.mark.parametrize("method", ["POST", "ANSWER", "PUT", ""])
def test_an_answer_that_comes_in_by_itself_is_refused(method: str) -> None:
    forged = Inbound(method, f"/v3/payments?transactionId={ID}", {}, payload("details"))

    assert linepay.verify(forged, KEYS, NOON) == Rejected(Reason.MISSING_SIGNATURE)


def test_the_query_is_signed_over_secret_path_query_and_nonce() -> None:
    sent, _answer = told(payload("details"))

    message = f"{SECRET}/v3/paymentstransactionId={ID}nonce-1".encode()
    mac = hmac.new(SECRET.encode(), message, hashlib.sha256).digest()
    assert [(out.method, out.url) for out in sent] == [
        ("GET", f"https://sandbox-api-pay.line.me/v3/payments?transactionId={ID}")
    ]
    assert sent[0].headers["X-LINE-Authorization"] == base64.b64encode(mac).decode()
    assert sent[0].headers["X-LINE-ChannelId"] == "1650000000"
    assert sent[0].headers["X-LINE-Authorization-Nonce"] == "nonce-1"


def test_production_is_asked_unless_the_account_says_otherwise() -> None:
    sent, _answer = told(payload("details"), keys=Keys((SECRET,), {"channel_id": "1"}))

    assert sent[0].url.startswith("https://api-pay.line.me/v3/")


def test_money_is_never_moved_by_asking() -> None:
    sent, _answer = told(payload("not_found"), b'{"returnCode": "0110"}')

    assert [out.method for out in sent] == ["GET", "GET"]
    assert sent[1].url == f"https://sandbox-api-pay.line.me/v3/payments/requests/{ID}/check"


def test_the_payment_is_the_sum_of_what_it_was_paid_with() -> None:
    _sent, answer = told(payload("details"))

    assert linepay.read(answer, KEYS) == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ID,
            effect_ref=ID,
            amount=Money(Decimal("1280.00"), "TWD"),
            occurred_at=NOON,
            order_ref="TPE-1001",
            method="linepay",
        )
    ]


def test_refunds_are_passed_on_as_their_total_so_far() -> None:
    found = linepay.read(details(payload("details_refunded")), KEYS)

    assert isinstance(found, list)
    assert [(n.kind, n.effect_ref, n.amount.amount, n.is_total) for n in found] == [
        (Kind.PAYMENT, ID, Decimal(1280), False),
        (Kind.REFUND, f"{ID}:280", Decimal(280), True),
    ]
    assert found[1].occurred_at == datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("0000", NotYet("not_paid_yet")),
        ("0110", NotYet("not_captured_yet")),
        ("0121", Ignored("closed_unpaid")),
        ("0122", Ignored("payment_failed")),
        ("0123", NotYet("not_listed_yet")),
        ("1150", Unknown("unknown_payment")),
    ],
)
def test_without_a_capture_the_check_says_how_it_stands(code: str, meaning: Ignored) -> None:
    assert linepay.read(checked(code), KEYS) == meaning
    assert type(linepay.read(checked(code), KEYS)) is type(meaning)


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("AUTHORIZATION", NotYet("not_captured_yet")),
        ("VOIDED_AUTHORIZATION", Ignored("closed_unpaid")),
        ("EXPIRED_AUTHORIZATION", Ignored("closed_unpaid")),
    ],
)
def test_an_authorisation_is_no_payment(state: str, meaning: Ignored) -> None:
    assert linepay.read(details(changed(payStatus=state)), KEYS) == meaning


@pytest.mark.parametrize(
    "body",
    [
        changed(transactionId=2026112100708765433),
        changed(transactionId=2.026112100708765e18),
        changed(payInfo=[]),
        changed(payInfo=[{"amount": 12.5}]),
        changed(payInfo=[{"amount": "1280"}]),
        changed(payInfo=[{"amount": True}]),
        changed(payInfo=[{"amount": -5}]),
        changed(currency="XXX"),
        changed(transactionDate="2026-11-21 04:00:00"),
        changed(refundList=[{"refundAmount": -1}]),
        b'{"returnCode": "0000", "info": {}}',
        b'{"returnCode": "9999"}',
        b"<html>",
    ],
)
def test_an_answer_unlike_the_documentation_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        linepay.read(details(body), KEYS)


def test_baht_may_have_satang() -> None:
    found = linepay.read(details(changed(currency="THB", payInfo=[{"amount": 99.5}])), KEYS)

    assert isinstance(found, list)
    assert found[0].amount == Money(Decimal("99.50"), "THB")


def test_a_key_being_rolled_over_is_followed_by_the_next() -> None:
    refused = b'{"returnCode": "1106", "returnMessage": "Header information error"}'

    sent, answer = told(refused, payload("details"), keys=Keys((OTHER, SECRET), CHANNEL))

    assert len(sent) == 2
    assert answer.body == payload("details")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (Answer(200, b'{"returnCode": "1106"}'), Trouble.KEY_REFUSED),
        (Answer(401, b'{"returnCode": "1104"}'), Trouble.KEY_REFUSED),
        (Answer(503, b"later"), Trouble.BUSY),
        (Answer(429, b""), Trouble.BUSY),
        (Answer(200, b'{"returnCode": "9000"}'), Trouble.BUSY),
        (Answer(200, b"<html>a captive portal</html>"), Trouble.UNREADABLE),
    ],
)
def test_trouble_is_named(answer: Answer, trouble: Trouble) -> None:
    with pytest.raises(CannotAnswer) as caught:
        told(answer)

    assert caught.value.trouble is trouble


def test_no_key_no_question() -> None:
    with pytest.raises(CannotAnswer) as caught:
        next(linepay.ask(QUESTION, Keys((), CHANNEL)))

    assert caught.value.trouble is Trouble.KEY_REFUSED


def test_any_page_is_a_good_answer_to_a_hint() -> None:
    assert linepay.acknowledge(Outcome.ACCEPTED).status == 200
    assert linepay.acknowledge(Outcome.REFUSED).status == 400


@pytest.mark.parametrize("secret", ["", "1650000000", "short", SECRET + "!"])
def test_what_is_no_channel_secret_is_not_taken(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        linepay.check_secret(secret)

    linepay.check_secret(SECRET)
