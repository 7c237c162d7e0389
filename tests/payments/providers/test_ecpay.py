"""ECPay's results, signed here by its published rule with an invented HashKey and HashIV."""

import hashlib
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

import pytest

from kit.signatures import UnusableSecret
from payments.providers import ecpay
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
from tests.payments.providers.example import Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "ecpay"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TAIPEI = ZoneInfo("Asia/Taipei")
HASH_KEY, HASH_IV = "OnlyForTests0001", "OnlyForTests0002"
NEXT_KEY, NEXT_IV = "NextForTests0001", "NextForTests0002"
SECRET = json.dumps({"hash_key": HASH_KEY, "hash_iv": HASH_IV})
NEXT_SECRET = json.dumps({"hash_key": NEXT_KEY, "hash_iv": NEXT_IV})
KEYS = Keys((SECRET,))

# By hand, as the documentation shows it step by step.
MAC_OF_TWO_FIELDS = hashlib.sha256(
    b"hashkey%3donlyfortests0001%26itemname%3dtom%27s+(new)+%7e+caf%c3%a9!%26"
    b"merchantid%3d3000042%26hashiv%3donlyfortests0002"
).hexdigest()


def mac(fields: dict[str, str], key: str = HASH_KEY, iv: str = HASH_IV) -> str:
    """The rule once more, written another way than in the module."""
    ordered = [f"{name}={fields[name]}" for name in sorted(fields, key=str.lower)]
    whole = "&".join([f"HashKey={key}", *ordered, f"HashIV={iv}"])
    escaped = "".join(
        "+" if char == " " else char if char in "-_.!*()" else quote(char, safe="")
        for char in whole
    )
    return hashlib.sha256(escaped.replace("~", "%7e").lower().encode()).hexdigest().upper()


def form(name: str, **changes: str | None) -> dict[str, str]:
    fields = json.loads((PAYLOADS / f"{name}.json").read_text()) | changes
    return {key: value for key, value in fields.items() if value is not None}


def post(fields: dict[str, str], *, check: str | None = None) -> Inbound:
    signed = fields | {"CheckMacValue": mac(fields) if check is None else check}
    return raw(urlencode(signed).encode())


def raw(body: bytes) -> Inbound:
    return Inbound("POST", url_of("ecpay"), {}, body)


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = ecpay.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def key_of(request: Inbound) -> str:
    verdict = ecpay.verify(request, KEYS, NOW)
    assert isinstance(verdict, Verified)
    return verdict.delivery_key


def read(name: str, **changes: str | None) -> Notice:
    notices = ecpay.read(post(form(name, **changes)), KEYS)
    assert isinstance(notices, list)
    assert len(notices) == 1
    return notices[0]


def test_the_mac_is_that_of_the_documentation() -> None:
    fields = {"MerchantID": "3000042", "ItemName": "Tom's (new) ~ café!"}

    assert mac(fields) == MAC_OF_TWO_FIELDS.upper()
    assert reason_of(post(fields, check=MAC_OF_TWO_FIELDS.upper())) is None


@pytest.mark.parametrize("secret", [SECRET, f"{HASH_KEY}\n{HASH_IV}", f" {HASH_KEY} {HASH_IV} "])
def test_a_result_is_verified_under_its_order_and_state(secret: str) -> None:
    ecpay.check_secret(secret)

    assert ecpay.verify(post(form("payment")), Keys((secret,)), NOW) == Verified(
        "3000042:shop3001:2611211922100042:1:0::"
    )


def test_while_keys_change_old_and_new_ones_both_hold() -> None:
    fields = form("payment")
    old, new = post(fields), post(fields, check=mac(fields, NEXT_KEY, NEXT_IV))

    for request in (old, new):
        assert reason_of(request, Keys((NEXT_SECRET, SECRET))) is None
    assert reason_of(old, Keys((NEXT_SECRET,))) == Reason.BAD_SIGNATURE


def test_blank_fields_are_signed_too() -> None:
    fields = form("payment")
    without = {name: value for name, value in fields.items() if value}

    assert reason_of(post(fields, check=mac(without))) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("", Reason.MISSING_SIGNATURE),
        ("0" * 64, Reason.BAD_SIGNATURE),
        (mac(form("payment")).lower(), Reason.BAD_SIGNATURE),
        (hashlib.md5(b"x").hexdigest().upper(), Reason.BAD_SIGNATURE),  # noqa: S324
        ("簽名", Reason.BAD_SIGNATURE),
    ],
)
def test_bad_macs_are_refused(check: str, reason: Reason) -> None:
    assert reason_of(post(form("payment"), check=check)) == reason


