"""WeChat Pay's notices: signed and encrypted here with keys that exist only for these tests."""

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.said import said
from kit.signatures import UnusableSecret
from payments.providers import wechatpay
from payments.providers.base import (
    Inbound,
    Keys,
    MalformedPayload,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Reply,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, minor, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "wechatpay"
OTHERS = Path(__file__).parents[2] / "payloads" / "alipay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
PUBLIC_KEY = (PAYLOADS / "test-only-public-key.pem").read_text()
CERTIFICATE = (PAYLOADS / "test-only-certificate.pem").read_text()
MERCHANT_CERTIFICATE = (PAYLOADS / "test-only-merchant-certificate.pem").read_text()
OTHER_PUBLIC_KEY = (OTHERS / "test-only-public-key.pem").read_text()
SERIAL = "0A1B2C3D4E5F60718293A4B5C6D7E8F901020304"
KEY_ID = "PUB_KEY_ID_0000000000002026112100000000000001"
NAMED_KEY = f"{KEY_ID}\n{PUBLIC_KEY}"
API_KEY = "OnlyForTests0000OnlyForTests0000"
NEXT_API_KEY = "NextForTests1111NextForTests1111"
KEYS = Keys((NAMED_KEY, API_KEY))
NOTICE_ID = "EV-2026112119234600001"


@cache
def private_key() -> RSAPrivateKey:
    key = load_pem_private_key((PAYLOADS / "test-only-private-key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def sealed(plain: bytes, *, key: str = API_KEY, kind: str = "transaction") -> dict[str, str]:
    closed = AESGCM(key.encode()).encrypt(b"twelve-bytes", plain, kind.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(closed).decode(),
        "nonce": "twelve-bytes",
        "associated_data": kind,
        "original_type": kind,
    }


def event(
    name: str, inner: dict[str, Any] | bytes, *, key: str = API_KEY, **changes: Any
) -> bytes:
    plain = inner if isinstance(inner, bytes) else json.dumps(inner).encode()
    envelope = {
        "id": NOTICE_ID,
        "create_time": "2026-11-21T19:23:46+08:00",
        "event_type": name,
        "resource_type": "encrypt-resource",
        "summary": "支付成功",
        "resource": sealed(plain, key=key),
    }
    return json.dumps(envelope | changes).encode()


def headers(
    body: bytes, *, at: datetime = NOW, serial: str = KEY_ID, nonce: str = "a-nonce"
) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    content = f"{stamp}\n{nonce}\n".encode() + body + b"\n"
    signed = private_key().sign(content, PKCS1v15(), SHA256())
    return {
        "wechatpay-signature": base64.b64encode(signed).decode(),
        "wechatpay-timestamp": stamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": serial,
        "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
    }


def post(body: bytes, at: datetime = NOW, *, serial: str = KEY_ID) -> Inbound:
    return Inbound("POST", url_of("wechatpay"), headers(body, at=at, serial=serial), body)


def altered(request: Inbound, **changes: str) -> Inbound:
    given = {f"wechatpay-{name.replace('_', '-')}": value for name, value in changes.items()}
    return Inbound("POST", request.url, dict(request.headers) | given, request.body)


def payload(name: str, **changes: Any) -> dict[str, Any]:
    inner: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return {key: value for key, value in (inner | changes).items() if value is not None}


def paid(**changes: Any) -> Inbound:
    return post(event("TRANSACTION.SUCCESS", payload("transaction", **changes)))


def reason_of(request: Inbound, keys: Keys = KEYS, now: datetime = NOW) -> Reason | None:
    verdict = wechatpay.verify(request, keys, now)
    return verdict.reason if isinstance(verdict, Rejected) else None


def read(name: str, payload_name: str, **changes: Any) -> Notice:
    notices = wechatpay.read(post(event(name, payload(payload_name, **changes))), KEYS)
    assert isinstance(notices, list)
    assert len(notices) == 1
    return notices[0]


def test_a_notice_is_verified_under_its_id() -> None:
    assert wechatpay.verify(paid(), KEYS, NOW) == Verified(NOTICE_ID)


@pytest.mark.parametrize(
    ("secret", "serial"),
    [
        (NAMED_KEY, KEY_ID),
        (NAMED_KEY.replace("\n", "\r\n"), KEY_ID),
        (PUBLIC_KEY, KEY_ID),
        ("".join(PUBLIC_KEY.splitlines()[1:-1]), KEY_ID),
        (CERTIFICATE, SERIAL),
        (CERTIFICATE, SERIAL.removeprefix("0")),
        (f"NAMED_BY_HAND\n{CERTIFICATE}", "NAMED_BY_HAND"),
    ],
)
def test_a_key_or_certificate_verifies_what_names_it(secret: str, serial: str) -> None:
    wechatpay.check_secret(secret)

    request = post(paid().body, serial=serial)

    assert reason_of(request, Keys((secret, API_KEY))) is None


@pytest.mark.parametrize(
    ("secret", "serial"),
    [
        (NAMED_KEY, f"{KEY_ID}9"),
        (NAMED_KEY, SERIAL),
        (PUBLIC_KEY, SERIAL),
        (CERTIFICATE, KEY_ID),
        (CERTIFICATE, SERIAL.lower()),
        (CERTIFICATE, "FFFF"),
    ],
)
def test_an_unknown_serial_is_refused_and_named_to_staff(secret: str, serial: str) -> None:
    request = post(paid().body, serial=serial)

    assert wechatpay.verify(request, Keys((secret, API_KEY)), NOW) == Rejected(
        Reason.BAD_SIGNATURE,
        said("The account has no key with the serial %(serial)s.", serial=serial),
    )


def test_while_keys_change_old_and_new_ones_both_hold() -> None:
    keys = Keys((NEXT_API_KEY, NAMED_KEY, API_KEY, CERTIFICATE))
    inner = payload("transaction")

    for serial in (KEY_ID, SERIAL):
        for key in (API_KEY, NEXT_API_KEY):
            request = post(event("TRANSACTION.SUCCESS", inner, key=key), serial=serial)
            assert reason_of(request, keys) is None
            assert isinstance(wechatpay.read(request, keys), list)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (299, None),
        (-299, None),
        (300, Reason.TOO_OLD),
        (-300, Reason.TOO_NEW),
    ],
)
def test_a_notice_is_good_for_less_than_five_minutes(seconds: int, reason: Reason | None) -> None:
    assert reason_of(paid(), now=NOW + timedelta(seconds=seconds)) == reason


@pytest.mark.parametrize("probe", ["WECHATPAY/SIGNTEST/", "WECHATPAY/SIGNTEST/AAAA"])
def test_the_probe_of_wechat_pay_is_refused_and_explained(probe: str) -> None:
    request = altered(paid(), signature=probe + "A" * 344)

    assert wechatpay.verify(request, KEYS, NOW) == Rejected(
        Reason.BAD_SIGNATURE, "WeChat Pay's own test, to be refused."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": ""}, Reason.MISSING_SIGNATURE),
        ({"timestamp": ""}, Reason.MISSING_SIGNATURE),
        ({"nonce": ""}, Reason.MISSING_SIGNATURE),
        ({"serial": ""}, Reason.MISSING_SIGNATURE),
        ({"signature": "AAAA"}, Reason.BAD_SIGNATURE),
        ({"signature": "not base64"}, Reason.BAD_SIGNATURE),
        ({"signature": "簽名"}, Reason.BAD_SIGNATURE),
        ({"timestamp": "1795262401"}, Reason.BAD_SIGNATURE),
        ({"timestamp": "invalid timestamp"}, Reason.MALFORMED),
        ({"timestamp": "1e9"}, Reason.MALFORMED),
        ({"timestamp": "٣"}, Reason.MALFORMED),
        ({"nonce": "another"}, Reason.BAD_SIGNATURE),
        ({"nonce": "a\n{}"}, Reason.MALFORMED),
        ({"signature_type": "WECHATPAY2-SM2-WITH-SM3"}, Reason.WEAK_SIGNATURE),
    ],
)
def test_bad_headers_are_refused(changes: dict[str, str], reason: Reason) -> None:
    assert reason_of(altered(paid(), **changes)) == reason


