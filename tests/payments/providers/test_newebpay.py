"""NewebPay's results, encrypted and signed here by its published rule with an invented pair."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import newebpay
from payments.providers.base import (
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
from tests.payments.providers.example import Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "newebpay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TAIPEI = ZoneInfo("Asia/Taipei")
HASH_KEY, HASH_IV = "OnlyForTests0000OnlyForTests0001", "OnlyForTests0002"
NEXT_KEY, NEXT_IV = "NextForTests0000NextForTests0001", "NextForTests0002"
SECRET = json.dumps({"hash_key": HASH_KEY, "hash_iv": HASH_IV})
NEXT_SECRET = json.dumps({"hash_key": NEXT_KEY, "hash_iv": NEXT_IV})
KEYS = Keys((SECRET,))
TRADE = "26112119224600042"


def encrypted(plain: bytes, key: str = HASH_KEY, iv: str = HASH_IV) -> bytes:
    """The rule once more: fill up to 16 bytes with the number of bytes that were missing."""
    missing = 16 - len(plain) % 16
    encryptor = Cipher(AES(key.encode()), CBC(iv.encode())).encryptor()
    return encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()


def sha(trade_info: str, key: str = HASH_KEY, iv: str = HASH_IV) -> str:
    whole = "HashKey=" + key + "&" + trade_info + "&HashIV=" + iv
    return hashlib.sha256(whole.encode()).hexdigest().upper()


def signed(trade_info: str, check: str | None = None, **outer: str) -> Inbound:
    fields = {"Status": "SUCCESS", "MerchantID": "MS000000042", "Version": "2.3"} | outer
    fields |= {"TradeInfo": trade_info, "TradeSha": sha(trade_info) if check is None else check}
    return raw(urlencode(fields).encode())


def raw(body: bytes) -> Inbound:
    return Inbound("POST", url_of("newebpay"), {}, body)


def post(told: dict[str, Any]) -> Inbound:
    return signed(encrypted(json.dumps(told, ensure_ascii=False).encode()).hex())


def payload(name: str, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    result = {k: v for k, v in (told["Result"] | changes).items() if v is not None}
    return told | {"Result": result}


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = newebpay.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def key_of(request: Inbound) -> str:
    verdict = newebpay.verify(request, KEYS, NOW)
    assert isinstance(verdict, Verified)
    return verdict.delivery_key


def read(name: str, **changes: Any) -> Notice:
    notices = newebpay.read(post(payload(name, **changes)), KEYS)
    assert isinstance(notices, list)
    assert len(notices) == 1
    return notices[0]


@pytest.mark.parametrize("secret", [SECRET, f"{HASH_KEY}\n{HASH_IV}"])
def test_a_result_is_verified_under_its_trade_and_state(secret: str) -> None:
    newebpay.check_secret(secret)

    assert newebpay.verify(post(payload("payment")), Keys((secret,)), NOW) == Verified(
        f"MS000000042:Shop_5001:{TRADE}:SUCCESS:paid"
    )


def test_while_keys_change_each_opens_its_own() -> None:
    trade_info = encrypted(json.dumps(payload("payment")).encode(), NEXT_KEY, NEXT_IV).hex()
    new = signed(trade_info, sha(trade_info, NEXT_KEY, NEXT_IV))
    both = Keys((NEXT_SECRET, SECRET))

    for request in (post(payload("payment")), new):
        assert reason_of(request, both) is None
        assert isinstance(newebpay.read(request, both), list)
    assert reason_of(new) == Reason.BAD_SIGNATURE
    with pytest.raises(MalformedPayload, match="Add the right pair"):
        newebpay.read(new, KEYS)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        ("0" * 64, Reason.BAD_SIGNATURE),
        (sha("AA"), Reason.BAD_SIGNATURE),
        ("簽名", Reason.BAD_SIGNATURE),
    ],
)
def test_bad_signatures_are_refused(check: str, reason: Reason) -> None:
    trade_info = encrypted(json.dumps(payload("payment")).encode()).hex()

    assert reason_of(signed(trade_info, check)) == reason
    assert reason_of(signed(trade_info, sha(trade_info).lower())) == Reason.BAD_SIGNATURE
    assert reason_of(signed(trade_info.upper(), sha(trade_info))) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize("secrets", [(), ("",), ("AAAA",), (f"{HASH_KEY} short",)])
def test_an_account_without_a_usable_pair_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(post(payload("payment")), Keys(secrets)) == Reason.NO_SECRET


@pytest.mark.parametrize(
    ("merchant_id", "reason"),
    [("", None), (" MS000000042 ", None), ("MS000000043", Reason.OTHER_MERCHANT)],
)
def test_a_result_for_another_shop_is_refused(merchant_id: str, reason: Reason | None) -> None:
    keys = Keys((SECRET,), {"merchant_id": merchant_id})

    assert reason_of(post(payload("payment")), keys) == reason


def test_what_is_not_signed_is_not_read() -> None:
    failed = encrypted(json.dumps(payload("failure")).encode()).hex()
    request = signed(failed, Status="SUCCESS", MerchantID="MS999999999", Amt="9999")

    assert key_of(request) == key_of(signed(failed, Status="MPG03009"))
    assert newebpay.read(request, KEYS) == Ignored("did_not_succeed")


def test_a_payment_is_read_in_whole_dollars_of_taiwan() -> None:
    assert read("payment") == Notice(
        kind=Kind.PAYMENT,
        payment_ref=TRADE,
        effect_ref=TRADE,
        amount=Money(Decimal("1280.00"), "TWD"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="Shop_5001",
        method="card",
    )


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"PaymentMethod": "UNIONPAY"}, "card"),
        ({"PaymentMethod": "APPLEPAY"}, "apple_pay"),
        ({"PaymentMethod": None}, "card"),
        ({"PaymentType": "VACC"}, "atm"),
        ({"PaymentType": "CVS"}, "cvs"),
        ({"PaymentType": "LINEPAY"}, "linepay"),
        ({"PaymentType": "EZPALIPAY"}, "alipay"),
        ({"PaymentType": None, "PaymentMethod": None}, ""),
    ],
)
def test_the_method_is_named_as_people_know_it(changes: dict[str, Any], method: str) -> None:
    assert read("payment", **changes).method == method


@pytest.mark.parametrize(
    ("order", "where", "member"),
    [
        ("Shop_5001_M4K7Q2Z9P", "suffix", "M4K7Q2Z9P"),
        ("Shop5001", "suffix", ""),
        ("Shop5001_", "suffix", ""),
        ("Shop_5001_M4K7Q2Z9P", "elsewhere", ""),
        ("Shop_5001_M4K7Q2Z9P", "", ""),
    ],
)
def test_the_member_may_stand_behind_the_order_number(order: str, where: str, member: str) -> None:
    keys = Keys((SECRET,), {"member_number": where})

    notices = newebpay.read(post(payload("payment", MerchantOrderNo=order)), keys)

    assert isinstance(notices, list)
    assert (notices[0].order_ref, notices[0].member_code) == (order, member)


def test_a_code_is_no_payment_and_does_not_stand_in_its_way() -> None:
    code, paid = post(payload("code_issued")), post(payload("transfer"))

    assert reason_of(code) is None
    assert newebpay.read(code, KEYS) == Ignored("code_issued")
    assert read("transfer").amount == Money(Decimal("350.00"), "TWD")
    assert key_of(code) != key_of(paid)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (payload("failure"), "did_not_succeed"),
        ({"Status": "MPG02004", "Message": "", "Result": []}, "did_not_succeed"),
        (payload("payment", PaymentType="CVS", PayTime=None), "code_issued"),
        (payload("payment", PaymentType="CVSCOM", TradeType=3), "picked_up_unpaid"),
        (payload("payment", PaymentType="CVSCOM", TradeType="3"), "picked_up_unpaid"),
    ],
)
def test_other_results_move_no_money(told: dict[str, Any], reason: str) -> None:
    request = post(told)

    assert reason_of(request) is None
    assert newebpay.read(request, KEYS) == Ignored(reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"Amt": None},
        {"Amt": 0},
        {"Amt": -1280},
        {"Amt": 12.8},
        {"Amt": True},
        {"Amt": "12.80"},
        {"Amt": "1,000.00"},
        {"Amt": "NaN"},
        {"Amt": float("nan")},
        {"Amt": "1e9"},
        {"Amt": 10**17},
        {"Amt": 10**3000},
        {"Amt": [1280]},
        {"TradeNo": None},
        {"TradeNo": "x" * 101},
        {"TradeNo": "\ud800"},
        {"MerchantOrderNo": {"a": 1}},
        {"PayTime": "2026/11/21 19:23:46"},
        {"PayTime": "2026-02-30 19:23:46"},
        {"PayTime": "0001-01-01 00:00:00"},
        {"PayTime": 20261121},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    told = json.dumps(payload("payment", **changes)).encode()

    with pytest.raises(MalformedPayload):
        newebpay.read(signed(encrypted(told).hex()), KEYS)


@pytest.mark.parametrize(
    "trade_info",
    [
        "zz",
        "abc",
        "aB" * 16,
        "é",
        encrypted(b"{}").hex()[:-2],
        encrypted(b"x" * 40).hex()[:32],
        "00" * 16,
        encrypted(b"").hex(),
        encrypted(b"[]").hex(),
        encrypted(b'{"Status": "SUCCESS"').hex(),
        encrypted(b'{"Status": 1}').hex(),
        encrypted(b'{"Status": "SUCCESS", "Result": "x"}').hex(),
        encrypted(b'{"Status": "SUCCESS", "Status": "SUCCESS"}').hex(),
        encrypted(b"Status=SUCCESS&Amt=1&Amt=2").hex(),
        encrypted(b"Status=%FF").hex(),
        encrypted(b"[" * 9999).hex(),
    ],
)
def test_a_signed_trade_info_that_cannot_be_opened_is_malformed(trade_info: str) -> None:
    request = signed(trade_info)

    assert reason_of(request) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        newebpay.read(request, KEYS)


@pytest.mark.parametrize("tail", ["&TradeInfo=00", "&TradeSha=00", "&Status=SUCCESS"])
def test_a_field_that_occurs_twice_is_malformed(tail: str) -> None:
    request = raw(post(payload("payment")).body + tail.encode())

    assert reason_of(request) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        newebpay.read(request, KEYS)


@pytest.mark.parametrize("body", [b"", b"&&", b"=", b"%", b"TradeInfo=", b"\xff\x00", b"{}"])
def test_a_body_without_a_signature_is_refused(body: bytes) -> None:
    assert reason_of(raw(body)) == Reason.MISSING_SIGNATURE


def test_without_a_trade_number_the_same_result_has_the_same_key() -> None:
    request = post({"Status": "MPG02004", "Message": "", "Result": []})

    assert key_of(request).startswith("sha256:")
    assert key_of(request) == key_of(post({"Status": "MPG02004", "Message": "", "Result": []}))


def test_the_answer_is_ok() -> None:
    assert {outcome: newebpay.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200, b"OK"),
        Outcome.DUPLICATE: Reply(200, b"OK"),
        Outcome.REFUSED: Reply(400, b"TradeSha was not accepted"),
    }


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "HashKey must be exactly 32 letters and digits. Yours has 0"),
        (HASH_KEY, "HashIV must be exactly 16 letters and digits. Yours has 0"),
        (f"{HASH_IV} {HASH_KEY}", "exchanged"),
        (json.dumps({"hash_key": HASH_KEY, "hash_iv": HASH_IV + "0"}), "HashIV .* Yours has 17"),
    ],
)
def test_staff_are_told_which_half_of_the_pair_is_wrong(secret: str, sentence: str) -> None:
    with pytest.raises(UnusableSecret, match=sentence):
        newebpay.check_secret(secret)


def example_payment(sale: Sale, name: str = "payment", **changes: Any) -> Inbound:
    return post(example_result(sale, name, **changes))


def example_result(sale: Sale, name: str = "payment", **changes: Any) -> dict[str, Any]:
    paid_at = sale.at.astimezone(TAIPEI).strftime("%Y-%m-%d %H:%M:%S")
    own: dict[str, Any] = {"PayTime": paid_at} if name != "code_issued" else {}
    return payload(
        name,
        TradeNo=sale.ref,
        MerchantOrderNo=f"{sale.order_ref or sale.ref}_{sale.member_code}",
        Amt=int(sale.money.amount),
        **own | changes,
    )


def resign(request: Inbound, _at: datetime) -> Inbound:
    fields = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
    return signed(fields.get("TradeInfo", ""))


def vouched(request: Inbound) -> object:
    """TradeInfo and its signature; the rest of the form is neither signed nor read."""
    pairs = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return sorted(pair for pair in pairs if pair[0] in ("TradeInfo", "TradeSha"))


EXAMPLE = Example(
    code="newebpay",
    keys=Keys((SECRET,), {"member_number": "suffix"}),
    payment=example_payment,
    currencies=("TWD",),
    form_is_loose=True,
    later=(
        partial(example_payment, name="code_issued"),
        partial(example_payment, name="failure"),
        partial(example_payment, TradeType="3"),
    ),
    resign=resign,
    vouched=vouched,
    other_keys=Keys((NEXT_SECRET,)),
)