@pytest.mark.parametrize("secrets", [(), ("",), ("AAAA",), ("{",), ('{"hash_key": 5}',)])
def test_an_account_without_a_usable_pair_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(post(form("payment")), Keys(secrets)) == Reason.NO_SECRET


@pytest.mark.parametrize(
    ("merchant_id", "reason"),
    [("", None), (" 3000042 ", None), ("3000043", Reason.OTHER_MERCHANT)],
)
def test_a_result_for_another_shop_is_refused(merchant_id: str, reason: Reason | None) -> None:
    keys = Keys((SECRET,), {"merchant_id": merchant_id})

    assert reason_of(post(form("payment")), keys) == reason


def test_a_form_respelled_by_the_payer_is_the_same_payment() -> None:
    """The MAC covers neither capitals nor where a value ends; the payer's browser has the form."""
    genuine = post(form("payment"))
    pairs = parse_qsl(genuine.body.decode(), keep_blank_values=True)
    capitals = urlencode([(k, v if k == "CheckMacValue" else v.upper()) for k, v in pairs])
    small = urlencode([(k.lower(), v) for k, v in reversed(pairs)])

    for spelling in (capitals, small):
        respelled = raw(spelling.encode())
        notices = ecpay.read(respelled, KEYS)
        assert key_of(respelled) == key_of(genuine)
        assert isinstance(notices, list)
        assert notices[0].effect_ref == read("payment").effect_ref


@pytest.mark.parametrize(
    ("field", "hidden"),
    [
        ("&TradeNo=2611211922100042", "%26TradeNo%3D2611211922100042"),
        ("&SimulatePaid=1", "%26SimulatePaid%3D1"),
        ("&SimulatePaid=1", "%26simulatepaid%3d1"),
    ],
)
def test_a_field_cannot_be_hidden_inside_another(field: str, hidden: str) -> None:
    fields = form("payment", SimulatePaid="1")
    names = sorted(fields, key=str.lower)
    body = urlencode({name: fields[name] for name in names} | {"CheckMacValue": mac(fields)})
    request = raw(body.replace(field, hidden).encode())

    assert reason_of(raw(body.encode())) is None
    assert reason_of(request) == Reason.MALFORMED
    with pytest.raises(MalformedPayload):
        ecpay.read(request, KEYS)


def test_a_value_cannot_be_cut_up_into_fields_of_another_meaning() -> None:
    given = "x&TradeAmt=9999"
    body = post(form("payment", CustomField1=given)).body.decode()

    assert reason_of(raw(body.encode())) == Reason.MALFORMED
    assert reason_of(raw(body.replace(quote(given), given).encode())) == Reason.MALFORMED


def test_an_unread_neighbour_cannot_be_glued_to_a_reference() -> None:
    fields = form("payment", TradeNote="1")
    names = sorted(fields, key=str.lower)
    body = urlencode({name: fields[name] for name in names} | {"CheckMacValue": mac(fields)})
    glued = body.replace("&TradeNote=1", "%26TradeNote%3D1")

    assert reason_of(raw(body.encode())) is None
    assert reason_of(raw(glued.encode())) == Reason.MALFORMED


@pytest.mark.parametrize(
    "tail", ["&TradeAmt=9999", "&tradeamt=9999", "&CheckMacValue=0", "&checkmacvalue=0"]
)
def test_a_field_that_occurs_twice_is_refused(tail: str) -> None:
    request = raw(post(form("payment")).body + tail.encode())

    assert isinstance(ecpay.verify(request, KEYS, NOW), Rejected)
    with pytest.raises(MalformedPayload):
        ecpay.read(request, KEYS)


