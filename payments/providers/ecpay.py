"""ECPay (綠界), all-in-one payments: results by ReturnURL and by PeriodReturnURL.

Source: developers.ecpay.com.tw (AIO: CheckMacValue; payment result; code of ATM, convenience store
and barcode issued; result of a recurring payment).

CheckMacValue covers the decoded fields joined by `&` and `=` and turned into small letters, so
neither where a value ends nor how a letter is written is vouched for. The customer's browser holds
a genuine form of its own payment (OrderResultURL) and could send it here respelled. Names are
therefore read without regard to case, and so are delivery keys; every value that we go by has a
form of its own in which no other field can hide. ECPay's own numbers are digits.

Refunds and chargebacks are never told of: staff book them, or a settlement file brings them.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import is_same
from kit.untrusted import Fields, Unreadable, form_fields, positive
from payments.hash_pairs import PARTS, HashPair, checked_pair, read_pair
from payments.passback import read_passback
from payments.providers.base import (
    Ignored,
    Inbound,
    Keys,
    Kind,
    Notice,
    Provider,
    Reason,
    Rejected,
    Reply,
    SettingField,
    Verified,
    addressee_problem,
    answering,
    content_key,
    malformed_if_unreadable,
    refused_if_unreadable,
)

_TAIPEI: Final = ZoneInfo("Asia/Taipei")
_HALF: Final = 16  # Letters and digits, of HashKey as of HashIV.

_NUMBER: Final = r"[0-9]{1,18}"
_REFERENCE: Final = r"[0-9A-Za-z_-]{1,40}"
_CLOCK_TIME: Final = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
_ANYTHING: Final = r"(?s:.*)"

# Every field that we go by, in small letters, and the form that its value must have if it has one.
_FORMS: Final = {
    name: re.compile(form, re.ASCII)
    for name, form in {
        "amount": _NUMBER,
        "checkmacvalue": r"[0-9A-F]*",
        "customfield1": _ANYTHING,
        "gwsr": _NUMBER,
        "merchantid": _REFERENCE,
        "merchanttradeno": _REFERENCE,
        "paymentdate": _CLOCK_TIME,
        "paymenttype": _ANYTHING,
        "periodtype": _ANYTHING,
        "processdate": _CLOCK_TIME,
        "rtncode": _NUMBER,
        "simulatepaid": _NUMBER,
        "storeid": _ANYTHING,
        "tradeamt": _NUMBER,
        "tradeno": _REFERENCE,
    }.items()
}

# As ECPay's .NET servers escape: these stay as they are, and quote_plus would leave "~" alone.
_LEFT_ALONE: Final = "-_.!*()"

_CODE_ISSUED: Final = ("2", "10100073")

_METHODS: Final = {"credit": "card", "applepay": "apple_pay", "googlepay": "google_pay"}


def check_mac_value(fields: Mapping[str, str], pair: HashPair) -> str:
    """What ECPay signs a form with; `fields` without CheckMacValue itself."""
    return hashlib.sha256(_signed(fields, pair)).hexdigest().upper()


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether one of the account's pairs signed these fields. Nothing in it tells when."""
    fields = _fields(request.body)
    given = next((v for k, v in fields.items() if k.lower() == "checkmacvalue"), "")
    if not given:
        return Rejected(Reason.MISSING_SIGNATURE)
    signed = {k: v for k, v in fields.items() if k.lower() != "checkmacvalue"}
    pairs = [pair for pair in map(_pair, keys.secrets) if pair is not None]
    if not pairs:
        return Rejected(Reason.NO_SECRET)
    if not any(is_same(check_mac_value(signed, pair), given) for pair in pairs):
        return Rejected(Reason.BAD_SIGNATURE)
    form = _unambiguous(fields)
    problem = addressee_problem(keys, "merchant_id", form.values.get("merchantid"))
    return problem or Verified(delivery_key=_delivery_key(form, request.body))


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The payment that a result tells of; raises MalformedPayload."""
    form = _unambiguous(_fields(request.body))
    code = form.text_or_blank("rtncode")
    if code in _CODE_ISSUED:
        return Ignored("code_issued")
    if code != "1":
        return Ignored("did_not_succeed" if code else "unused_event")
    if form.values.get("simulatepaid") != "0":
        return Ignored("simulated" if form.has("simulatepaid") else "unused_event")
    return [_period(form) if form.has("periodtype") else _payment(form)]


# `1|OK` and nothing else stops ECPay from sending again.
acknowledge: Final = answering(
    Reply(200, b"1|OK"), Reply(400, b"0|CheckMacValue was not accepted")
)


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is a HashKey and a HashIV."""
    checked_pair(secret, key_length=_HALF, iv_length=_HALF)


