"""NewebPay (藍新金流), multi-payment gateway: results by NotifyURL.

Source: NewebPay's manual of front-end payments (NDNF 1.2: AES-256-CBC and TradeSha; results of a
payment and of a code issued). TradeInfo is the result, encrypted; TradeSha signs those letters.
Whatever else the form says (Status, MerchantID, Version) is not signed, and nothing of it is read.

A result without PayTime is a code for a transfer or a convenience store, which nobody has paid
yet. Amounts are whole dollars of Taiwan. A card counts when it is authorised, for captures are not
told of; neither are refunds and chargebacks: staff book them.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import is_same
from kit.untrusted import (
    Fields,
    Unreadable,
    form_fields,
    json_object,
    plain_decimal,
    positive,
)
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
    malformed_if_unreadable,
    refused_if_unreadable,
)

_TAIPEI: Final = ZoneInfo("Asia/Taipei")
_KEY_LENGTH: Final = 32
_IV_LENGTH: Final = 16
_HEX: Final = re.compile(r"([0-9a-f]{2})+|([0-9A-F]{2})+", re.ASCII)
# As text instead of JSON, the blank between date and time goes missing now and then.
_WITHOUT_BLANK: Final = re.compile(r"(\d{4}-\d\d-\d\d)(\d\d:\d\d:\d\d)", re.ASCII)
_PAID: Final = "paid"
_PICKED_UP_UNPAID: Final = "3"  # TradeType of parcels at convenience stores.

_METHODS: Final = {
    "ANDROIDPAY": "google_pay",
    "APPLEPAY": "apple_pay",
    "CREDIT": "card",
    "DCC": "card",
    "EZPALIPAY": "alipay",
    "EZPWECHAT": "wechatpay",
    "FOREIGN": "card",
    "GOOGLEPAY": "google_pay",
    "SAMSUNGPAY": "samsung_pay",
    "UNIONPAY": "card",
    "VACC": "atm",
}


def trade_sha(trade_info: str, pair: HashPair) -> str:
    """What NewebPay signs the letters of TradeInfo with."""
    signed = f"HashKey={pair.key}&{trade_info}&HashIV={pair.iv}".encode()
    return hashlib.sha256(signed).hexdigest().upper()


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether one of the account's pairs signed TradeInfo. Nothing in it tells when."""
    trade_info, given = _signed(request.body)
    if not (trade_info and given):
        return Rejected(Reason.MISSING_SIGNATURE)
    if not any(_pairs(keys)):
        return Rejected(Reason.NO_SECRET)
    pair = _pair_of(trade_info, given, keys)
    if pair is None:
        return Rejected(Reason.BAD_SIGNATURE)
    status, result = _result(trade_info, pair)
    problem = addressee_problem(keys, "merchant_id", result.values.get("MerchantID"))
    return problem or Verified(delivery_key=_delivery_key(status, result, trade_info))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The payment that a result tells of; raises MalformedPayload."""
    status, result = _opened(request, keys)
    if status != "SUCCESS":
        return Ignored("did_not_succeed")
    told = _told(result)
    return [_payment(result, keys)] if told == _PAID else Ignored(told)


# Any 200 stops NewebPay from sending again; after three times it gives up.
acknowledge: Final = answering(Reply(200, b"OK"), Reply(400, b"TradeSha was not accepted"))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is a HashKey of 32 and a HashIV of 16 characters."""
    checked_pair(secret, key_length=_KEY_LENGTH, iv_length=_IV_LENGTH)


def decrypted(ciphertext: bytes, *, key: bytes, iv: bytes) -> bytes:
    """AES in CBC mode with PKCS #7 padding; raises Unreadable for anything else."""
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as problem:
        raise Unreadable(
            "%(field)s is not encrypted in AES-256-CBC.", field="TradeInfo"
        ) from problem


def _signed(body: bytes) -> tuple[str, str]:
    form = form_fields(body)
    try:
        return form.get(b"TradeInfo", b"").decode("ascii"), form.get(b"TradeSha", b"").decode()
    except UnicodeDecodeError as problem:
        raise Unreadable("%(field)s is not plain text.", field="TradeInfo, TradeSha") from problem


def _pairs(keys: Keys) -> Iterator[HashPair]:
    for secret in keys.secrets:
        pair = read_pair(secret, key_length=_KEY_LENGTH, iv_length=_IV_LENGTH)
        if pair is not None:
            yield pair


def _pair_of(trade_info: str, given: str, keys: Keys) -> HashPair | None:
    return next((p for p in _pairs(keys) if is_same(trade_sha(trade_info, p), given)), None)


