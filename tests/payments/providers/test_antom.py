"""Antom's notices, signed here by its published formula with a key pair only for these tests."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import antom
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
    Reply,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, minor, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "antom"
OTHERS = Path(__file__).parents[2] / "payloads" / "alipay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
URL = url_of("antom")
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


def post(body: bytes, at: datetime = NOW, *, path: str = "/callbacks/antom/token/") -> Inbound:
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
        Reason.BAD_SIGNATURE, "The account has no key of version 1."
    )


def test_the_registered_path_is_signed_and_not_that_behind_the_proxy() -> None:
    body = notice("payment").body
    queried = Keys(KEYS.secrets, KEYS.settings, f"{URL}?shop=1")

    assert reason_of(post(body, path="/callbacks/antom/other/")) == Reason.BAD_SIGNATURE
    assert reason_of(post(body), queried) == Reason.BAD_SIGNATURE
    assert reason_of(post(body, path="/callbacks/antom/token/?shop=1"), queried) is None


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
    path = "/callbacks/antom/token/"
    header = signature(genuine.body, path=path, time=time, algorithm=SHA1())  # noqa: S303

    assert reason_of(altered(genuine, signature=header)) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize("secrets", [(), ("",), ("AAAA",), ("keyVersion=1",)])
def test_an_account_without_a_usable_key_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(notice("payment"), Keys(secrets, url=URL)) == Reason.NO_SECRET


def test_a_notice_for_another_client_is_refused() -> None:
    keys = Keys(KEYS.secrets, {"client_id": "SANDBOX_9"}, URL)

    assert reason_of(notice("payment"), keys) == Reason.OTHER_MERCHANT


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
        ("payment", {"result": {"resultStatus": "F"}}, "payment_failed"),
        ("payment", {"result": {"resultStatus": "U"}}, "payment_failed"),
        ("payment", {"notifyType": "UPDATE_AMOUNT_RESULT"}, "unused_event"),
        ("payment", {"notifyType": None}, "unused_event"),
        ("capture", {"result": {"resultStatus": "F"}}, "capture_failed"),
        ("refund", {"refundStatus": "FAIL"}, "refund_failed"),
        ("dispute_created", {"disputeType": "RETRIEVAL_REQUEST"}, "dispute_inquiry"),
        ("dispute_created", {"disputeType": "COMPLIANCE_REQUEST"}, "dispute_inquiry"),
        ("dispute_created", {"disputeNotificationType": "DEFENSE_SUPPLIED"}, "dispute_news"),
        ("dispute_judged", {"disputeJudgedResult": "VALIDATE_FAIL"}, "dispute_news"),
        ("dispute_judged", {"disputeJudgedResult": None}, "dispute_news"),
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


EXAMPLE = Example(
    code="antom",
    keys=KEYS,
    payment=example_payment,
    refund=example_refund,
    chargeback=lambda dispute: example_dispute("dispute_created", dispute),
    reversal=lambda dispute: example_dispute("dispute_judged", dispute),
    currencies=("HKD", "JPY"),
    signed_headers=("signature", "client-id", "request-time"),
    resign=lambda request, at: post(request.body, at),
    other_keys=Keys((OTHER_KEY,), KEYS.settings, URL),
)
