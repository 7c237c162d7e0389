"""What WeChat Pay's notices mean once they are opened, and which cannot be opened."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from kit.money import Money
from payments.providers import wechatpay
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    Reason,
)
from tests.payments.providers.example import Correction, Sale
from tests.payments.providers.test_wechatpay import (
    API_KEY,
    CERTIFICATE,
    EXAMPLE,
    KEYS,
    NEXT_API_KEY,
    OTHER_PUBLIC_KEY,
    SERIAL,
    SHANGHAI,
    event,
    example_amount,
    paid,
    payload,
    post,
    read,
    reason_of,
    sealed,
)


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


def abroad(sale: Sale) -> Inbound:
    """The global edition, signed by a platform certificate, with names of its own."""
    inner = payload(
        "transaction_global",
        id=sale.ref,
        out_trade_no=sale.order_ref or None,
        attach=sale.member_code or None,
        success_time=sale.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        amount=example_amount("total", sale.money.amount, sale),
    )
    told = event("TRANSACTION.SUCCESS", inner, id=f"EV-{sale.ref}")
    return post(told, sale.at, serial=SERIAL)


def refunded_abroad(refund: Correction) -> Inbound:
    inner = payload(
        "refund_global",
        id=refund.ref,
        transaction_id=refund.sale.ref,
        success_time=refund.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        amount=example_amount("refund", refund.amount, refund.sale),
    )
    told = event("REFUND.SUCCESS", inner, id=f"EV-{refund.ref}")
    return post(told, refund.at, serial=SERIAL)


def abnormal(refund: Correction) -> Inbound:
    told = event("REFUND.ABNORMAL", payload("refund", refund_status="ABNORMAL"))
    return post(told, refund.at, serial=SERIAL)


ALSO = (
    replace(
        EXAMPLE,
        variant="global",
        keys=Keys((CERTIFICATE, API_KEY)),
        payment=abroad,
        refund=refunded_abroad,
        currencies=("HKD", "JPY"),
        later=(),
        besides=(abnormal,),
        resign=lambda request, at: post(request.body, at, serial=SERIAL),
        other_keys=Keys((f"{SERIAL}\n{OTHER_PUBLIC_KEY}", NEXT_API_KEY)),
    ),
)
