"""Alipay's notices, signed here with a key pair that exists only for these tests."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from kit.signatures import UnusableSecret
from payments.providers import alipay
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
from tests.payments.providers.example import Correction, Example, Sale, form_values

PAYLOADS = Path(__file__).parents[2] / "payloads" / "alipay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PUBLIC_KEY = (PAYLOADS / "test-only-public-key.pem").read_text()
CERTIFICATE = (PAYLOADS / "test-only-certificate.pem").read_text()
BARE_KEY = "".join(PUBLIC_KEY.splitlines()[1:-1])
KEYS = Keys((PUBLIC_KEY,))
NOTIFY_ID = "2026112100222192346000000000000001"
TRADE = "2026112122001400000000000001"


def private_key() -> RSAPrivateKey:
    key = load_pem_private_key((PAYLOADS / "test-only-private-key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def form(name: str, **changes: str | None) -> dict[str, str]:
    fields = json.loads((PAYLOADS / f"{name}.json").read_text()) | changes
    return {key: value for key, value in fields.items() if value is not None}


def body_of(
    fields: dict[str, str],
    *,
    charset: str = "utf-8",
    left_out: tuple[str, ...] = ("sign", "sign_type"),
    algorithm: SHA1 | SHA256 | None = None,
) -> bytes:
    kept = sorted((key, value) for key, value in fields.items() if key not in left_out)
    content = "&".join(f"{key}={value}" for key, value in kept).encode(charset)
    signed = private_key().sign(content, PKCS1v15(), algorithm or SHA256())
    return urlencode(
        fields | {"sign": base64.b64encode(signed).decode()}, encoding=charset
    ).encode()


def post(body: bytes) -> Inbound:
    return Inbound("POST", "https://shop.example/callbacks/alipay/t/", {}, body)


def notice(name: str, **changes: str | None) -> Inbound:
    return post(body_of(form(name, **changes)))


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = alipay.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def read(name: str, **changes: str | None) -> Notice:
    notices = alipay.read(notice(name, **changes), KEYS)
    assert isinstance(notices, list)
    assert len(notices) == 1
    return notices[0]


def example_notice(name: str, sale: Sale, at: datetime, **changes: str) -> Inbound:
    changes["trade_no"] = sale.ref
    changes["out_trade_no"] = sale.order_ref or sale.ref
    changes["passback_params"] = sale.member_code
    changes["total_amount"] = str(sale.money.amount)
    changes["trans_currency"] = sale.money.currency
    changes["gmt_payment"] = in_china(sale.at)
    changes["notify_time"] = in_china(at)
    changes["buyer_id"] = f"2088-{sale.ref}"
    return notice(name, buyer_open_id=None, **changes)


def in_china(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S")


def example_payment(sale: Sale) -> Inbound:
    return example_notice("trade_success", sale, sale.at, notify_id=f"paid-{sale.ref}")


def example_refund(refund: Correction) -> Inbound:
    return example_notice(
        "partial_refund",
        refund.sale,
        refund.at,
        notify_id=f"refunded-{refund.ref}-{refund.so_far}",
        out_biz_no=refund.ref,
        refund_fee=str(refund.so_far),
        send_back_fee=str(refund.amount),
        gmt_refund=in_china(refund.at),
    )


def example_state(name: str, sale: Sale, **changes: str) -> Inbound:
    changes = {"trade_status": name.upper(), **changes}
    changes["notify_id"] = f"{changes['trade_status']}-{sale.ref}"
    return example_notice(name, sale, sale.at, **changes)


def resigned(request: Inbound, _at: datetime) -> Inbound:
    return replace(request, body=body_of(dict(parse_qsl(request.body.decode("latin-1")))))


def vouched(request: Inbound) -> object:
    """Whether sign_type is part of what is signed is tried out."""
    return [pair for pair in form_values(request.body) if pair[0] != "sign_type"]


EXAMPLE = Example(
    code="alipay",
    keys=Keys((PUBLIC_KEY,), {"app_id": "2021000000000001", "seller_id": "2088000000000001"}),
    payment=example_payment,
    refund=example_refund,
    currencies=("CNY", "HKD"),
    form_is_loose=True,
    later=(
        lambda sale: example_state("trade_closed", sale, trade_status="WAIT_BUYER_PAY"),
        lambda sale: example_state("trade_closed", sale),
        lambda sale: example_state("trade_finished", sale),
    ),
    resign=resigned,
    vouched=vouched,
    other_keys=Keys((PUBLIC_KEY,), {"app_id": "2021000000000002"}),
)


@pytest.mark.parametrize("secret", [PUBLIC_KEY, CERTIFICATE, BARE_KEY, f"\n {BARE_KEY} \n"])
def test_a_notice_is_verified_under_its_notify_id(secret: str) -> None:
    alipay.check_secret(secret)

    assert alipay.verify(notice("trade_success"), Keys((secret,)), NOW) == Verified(NOTIFY_ID)


def test_one_of_several_keys_is_enough() -> None:
    assert alipay.verify(notice("trade_success"), Keys(("old", PUBLIC_KEY)), NOW) == Verified(
        NOTIFY_ID
    )


def test_notices_that_sign_their_sign_type_are_genuine_too() -> None:
    request = post(body_of(form("trade_success"), left_out=("sign",)))

    assert alipay.verify(request, KEYS, NOW) == Verified(NOTIFY_ID)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "gbk", "GBK", "gb2312", "gb18030"])
def test_the_charset_of_the_notice_rules(charset: str) -> None:
    fields = form("trade_success", charset=charset, subject="拿铁咖啡", out_trade_no="订单+1001")

    request = post(body_of(fields, charset=charset))

    notices = alipay.read(request, KEYS)
    assert reason_of(request) is None
    assert isinstance(notices, list)
    assert notices[0].order_ref == "订单+1001"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (form("trade_success", charset="utf-16"), Reason.MALFORMED),
        (form("trade_success", charset=""), Reason.MALFORMED),
        (form("trade_success", notify_id="x" * 101), Reason.MALFORMED),
        (form("trade_success", sign_type="RSA"), Reason.WEAK_SIGNATURE),
        (form("trade_success", sign_type="MD5"), Reason.WEAK_SIGNATURE),
        (form("trade_success", sign_type=""), Reason.WEAK_SIGNATURE),
    ],
)
def test_what_we_cannot_trust_or_decode_is_refused(fields: dict[str, str], reason: Reason) -> None:
    assert reason_of(post(body_of(fields))) == reason


def test_bytes_that_are_not_in_their_charset_are_refused() -> None:
    body = body_of(form("trade_success")).replace(quote("拿").encode(), b"%FF")

    assert reason_of(post(body)) == Reason.MALFORMED


def test_a_signature_by_sha1_does_not_pass_under_the_name_of_rsa2() -> None:
    request = post(body_of(form("trade_success"), algorithm=SHA1()))  # noqa: S303

    assert reason_of(request) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        ("AAAA", Reason.BAD_SIGNATURE),
        ("not base64", Reason.BAD_SIGNATURE),
        ("簽名", Reason.BAD_SIGNATURE),
    ],
)
def test_bad_signatures_are_refused(sign: str, reason: Reason) -> None:
    request = post(urlencode(form("trade_success") | {"sign": sign}).encode())

    assert reason_of(request) == reason


@pytest.mark.parametrize("body", [b"", b"&&&", b"=", b"%", b"\xff\x00", b"a" * 10_000])
def test_a_body_without_a_signature_is_refused(body: bytes) -> None:
    assert reason_of(post(body)) in (Reason.MISSING_SIGNATURE, Reason.MALFORMED)


def test_a_field_that_occurs_twice_is_malformed() -> None:
    request = post(body_of(form("trade_success")) + b"&total_amount=9999.00")

    assert reason_of(request) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        alipay.read(request, KEYS)


def test_a_form_with_endless_fields_is_malformed() -> None:
    many = b"&".join(b"%d=" % number for number in range(300))

    assert reason_of(post(many)) == Reason.MALFORMED


def test_a_value_cannot_be_cut_up_into_fields_of_another_meaning() -> None:
    genuine = form("trade_success", subject="x&total_amount=9999.00&tp=1")
    body = body_of(genuine).decode()
    cut = body.replace(quote("x&total_amount=9999.00&tp=1"), "x&total_amount=9999.00&tp=1")
    cut = cut.replace("&tp=1&total_amount=88.00", "&tp=1%26total_amount%3D88.00")

    assert reason_of(post(cut.encode())) == Reason.MALFORMED


@pytest.mark.parametrize("secrets", [(), ("",), ("AAAA",), ("-----BEGIN CERTIFICATE-----",)])
def test_an_account_without_a_usable_key_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(notice("trade_success"), Keys(secrets)) == Reason.NO_SECRET


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, None),
        ({"app_id": "", "seller_id": " "}, None),
        ({"app_id": "2021000000000001", "seller_id": "2088000000000001"}, None),
        ({"app_id": "2021000000000009"}, Reason.OTHER_MERCHANT),
        ({"seller_id": "2088000000000009"}, Reason.OTHER_MERCHANT),
    ],
)
def test_a_notice_for_another_merchant_is_refused(
    settings: dict[str, str], reason: Reason | None
) -> None:
    assert reason_of(notice("trade_success"), Keys((PUBLIC_KEY,), settings)) == reason


def test_a_forgery_does_not_learn_whose_account_it_is() -> None:
    request = post(body_of(form("trade_success")) + b"&app_idx=1")

    assert reason_of(request, Keys((PUBLIC_KEY,), {"app_id": "x"})) == Reason.BAD_SIGNATURE


def test_the_answer_is_one_word() -> None:
    assert {outcome: alipay.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200, b"success"),
        Outcome.DUPLICATE: Reply(200, b"success"),
        Outcome.REFUSED: Reply(400, b"fail"),
    }


def test_staff_cannot_enter_a_key_that_protects_nothing() -> None:
    short = generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505
    short_pem = short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private_pem = (PAYLOADS / "test-only-private-key.pem").read_text()

    for secret in ("", "AAAA", "a key", "鑰匙", short_pem, private_pem):
        with pytest.raises(UnusableSecret):
            alipay.check_secret(secret)