def test_the_signature_type_may_be_left_out() -> None:
    genuine = paid()
    kept = {k: v for k, v in genuine.headers.items() if k != "wechatpay-signature-type"}

    assert reason_of(Inbound("POST", genuine.url, kept, genuine.body)) is None


@pytest.mark.parametrize("secrets", [(), ("",), (API_KEY,), ("AAAA",), (KEY_ID,)])
def test_an_account_without_a_key_of_the_platform_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(paid(), Keys(secrets)) == Reason.NO_SECRET


def test_what_wechat_pay_signed_for_another_merchant_is_refused() -> None:
    """Any merchant may name our URL; the same platform certificate serves many of them."""
    body = event("TRANSACTION.SUCCESS", payload("transaction"), key=NEXT_API_KEY)

    assert reason_of(post(body)) == Reason.OTHER_MERCHANT
    with pytest.raises(MalformedPayload, match="APIv3"):
        wechatpay.read(post(body), KEYS)


def test_before_the_api_key_is_entered_a_notice_is_kept_and_can_be_read_later() -> None:
    early = Keys((NAMED_KEY,))

    assert wechatpay.verify(paid(), early, NOW) == Verified(NOTICE_ID)
    with pytest.raises(MalformedPayload, match="Add the right one"):
        wechatpay.read(paid(), early)
    assert isinstance(wechatpay.read(paid(), KEYS), list)


