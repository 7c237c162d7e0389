"""QFPay's notices, signed here by its published formula with an invented client key."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import qfpay
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

PAYLOADS = Path(__file__).parents[2] / "payloads" / "qfpay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
CLIENT_KEY = "0NLYF0RTESTS00000NLYF0RTESTS0001"
NEXT_KEY = "NEXTF0RTESTS0000NEXTF0RTESTS0002"
KEYS = Keys((CLIENT_KEY,))
PAYMENT = "20261121000200020000000042"


def sign(body: bytes, key: str = CLIENT_KEY, algorithm: str = "md5") -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update(body)
    digest.update(key.encode("ascii"))
    return digest.hexdigest().upper()


def post(body: bytes, header: str | None = None, **more: str) -> Inbound:
    headers = {"x-qf-sign": sign(body) if header is None else header} | more
    return Inbound("POST", url_of("qfpay"), headers, body)


def payload(name: str, **changes: Any) -> dict[str, Any]:
    told = json.loads((PAYLOADS / f"{name}.json").read_text()) | changes
    return {key: value for key, value in told.items() if value is not None}


def notice(name: str, **changes: Any) -> Inbound:
    return post(json.dumps(payload(name, **changes)).encode())


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = qfpay.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def key_of(request: Inbound) -> str:
    verdict = qfpay.verify(request, KEYS, NOW)
    assert isinstance(verdict, Verified)
    return verdict.delivery_key


def read(name: str, **changes: Any) -> Notice:
    notices = qfpay.read(notice(name, **changes), KEYS)
    assert isinstance(notices, list)
    assert len(notices) == 1
    return notices[0]


def test_a_notice_is_verified_under_its_number_and_state() -> None:
    assert qfpay.verify(notice("payment"), KEYS, NOW) == Verified(f"payment:{PAYMENT}:1:0000:0")


def test_the_bytes_are_signed_and_not_what_they_mean() -> None:
    told = payload("payment", goods_name="咖啡")
    raw = json.dumps(told, ensure_ascii=False, indent=4).encode()

    assert reason_of(post(raw)) is None
    assert reason_of(post(raw, sign(json.dumps(told).encode()))) == Reason.BAD_SIGNATURE


def test_while_keys_change_old_and_new_ones_both_hold() -> None:
    body = notice("payment").body
    new = post(body, sign(body, NEXT_KEY))

    for request in (post(body), new):
        assert reason_of(request, Keys((NEXT_KEY, f" {CLIENT_KEY} "))) is None
    assert reason_of(new) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        ("0" * 32, Reason.BAD_SIGNATURE),
        (sign(notice("payment").body).lower(), Reason.BAD_SIGNATURE),
        ("簽名", Reason.BAD_SIGNATURE),
    ],
)
def test_bad_signatures_are_refused(header: str, reason: Reason) -> None:
    assert reason_of(post(notice("payment").body, header)) == reason


@pytest.mark.parametrize("secrets", [(), ("",), ("short",), ("鑰" * 32,)])
def test_an_account_without_a_usable_key_refuses(secrets: tuple[str, ...]) -> None:
    body = notice("payment").body

    assert reason_of(post(body, sign(body, "")), Keys(secrets)) == Reason.NO_SECRET


@pytest.mark.parametrize(
    ("mchid", "reason"),
    [("", None), (" OnlyForTests ", None), ("Another", Reason.OTHER_MERCHANT)],
)
def test_a_notice_for_another_merchant_is_refused(mchid: str, reason: Reason | None) -> None:
    assert reason_of(notice("payment"), Keys((CLIENT_KEY,), {"mchid": mchid})) == reason


def test_a_payment_is_read() -> None:
    assert read("payment") == Notice(
        kind=Kind.PAYMENT,
        payment_ref=PAYMENT,
        effect_ref=PAYMENT,
        amount=Money(Decimal("128.50"), "HKD"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="SHOP-6001",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="alipay_hk",
        clues=(Clue("alipay_buyer", "2088000000000042"),),
    )


def test_numbers_may_be_numbers() -> None:
    numbers = read("payment", txamt=12850, syssn=int(PAYMENT), status=1, cancel=0)

    assert numbers == read("payment")


def test_a_refund_names_its_payment_beside_itself() -> None:
    refund = read("refund")

    assert (refund.kind, refund.payment_ref, refund.effect_ref) == (
        Kind.REFUND,
        PAYMENT,
        "20261122000300020000000042",
    )
    assert (refund.amount, refund.is_total) == (Money(Decimal("28.50"), "HKD"), False)
    assert refund.occurred_at == datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
    assert refund.order_ref == "SHOP-6001"


@pytest.mark.parametrize(
    ("pay_type", "method", "country"),
    [
        ("800101", "alipay", ""),
        ("800201", "wechatpay", ""),
        ("801008", "wechatpay", ""),
        ("805801", "payme", "HK"),
        ("802001", "fps", "HK"),
        ("803701", "octopus", "HK"),
        ("802801", "card", ""),
        ("806527", "apple_pay", ""),
        ("800008", "800008", ""),
        (None, "", ""),
    ],
)
def test_the_payment_type_names_the_method(
    pay_type: str | None, method: str, country: str
) -> None:
    payment = read("payment", pay_type=pay_type)

    assert (payment.method, payment.payer_country) == (method, country)


@pytest.mark.parametrize(
    ("changes", "clues"),
    [
        ({"pay_type": "802801", "cardcd": "411111******1111"}, ()),
        ({"pay_type": "802801", "cardcd": "2088000000000042"}, ()),
        ({"cardcd": "mei***@example.com"}, ()),
        ({"cardcd": None}, ()),
        ({"pay_type": "800101"}, (Clue("alipay_buyer", "2088000000000042"),)),
    ],
)
def test_only_what_names_one_person_is_a_clue(
    changes: dict[str, Any], clues: tuple[Clue, ...]
) -> None:
    assert read("payment", **changes).clues == clues


def test_minor_units_follow_iso() -> None:
    assert read("payment", txcurrcd="JPY", txamt="1280").amount == Money(Decimal(1280), "JPY")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("payment", {"respcd": "1143"}, "did_not_succeed"),
        ("payment", {"respcd": None}, "did_not_succeed"),
        ("payment", {"status": "0"}, "did_not_succeed"),
        ("payment", {"status": None}, "did_not_succeed"),
        ("payment", {"cancel": "1"}, "cancelled"),
        ("payment", {"cancel": "2"}, "cancelled"),
        ("payment", {"notify_type": "login"}, "unused_event"),
        ("refund", {"respcd": "1145"}, "refund_not_under_way"),
        ("refund", {"respcd": "1269"}, "refund_failed"),
        ("refund", {"orig_syssn": None}, "refund_names_no_payment"),
    ],
)
def test_other_notices_move_no_money(name: str, changes: dict[str, Any], reason: str) -> None:
    request = notice(name, **changes)

    assert reason_of(request) is None
    assert qfpay.read(request, KEYS) == Ignored(reason)


@pytest.mark.parametrize("cancel", [None, "", "0", "3", "4", "5"])
def test_what_was_refunded_later_was_paid_first(cancel: str | None) -> None:
    assert read("payment", cancel=cancel).kind == Kind.PAYMENT


def test_each_state_of_a_transaction_is_a_delivery_of_its_own() -> None:
    requests = [
        notice("payment"),
        notice("payment", cancel="1"),
        notice("payment", respcd="1143"),
        notice("refund"),
        notice("refund", syssn=None),
    ]

    assert len({key_of(request) for request in requests}) == len(requests)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("payment", {"txamt": None}),
        ("payment", {"txamt": "0"}),
        ("payment", {"txamt": "-1"}),
        ("payment", {"txamt": -1}),
        ("payment", {"txamt": 128.5}),
        ("payment", {"txamt": True}),
        ("payment", {"txamt": "128.50"}),
        ("payment", {"txamt": "1,000.00"}),
        ("payment", {"txamt": "NaN"}),
        ("payment", {"txamt": float("nan")}),
        ("payment", {"txamt": "9" * 16}),
        ("payment", {"txamt": 10**4000}),
        ("payment", {"txcurrcd": None}),
        ("payment", {"txcurrcd": "ZZZ"}),
        ("payment", {"syssn": None}),
        ("payment", {"syssn": "x" * 101}),
        ("payment", {"syssn": "\ud800"}),
        ("payment", {"paydtm": None, "sysdtm": None}),
        ("payment", {"paydtm": "2026-02-30 00:00:00"}),
        ("payment", {"paydtm": "0001-01-01 00:00:00"}),
        ("payment", {"paydtm": "2026-11-21T19:23:46Z"}),
        ("payment", {"notify_type": None}),
        ("payment", {"notify_type": ["payment"]}),
        ("refund", {"syssn": None}),
        ("refund", {"txamt": "many"}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        qfpay.read(notice(name, **changes), KEYS)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"syssn": NaN}', b'{"syssn": "1", "syssn": "2"}', b"[" * 9999]
)
def test_a_signed_body_that_is_no_notice_is_malformed(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        qfpay.read(post(body), KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"goods_info": "Latte"},
        {"goods_info": "a member of the family"},
        {"goods_info": ["member=M4K7Q2Z9P"]},
        {"out_trade_no": "x" * 300},
        {"cardcd": 5},
    ],
)
def test_a_useless_side_remark_does_not_hold_up_the_money(changes: dict[str, Any]) -> None:
    payment = read("payment", **changes)

    assert payment.amount.amount == Decimal("128.50")
    assert payment.member_code == ("" if "goods_info" in changes else "M4K7Q2Z9P")


def test_the_answer_is_one_word() -> None:
    assert {outcome: qfpay.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200, b"SUCCESS"),
        Outcome.DUPLICATE: Reply(200, b"SUCCESS"),
        Outcome.REFUSED: Reply(400, b"FAIL"),
    }


@pytest.mark.parametrize("secret", ["", "short", CLIENT_KEY[:20] + " " + CLIENT_KEY[20:], "鑰匙"])
def test_staff_cannot_enter_a_key_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret, match="app code"):
        qfpay.check_secret(secret)

    qfpay.check_secret(f" {CLIENT_KEY}\n")


def local(at: datetime) -> str:
    return at.astimezone(HONG_KONG).strftime("%Y-%m-%d %H:%M:%S")


def cents(amount: Decimal, currency: str) -> str:
    return str(minor(amount, 0 if currency == "JPY" else 2))


def example_payment(sale: Sale, **changes: str) -> Inbound:
    return notice(
        "payment",
        syssn=sale.ref,
        out_trade_no=sale.order_ref or sale.ref,
        txamt=cents(sale.money.amount, sale.money.currency),
        txcurrcd=sale.money.currency,
        paydtm=local(sale.at),
        goods_info=f"member={sale.member_code}" if sale.member_code else "",
        **changes,
    )


def example_refund(refund: Correction) -> Inbound:
    return notice(
        "refund",
        syssn=refund.ref,
        orig_syssn=refund.sale.ref,
        txamt=cents(refund.amount, refund.sale.money.currency),
        txcurrcd=refund.sale.money.currency,
        sysdtm=local(refund.at),
    )


EXAMPLE = Example(
    code="qfpay",
    keys=KEYS,
    payment=example_payment,
    refund=example_refund,
    currencies=("HKD", "JPY"),
    signed_headers=("x-qf-sign",),
    later=(
        partial(example_payment, status="0", respcd="1143"),
        partial(example_payment, status="2", respcd="1142"),
        partial(example_payment, cancel="1"),
        partial(example_payment, cancel="2"),
        partial(example_payment, notify_type="close"),
    ),
    resign=lambda request, _at: post(request.body),
    other_keys=Keys((NEXT_KEY,)),
)