@pytest.mark.parametrize("body", [b"", b"&&&", b"=", b"%", b"\xff\x00", b"a=%FF", b"{}"])
def test_a_body_without_a_mac_is_refused(body: bytes) -> None:
    assert reason_of(raw(body)) in (Reason.MISSING_SIGNATURE, Reason.MALFORMED)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("payment", {"TradeAmt": None}),
        ("payment", {"TradeAmt": "0"}),
        ("payment", {"TradeAmt": "-1280"}),
        ("payment", {"TradeAmt": "12.80"}),
        ("payment", {"TradeAmt": "1,000.00"}),
        ("payment", {"TradeAmt": "NaN"}),
        ("payment", {"TradeAmt": "1e9"}),
        ("payment", {"TradeAmt": "9" * 18}),
        ("payment", {"TradeAmt": "9" * 5000}),
        ("payment", {"TradeAmt": "١٢٨٠"}),
        ("payment", {"TradeNo": None}),
        ("payment", {"TradeNo": "a b"}),
        ("payment", {"PaymentDate": None}),
        ("payment", {"PaymentDate": "2026-11-21 19:23:46"}),
        ("payment", {"PaymentDate": "2026/02/30 19:23:46"}),
        ("payment", {"PaymentDate": "0001/01/01 00:00:00"}),
        ("payment", {"MerchantTradeNo": "x" * 41}),
        ("period", {"Gwsr": None}),
        ("period", {"Gwsr": "abc"}),
        ("period", {"Amount": "199.00"}),
        ("period", {"ProcessDate": "soon"}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(
    name: str, changes: dict[str, str | None]
) -> None:
    with pytest.raises(MalformedPayload):
        ecpay.read(post(form(name, **changes)), KEYS)


@pytest.mark.parametrize("remark", ["謝謝 & 再見", "x" * 500, "a\x00b", "member=&store=", "{"])
def test_a_useless_side_remark_does_not_hold_up_the_money(remark: str) -> None:
    request = post(form("payment", CustomField1=remark, StoreID=remark))

    assert reason_of(request) is None
    assert read("payment", CustomField1=remark, StoreID=remark).member_code == ""


def test_the_member_and_store_may_stand_together_in_the_first_custom_field() -> None:
    payment = read("payment", CustomField1="member=M4K7Q2Z9P&store=taipei", StoreID="")

    assert (payment.member_code, payment.store_code) == ("M4K7Q2Z9P", "taipei")


def test_the_answer_is_exactly_what_ecpay_waits_for() -> None:
    assert {outcome: ecpay.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200, b"1|OK"),
        Outcome.DUPLICATE: Reply(200, b"1|OK"),
        Outcome.REFUSED: Reply(400, b"0|CheckMacValue was not accepted"),
    }


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "HashKey must be exactly 16 letters and digits. Yours has 0"),
        (HASH_KEY, "HashIV must be exactly 16 letters and digits. Yours has 0"),
        (f"{HASH_KEY}0 {HASH_IV}", "Yours has 17"),
        (f"{HASH_KEY} OnlyForTests-002", "HashIV must be exactly 16 letters and digits"),
        (f"{HASH_KEY} {HASH_KEY}", "must differ"),
        ('{"hash_key": ', "HashKey must be"),
        ("鑰匙", "HashKey must be"),
    ],
)
def test_staff_are_told_which_half_of_the_pair_is_wrong(secret: str, sentence: str) -> None:
    with pytest.raises(UnusableSecret, match=sentence):
        ecpay.check_secret(secret)


def example_payment(sale: Sale, name: str = "payment", **changes: str) -> Inbound:
    local = sale.at.astimezone(TAIPEI).strftime("%Y/%m/%d %H:%M:%S")
    return post(
        form(
            name,
            TradeNo=sale.ref,
            MerchantTradeNo=sale.order_ref or sale.ref,
            TradeAmt=str(int(sale.money.amount)),
            PaymentDate=local,
            CustomField1=sale.member_code,
            **changes,
        )
    )


def resign(request: Inbound, _at: datetime) -> Inbound:
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    fields.pop("CheckMacValue", None)
    return post(fields)


def vouched(request: Inbound) -> object:
    """The decoded fields in small letters, joined as ECPay joins them."""
    text = request.body.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1")
    given = [value for name, value in pairs if name.lower() == "checkmacvalue"]
    rest = sorted((n.lower(), f"{n}={v}") for n, v in pairs if n.lower() != "checkmacvalue")
    return given, "&".join(pair for _name, pair in rest).lower()


EXAMPLE = Example(
    code="ecpay",
    keys=KEYS,
    payment=example_payment,
    currencies=("TWD",),
    form_is_loose=True,
    later=(
        partial(example_payment, name="code_issued"),
        partial(example_payment, RtnCode="2"),
        partial(example_payment, RtnCode="10100058"),
        partial(example_payment, RtnCode="0"),
        partial(example_payment, SimulatePaid="1"),
    ),
    resign=resign,
    vouched=vouched,
    other_keys=Keys((NEXT_SECRET,)),
)
