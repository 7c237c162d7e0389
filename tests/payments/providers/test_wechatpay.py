"""WeChat Pay's notices: signed and encrypted here with keys that exist only for these tests."""

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import wechatpay
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
        Reason.BAD_SIGNATURE, f"The account has no key with the serial {serial}."
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
        Reason.BAD_SIGNATURE, "WeChat Pay's own test, which must be refused."
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


def test_a_payment_is_read() -> None:
    assert read("TRANSACTION.SUCCESS", "transaction") == Notice(
        kind=Kind.PAYMENT,
        payment_ref="4200000000202611210000000001",
        effect_ref="4200000000202611210000000001",
        amount=Money(Decimal("88.00"), "CNY"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="SHOP-2001",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="wechatpay",
        clues=(Clue("wechat_openid", "wx00000000000000aa:openid-of-mei"),),
    )


def test_a_refund_is_one_effect_of_its_payment() -> None:
    refund = read("REFUND.SUCCESS", "refund")

    assert (refund.kind, refund.payment_ref, refund.effect_ref) == (
        Kind.REFUND,
        "4200000000202611210000000001",
        "50000000002026112200000000001",
    )
    assert (refund.amount, refund.is_total) == (Money(Decimal("30.00"), "CNY"), False)
    assert refund.occurred_at == datetime(2026, 11, 22, 2, 15, tzinfo=UTC)


def test_the_global_edition_is_read_in_its_own_currency() -> None:
    payment = read("TRANSACTION.SUCCESS", "transaction_global")
    refund = read("REFUND.SUCCESS", "refund_global")

    assert payment.payment_ref == refund.payment_ref == "4300000000202611210000000002"
    assert payment.amount == Money(Decimal("128.50"), "HKD")
    assert (refund.effect_ref, refund.amount) == (
        "50300000002026112200000000002",
        Money(Decimal("28.50"), "HKD"),
    )


def test_minor_units_follow_iso() -> None:
    yen = read("TRANSACTION.SUCCESS", "transaction", amount={"total": 1280, "currency": "JPY"})

    assert yen.amount == Money(Decimal(1280), "JPY")


def test_a_service_providers_payer_has_a_sign_for_each_app() -> None:
    payment = read(
        "TRANSACTION.SUCCESS",
        "transaction",
        appid=None,
        sp_appid="wx00000000000000cc",
        sub_appid="wx00000000000000dd",
        payer={"sp_openid": "one", "sub_openid": "two"},
    )

    assert payment.clues == (
        Clue("wechat_openid", "wx00000000000000cc:one"),
        Clue("wechat_openid", "wx00000000000000dd:two"),
    )


@pytest.mark.parametrize(
    ("name", "inner", "reason"),
    [
        ("TRANSACTION.SUCCESS", payload("transaction", trade_state="NOTPAY"), "not_paid_yet"),
        ("REFUND.SUCCESS", payload("refund", refund_status="ABNORMAL"), "refund_failed"),
        ("REFUND.SUCCESS", payload("refund_global", status="CLOSED"), "refund_failed"),
        ("REFUND.ABNORMAL", payload("refund", refund_status="ABNORMAL"), "refund_failed"),
        ("REFUND.CLOSED", payload("refund", refund_status="CLOSED"), "refund_failed"),
        ("PAYSCORE.USER_OPEN_SERVICE", {}, "unused_event"),
        ("COMPLAINT.CREATE", {}, "unused_event"),
    ],
)
def test_other_events_and_states_move_no_money(
    name: str, inner: dict[str, Any], reason: str
) -> None:
    request = post(event(name, inner))

    assert reason_of(request) is None
    assert wechatpay.read(request, KEYS) == Ignored(reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"amount": {"total": 0, "currency": "CNY"}},
        {"amount": {"total": -8800, "currency": "CNY"}},
        {"amount": {"total": "8800", "currency": "CNY"}},
        {"amount": {"total": "1,000.00", "currency": "CNY"}},
        {"amount": {"total": 88.5, "currency": "CNY"}},
        {"amount": {"total": True, "currency": "CNY"}},
        {"amount": {"total": 10**4000, "currency": "CNY"}},
        {"amount": {"total": 8800, "currency": "ZZZ"}},
        {"amount": {"total": 8800, "currency": ["CNY"]}},
        {"amount": {"total": float("nan"), "currency": "CNY"}},
        {"transaction_id": None},
        {"transaction_id": "x" * 101},
        {"transaction_id": "\ud800"},
        {"success_time": None},
        {"success_time": "2026-11-21 19:23:46"},
        {"success_time": "0001-01-01T00:00:00+08:00"},
        {"payer": "mei"},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        wechatpay.read(paid(**changes), KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"attach": "謝謝光臨"},
        {"attach": ["M4K7Q2Z9P"]},
        {"payer": {"openid": "x" * 300}},
        {"payer": []},
        {"out_trade_no": 7},
        {"scene_info": {"device_id": "\x00"}},
    ],
)
def test_a_useless_side_remark_does_not_hold_up_the_money(changes: dict[str, Any]) -> None:
    payment = read("TRANSACTION.SUCCESS", "transaction", **changes)

    assert payment.amount.amount == Decimal("88.00")


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "AES_256_CBC"},
        {"ciphertext": "no base64"},
        {"ciphertext": "簽"},
        {"ciphertext": 5},
        {"nonce": "short"},
        {"nonce": "\ud800" * 12},
        {"nonce": None},
        {"associated_data": {"a": 1}},
    ],
)
def test_an_envelope_that_cannot_be_opened_is_malformed(changes: dict[str, Any]) -> None:
    plain = json.dumps(payload("transaction")).encode()
    request = post(event("TRANSACTION.SUCCESS", plain, resource=sealed(plain) | changes))

    assert reason_of(request) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        wechatpay.read(request, KEYS)


@pytest.mark.parametrize("length", [0, 3, 15, 16, 40])
def test_a_ciphertext_that_was_cut_short_opens_to_nothing(length: int) -> None:
    plain = json.dumps(payload("transaction")).encode()
    resource = sealed(plain)
    cut = base64.b64encode(base64.b64decode(resource["ciphertext"])[:length]).decode()
    request = post(event("TRANSACTION.SUCCESS", plain, resource=resource | {"ciphertext": cut}))

    assert reason_of(request) == Reason.OTHER_MERCHANT
    with pytest.raises(MalformedPayload):
        wechatpay.read(request, KEYS)


@pytest.mark.parametrize(
    "plain",
    [b"", b"-----BEGIN CERTIFICATE-----", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 9999],
)
def test_what_is_inside_need_not_be_json(plain: bytes) -> None:
    request = post(event("TRANSACTION.SUCCESS", plain))

    assert reason_of(request) is None
    with pytest.raises(MalformedPayload):
        wechatpay.read(request, KEYS)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"id": 1, "id": 1}', b'{"id": NaN}'])
def test_a_signed_body_that_is_no_event_is_malformed(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED


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


def example_payment(sale: Sale) -> Inbound:
    inner = payload(
        "transaction",
        transaction_id=sale.ref,
        out_trade_no=sale.order_ref or None,
        attach=sale.member_code or None,
        success_time=sale.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        amount=example_amount("total", sale.money.amount, sale),
    )
    return post(event("TRANSACTION.SUCCESS", inner, id=f"EV-{sale.ref}"), sale.at)


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
    resign=lambda request, at: post(request.body, at),
    other_keys=Keys((f"{KEY_ID}\n{OTHER_PUBLIC_KEY}", NEXT_API_KEY)),
)
