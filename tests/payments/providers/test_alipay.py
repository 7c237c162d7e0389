"""Alipay's notices, signed here with a key pair that exists only for these tests."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import alipay
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


def test_a_payment_is_read() -> None:
    assert read("trade_success") == Notice(
        kind=Kind.PAYMENT,
        payment_ref=TRADE,
        effect_ref=TRADE,
        amount=Money(Decimal("88.00"), "CNY"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="SHOP-1001",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="alipay",
        clues=(Clue("alipay_buyer", "2088000000000042"), Clue("alipay_open_id", "open-id-of-mei")),
    )


def test_refunds_tell_the_total_so_far_and_nothing_of_the_payment() -> None:
    partial, full = read("partial_refund"), read("full_refund")

    assert [(n.kind, n.payment_ref, n.is_total) for n in (partial, full)] == [
        (Kind.REFUND, TRADE, True),
        (Kind.REFUND, TRADE, True),
    ]
    assert (partial.effect_ref, partial.amount.amount) == ("REFUND-1:30.00", Decimal("30.00"))
    assert (full.effect_ref, full.amount.amount) == ("REFUND-2:88.00", Decimal("88.00"))
    assert partial.occurred_at == datetime(2026, 11, 22, 2, 15, 0, 120000, tzinfo=UTC)


def test_a_state_of_the_total_keeps_its_number_when_it_is_told_again() -> None:
    again = read("partial_refund", notify_id="another", refund_fee="30.0")
    more = read("partial_refund", refund_fee="45.00")
    bare = read("partial_refund", out_biz_no=None)

    assert again.effect_ref == read("partial_refund").effect_ref
    assert more.effect_ref == "REFUND-1:45.00"
    assert bare.effect_ref == "total:30.00"


def test_a_closed_trade_with_a_refund_is_a_refund_even_without_its_own_time() -> None:
    refund = read("full_refund", gmt_refund=None)

    assert refund.kind == Kind.REFUND
    assert refund.occurred_at == datetime(2026, 11, 23, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("trade_finished", {}, "refund_period_over"),
        ("trade_closed", {}, "closed_unpaid"),
        ("trade_success", {"trade_status": "WAIT_BUYER_PAY"}, "not_paid_yet"),
        ("trade_success", {"trade_status": "TRADE_ODD"}, "unknown_trade_status"),
        ("trade_success", {"trade_status": None, "notify_id": None}, "no_trade_status"),
    ],
)
def test_other_states_move_no_money(
    name: str, changes: dict[str, str | None], reason: str
) -> None:
    request = notice(name, **changes)

    assert reason_of(request) is None
    assert alipay.read(request, KEYS) == Ignored(reason)


def test_an_empty_refund_field_does_not_hide_a_payment() -> None:
    assert read("trade_success", refund_fee="0.00").kind == Kind.PAYMENT


def test_without_a_notify_id_the_same_bytes_have_the_same_key() -> None:
    request = notice("trade_success", notify_id=None)

    verdict = alipay.verify(request, KEYS, NOW)

    assert isinstance(verdict, Verified)
    assert verdict.delivery_key.startswith("sha256:")
    assert verdict == alipay.verify(request, KEYS, NOW)


@pytest.mark.parametrize(
    ("given", "member", "store"),
    [
        ("M4K7Q2Z9P", "M4K7Q2Z9P", ""),
        ("member=M4K7Q2Z9P", "M4K7Q2Z9P", ""),
        ("member%3DM4K7Q2Z9P%26store%3Dcentral", "M4K7Q2Z9P", "central"),
        ('{"member": "M4K7Q2Z9P", "store": "central"}', "M4K7Q2Z9P", "central"),
        ("%7B%22member%22%3A%22M4K7Q2Z9P%22%7D", "M4K7Q2Z9P", ""),
        ('{"member": 5}', "", ""),
        ('{"member": "M1", "member": "M2"}', "", ""),
        ("{" * 1000, "", ""),
        ("member=" + "M" * 41, "", ""),
        ("member=%00", "", ""),
        ("%FF%FE", "", ""),
        ("x" * 5000, "", ""),
        ("謝謝光臨", "", ""),
    ],
)
def test_the_member_comes_from_what_the_merchant_passed_along(
    given: str, member: str, store: str
) -> None:
    payment = read("trade_success", passback_params=given)

    assert (payment.member_code, payment.store_code) == (member, store)


def test_a_cross_border_price_is_in_the_currency_that_the_notice_names() -> None:
    assert read("trade_success", trans_currency="HKD").amount == Money(Decimal("88.00"), "HKD")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("trade_success", {"total_amount": None}),
        ("trade_success", {"total_amount": "0.00"}),
        ("trade_success", {"total_amount": "-88.00"}),
        ("trade_success", {"total_amount": "88.001"}),
        ("trade_success", {"total_amount": "8_8"}),
        ("trade_success", {"total_amount": "NaN"}),
        ("trade_success", {"total_amount": "1e9"}),
        ("trade_success", {"total_amount": "9" * 5000}),
        ("trade_success", {"trans_currency": "ZZZ"}),
        ("trade_success", {"trade_no": None}),
        ("trade_success", {"trade_no": "a\x00b"}),
        ("trade_success", {"gmt_payment": None}),
        ("trade_success", {"gmt_payment": "2026-02-30 00:00:00"}),
        ("trade_success", {"gmt_payment": "0001-01-01 00:00:00"}),
        ("trade_success", {"gmt_payment": "2026-11-21"}),
        ("partial_refund", {"refund_fee": None}),
        ("partial_refund", {"refund_fee": "0.00"}),
        ("partial_refund", {"refund_fee": "-1"}),
        ("partial_refund", {"gmt_refund": None, "refund_fee": "lots"}),
        ("partial_refund", {"gmt_refund": "yesterday"}),
        ("partial_refund", {"out_biz_no": "x" * 65}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(
    name: str, changes: dict[str, str | None]
) -> None:
    with pytest.raises(MalformedPayload):
        alipay.read(notice(name, **changes), KEYS)


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