def _pair(secret: str) -> HashPair | None:
    return read_pair(secret, key_length=_HALF, iv_length=_HALF)


def _signed(fields: Mapping[str, str], pair: HashPair) -> bytes:
    ordered = sorted(fields.items(), key=lambda field: field[0].lower())
    joined = "&".join(f"{name}={value}" for name, value in ordered)
    return _escaped(f"HashKey={pair.key}&{joined}&HashIV={pair.iv}").encode()


def _escaped(text: str) -> str:
    return quote_plus(text, safe=_LEFT_ALONE).replace("~", "%7e").lower()


def _fields(body: bytes) -> dict[str, str]:
    try:
        return {name.decode(): value.decode() for name, value in form_fields(body).items()}
    except UnicodeDecodeError as problem:
        raise Unreadable("The form is not in UTF-8.") from problem


def _unambiguous(fields: Mapping[str, str]) -> Fields:
    """The fields by their names in small letters, if they can be cut out in no other way."""
    form = {name.lower(): value for name, value in fields.items()}
    joined = "&" + "&".join(f"{name}={value}" for name, value in form.items()).lower()
    for name, allowed in _FORMS.items():
        if joined.count(f"&{name}=") != (1 if name in form else 0):
            raise Unreadable("A value contains the name of another field.")
        if form.get(name) and not allowed.fullmatch(form[name]):
            raise Unreadable("%(field)s does not have the form that ECPay documents.", field=name)
    if len(form) != len(fields):
        raise Unreadable("A field occurs twice.")
    return Fields(form)


def _delivery_key(form: Fields, body: bytes) -> str:
    """ECPay numbers no notice. A simulated one must not stand in the way of the real one, nor one
    period of a recurring payment in that of the next."""
    if not form.has("merchanttradeno"):
        return content_key(body)
    names = ("merchantid", "merchanttradeno", "tradeno", "rtncode", "simulatepaid", "gwsr")
    parts = [form.text_or_blank(name) for name in (*names, "processdate")]
    return ":".join(parts).lower()


def _payment(form: Fields) -> Notice:
    return _notice(
        form, form.text("tradeno"), amount="tradeamt", time="paymentdate", method=_method(form)
    )


def _period(form: Fields) -> Notice:
    """A later payment of a recurring order; only the number of its authorisation is its own."""
    return _notice(form, form.text("gwsr"), amount="amount", time="processdate", method="card")


def _notice(form: Fields, ref: str, *, amount: str, time: str, method: str) -> Notice:
    """Dollars of Taiwan without cents: ECPay writes whole ones, though ISO 4217 gives them two
    decimals."""
    passed = read_passback(form.hint("customfield1"))
    return Notice(
        kind=Kind.PAYMENT,
        payment_ref=ref,
        effect_ref=ref,
        amount=positive(Money.parse(form.decimal(amount), "TWD"), amount),
        occurred_at=Fields({time: form.text(time).replace("/", "-")}).local_instant(time, _TAIPEI),
        order_ref=form.hint("merchanttradeno"),
        member_code=passed.get("member", ""),
        store_code=passed.get("store", "") or form.hint("storeid", longest=20),
        method=method,
    )


def _method(form: Fields) -> str:
    """`Credit_CreditCard` is a card, `ATM_TAISHIN` a transfer: the bank behind it is no matter."""
    family = form.hint("paymenttype").partition("_")[0].lower()
    return _METHODS.get(family, family)


PROVIDER = Provider(
    code="ecpay",
    label=_("ECPay (Taiwan)"),
    secret_label=_("HashKey and HashIV"),
    secret_help=_(
        "Of your shop, under system settings in ECPay. Use the callback URL as ReturnURL, "
        "PaymentInfoURL and PeriodReturnURL. Put the member number into CustomField1. ECPay does "
        "not tell of refunds: book them here yourself or import its settlement file."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    secret_parts=PARTS,
    settings=(
        SettingField("merchant_id", _("MerchantID"), _("Results for other shops are refused.")),
    ),
    tells_of_refunds=False,
)