@pytest.mark.parametrize(
    ("mchid", "changes", "reason"),
    [
        ("", {}, None),
        (" 1900000042 ", {}, None),
        ("1900000099", {}, Reason.OTHER_MERCHANT),
        ("1900000099", {"mchid": None, "sp_mchid": "1900000099"}, None),
        ("1900000099", {"mchid": None, "sub_mchid": "1900000099"}, None),
    ],
)
def test_another_merchant_number_is_refused(
    mchid: str, changes: dict[str, Any], reason: Reason | None
) -> None:
    keys = Keys(KEYS.secrets, {"mchid": mchid})

    assert reason_of(paid(**changes), keys) == reason


def test_without_an_id_the_same_bytes_have_the_same_key() -> None:
    request = post(event("TRANSACTION.SUCCESS", payload("transaction"), id=None))

    verdict = wechatpay.verify(request, KEYS, NOW)

    assert isinstance(verdict, Verified)
    assert verdict.delivery_key.startswith("sha256:")


def test_the_answers_are_an_empty_200_and_a_fail() -> None:
    assert {outcome: wechatpay.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200),
        Outcome.DUPLICATE: Reply(200),
        Outcome.REFUSED: Reply(
            401,
            b'{"code":"FAIL","message":"The signature was not accepted."}',
            "application/json",
        ),
    }


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "exactly 32 letters and digits. Yours has 0"),
        ("OnlyForTests0000", "Yours has 16"),
        (API_KEY + "0", "Yours has 33"),
        ("鑰" * 32, "exactly 32"),
        ((PAYLOADS / "test-only-private-key.pem").read_text(), "private key"),
        (MERCHANT_CERTIFICATE, "your own merchant certificate"),
        (PUBLIC_KEY[:200], "damaged"),
        (CERTIFICATE[:200], "damaged"),
        (KEY_ID, "damaged"),
        (f"{KEY_ID}\n{API_KEY}", "damaged"),
    ],
)
def test_staff_are_told_what_is_wrong_with_a_secret(secret: str, sentence: str) -> None:
    with pytest.raises(UnusableSecret, match=sentence):
        wechatpay.check_secret(secret)


def test_staff_see_which_key_is_which_and_never_the_key() -> None:
    wechatpay.check_secret(API_KEY)

    assert [
        wechatpay.describe_secret(secret)
        for secret in (API_KEY, PUBLIC_KEY, NAMED_KEY, CERTIFICATE)
    ] == ["APIv3 key", "public key", f"public key {KEY_ID}", f"platform certificate {SERIAL}"]


def example_payment(sale: Sale, state: str = "SUCCESS") -> Inbound:
    inner = payload(
        "transaction",
        transaction_id=sale.ref,
        trade_state=state,
        out_trade_no=sale.order_ref or None,
        attach=sale.member_code or None,
        success_time=sale.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        amount=example_amount("total", sale.money.amount, sale),
    )
    return post(event("TRANSACTION.SUCCESS", inner, id=f"EV-{state}-{sale.ref}"), sale.at)


def example_refund(refund: Correction) -> Inbound:
    inner = payload(
        "refund",
        transaction_id=refund.sale.ref,
        refund_id=refund.ref,
        success_time=refund.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        amount=example_amount("refund", refund.amount, refund.sale),
    )
    return post(event("REFUND.SUCCESS", inner, id=f"EV-{refund.ref}"), refund.at)


def example_amount(name: str, amount: Decimal, sale: Sale) -> dict[str, Any]:
    places = 0 if sale.money.currency == "JPY" else 2
    return {name: minor(amount, places), "currency": sale.money.currency}


EXAMPLE = Example(
    code="wechatpay",
    keys=KEYS,
    payment=example_payment,
    refund=example_refund,
    currencies=("CNY", "HKD"),
    signed_headers=(
        "wechatpay-signature",
        "wechatpay-timestamp",
        "wechatpay-nonce",
        "wechatpay-serial",
    ),
    later=tuple(
        partial(example_payment, state=state)
        for state in ("NOTPAY", "USERPAYING", "CLOSED", "REVOKED", "PAYERROR")
    ),
    resign=lambda request, at: post(request.body, at),
    other_keys=Keys((f"{KEY_ID}\n{OTHER_PUBLIC_KEY}", NEXT_API_KEY)),
)


@pytest.mark.parametrize(
    ("wallet", "method"), [("HKD", "wechatpayhk"), ("CNY", "wechatpay"), (None, "wechatpay")]
)
def test_the_currency_of_the_wallet_tells_whose_wechat_pay_it_is(
    wallet: str | None, method: str
) -> None:
    amount = {"total": 10000, "currency": "HKD", "payer_currency": wallet}

    found = wechatpay.read(paid(amount=amount), KEYS)

    assert isinstance(found, list)
    assert [notice.method for notice in found] == [method]