def _opened(request: Inbound, keys: Keys) -> tuple[str, Fields]:
    trade_info, given = _signed(request.body)
    pair = _pair_of(trade_info, given, keys)
    if pair is None:
        raise Unreadable("None of the account's HashKeys opens it. Add the right pair.")
    return _result(trade_info, pair)


def _result(trade_info: str, pair: HashPair) -> tuple[str, Fields]:
    """Status and result, which the merchant may have asked for as JSON or as text."""
    if not _HEX.fullmatch(trade_info):
        raise Unreadable("%(field)s is not hexadecimal.", field="TradeInfo")
    plain = decrypted(
        bytes.fromhex(trade_info), key=pair.key.encode(), iv=pair.iv.encode()
    ).strip()
    if plain.startswith(b"{"):
        told = Fields(json_object(plain))
        return told.text("Status", longest=40), told.inner("Result")
    told = Fields(_as_text(plain))
    return told.text("Status", longest=40), told


def _as_text(plain: bytes) -> dict[str, str]:
    try:
        return {name.decode(): value.decode() for name, value in form_fields(plain).items()}
    except UnicodeDecodeError as problem:
        raise Unreadable("%(field)s is not in UTF-8.", field="TradeInfo") from problem


def _told(result: Fields) -> str:
    """What a good result tells of: that it was paid, or why no money came with it."""
    if not result.has("PayTime"):
        return "code_issued"
    is_unpaid = str(result.values.get("TradeType", "")) == _PICKED_UP_UNPAID
    return "picked_up_unpaid" if is_unpaid else _PAID


def _delivery_key(status: str, result: Fields, trade_info: str) -> str:
    """NewebPay numbers no notice, and tells of a code and of its payment under one trade."""
    if not result.has("TradeNo"):
        return "sha256:" + hashlib.sha256(trade_info.encode()).hexdigest()
    names = ("MerchantID", "MerchantOrderNo", "TradeNo")
    parts = [result.word(name) if result.has(name) else "" for name in names]
    return ":".join((*parts, status, _told(result)))


def _payment(result: Fields, keys: Keys) -> Notice:
    order = result.word("MerchantOrderNo") if result.has("MerchantOrderNo") else ""
    ref = result.word("TradeNo")
    return Notice(
        kind=Kind.PAYMENT,
        payment_ref=ref,
        effect_ref=ref,
        amount=_amount(result),
        occurred_at=_instant(result, "PayTime"),
        order_ref=order,
        member_code=_member_code(order, keys),
        method=_method(result),
    )


def _member_code(order: str, keys: Keys) -> str:
    """Behind the last underscore of the order number, where the shop writes it there."""
    _number, underscore, code = order.rpartition("_")
    is_there = underscore and keys.settings.get("member_number") == "suffix"
    return read_passback(code).get("member", "") if is_there else ""


def _amount(result: Fields) -> Money:
    """Whole dollars, though ISO 4217 gives those of Taiwan two decimals."""
    value = plain_decimal(result.word("Amt"), "Amt")
    if value != value.to_integral_value():
        raise Unreadable("%(field)s is not a whole number of dollars.", field="Amt")
    return positive(Money.parse(value, "TWD"), "Amt")


def _method(result: Fields) -> str:
    """Cards come as CREDIT with a PaymentMethod that names the wallet around them, if any."""
    kind = result.hint("PaymentType", longest=40)
    if kind == "CREDIT":
        kind = result.hint("PaymentMethod", longest=40) or kind
    return _METHODS.get(kind, kind.lower())


def _instant(result: Fields, name: str) -> datetime:
    written = _WITHOUT_BLANK.sub(r"\1 \2", result.text(name))
    return Fields({name: written}).local_instant(name, _TAIPEI)


PROVIDER = Provider(
    code="newebpay",
    label=_("NewebPay (Taiwan)"),
    secret_label=_("HashKey and HashIV"),
    secret_help=_(
        "Of your shop, from NewebPay's member centre. Use the callback URL as NotifyURL. NewebPay "
        "does not tell of refunds: book them here."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    secret_parts=PARTS,
    settings=(
        SettingField("merchant_id", _("MerchantID"), _("Results for other shops are refused.")),
        SettingField(
            "member_number",
            _("Member number"),
            _(
                "NewebPay hands nothing back but the order number. Without the member in it, "
                "register orders with their members here, under the same numbers."
            ),
            choices=(
                ("elsewhere", _("is not in the order number")),
                ("suffix", _("stands behind the last underscore of the order number")),
            ),
        ),
    ),
    tells_of_refunds=False,
)
