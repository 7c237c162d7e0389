"""Alipay, mainland open platform: asynchronous notices signed with RSA2.

Source: opendocs.alipay.com (asynchronous notices; signature check of notices). The string that is
signed is made of the URL-decoded values in the notice's own charset, so it is built from the raw
bytes here; re-encoding decoded text could not give a damaged byte back.

Refund notices carry the total refunded so far (`refund_fee`), never this refund alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret, decoded_base64, is_rsa_sha256, rsa_public_key
from kit.untrusted import Fields, Unreadable, form_fields, positive
from payments.passback import read_passback
from payments.points_base import (
    PAID,
    RECEIVED,
    part_that_earns,
    points_base_of,
    points_base_setting,
)
from payments.providers.base import (
    Clue,
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

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

# GB 18030 contains the other two, and notices marked gb2312 do hold characters of GBK.
_CODECS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}

# Values run into the signed string unescaped: "a=1&b=2" may be two fields or one. A field that we
# read must therefore occur in that string exactly as often as in the form.
_FIELDS_WE_READ: Final = (
    b"app_id",
    b"buyer_id",
    b"buyer_open_id",
    b"buyer_pay_amount",
    b"gmt_close",
    b"gmt_payment",
    b"gmt_refund",
    b"notify_id",
    b"notify_time",
    b"out_biz_no",
    b"out_trade_no",
    b"passback_params",
    b"receipt_amount",
    b"refund_fee",
    b"seller_id",
    b"store_id",
    b"total_amount",
    b"trade_no",
    b"trade_status",
    b"trans_currency",
)

_POINTS_BASES: Final = {PAID: "buyer_pay_amount", RECEIVED: "receipt_amount"}

_MOVES_NO_MONEY: Final = {
    "": "no_trade_status",  # Other messages, and the browser's return address, are signed too.
    "WAIT_BUYER_PAY": "not_paid_yet",
    "TRADE_FINISHED": "refund_period_over",
    "TRADE_CLOSED": "closed_unpaid",
}


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether an Alipay key signed it for this merchant. `now` has no part in this protocol."""
    form = form_fields(request.body)
    fields = Fields(_decoded(form))
    problem = _signature_problem(form, fields, keys)
    if problem is not None:
        return Rejected(problem)
    if _is_ambiguous(form):
        return Rejected(Reason.MALFORMED, said("A value contains the name of another field."))
    for name in ("app_id", "seller_id"):
        other = addressee_problem(keys, name, fields.values.get(name))
        if other is not None:
            return other
    return Verified(delivery_key=_delivery_key(fields, request.body))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The payment, or the refunds so far, that a notice tells of; raises MalformedPayload."""
    fields = Fields(_decoded(form_fields(request.body)))
    status = fields.text_or_blank("trade_status")
    if status in ("TRADE_SUCCESS", "TRADE_CLOSED") and _tells_of_refund(fields):
        return [_refund(fields)]
    if status == "TRADE_SUCCESS":
        return [_payment(fields, points_base_of(keys))]
    return Ignored(_MOVES_NO_MONEY.get(status, "unknown_trade_status"))


# `success` and nothing else stops Alipay from sending again.
acknowledge: Final = answering(Reply(200, b"success"), Reply(400, b"fail"))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is an RSA public key or certificate of 2048 bits or more."""
    if rsa_public_key(secret) is None:
        raise UnusableSecret(
            _(
                "This is not an Alipay public key: paste the key or certificate that Alipay "
                "shows as its own, not the key of your application and never a private key."
            )
        )


def _decoded(form: Mapping[bytes, bytes]) -> dict[str, str]:
    charset = form.get(b"charset", b"utf-8").decode("ascii", "replace").lower()
    if charset not in _CODECS:
        raise Unreadable("%(field)s is not a known one.", field="charset")
    codec = _CODECS[charset]
    try:
        return {name.decode(codec): value.decode(codec) for name, value in form.items()}
    except UnicodeDecodeError as problem:
        raise Unreadable("The form is not in its own charset.") from problem


def _signature_problem(form: Mapping[bytes, bytes], fields: Fields, keys: Keys) -> Reason | None:
    if not fields.has("sign"):
        return Reason.MISSING_SIGNATURE
    if fields.values.get("sign_type", "RSA2") != "RSA2":
        return Reason.WEAK_SIGNATURE
    usable = [key for key in map(rsa_public_key, keys.secrets) if key is not None]
    if not usable:
        return Reason.NO_SECRET
    signature = decoded_base64(fields.values["sign"])
    # Trade notices leave sign_type out of the signed string; some other messages keep it in.
    contents = (_signed_bytes(form, b"sign", b"sign_type"), _signed_bytes(form, b"sign"))
    if signature is not None and any(
        is_rsa_sha256(signature, content, key) for key in usable for content in contents
    ):
        return None
    return Reason.BAD_SIGNATURE


def _signed_bytes(form: Mapping[bytes, bytes], *left_out: bytes) -> bytes:
    return b"&".join(
        name + b"=" + value for name, value in sorted(form.items()) if name not in left_out
    )


def _is_ambiguous(form: Mapping[bytes, bytes]) -> bool:
    content = b"&" + _signed_bytes(form, b"sign", b"sign_type")
    return any(
        content.count(b"&" + name + b"=") != (1 if name in form else 0) for name in _FIELDS_WE_READ
    )


def _delivery_key(fields: Fields, body: bytes) -> str:
    if fields.has("notify_id"):
        return fields.text("notify_id")
    return content_key(body)


def _tells_of_refund(fields: Fields) -> bool:
    if fields.has("gmt_refund"):
        return True
    return fields.has("refund_fee") and fields.decimal("refund_fee") > 0


def _payment(fields: Fields, points_base: str) -> Notice:
    whole = _amount(fields, "total_amount")
    notice = _notice(
        fields,
        kind=Kind.PAYMENT,
        effect_ref=fields.text("trade_no"),
        amount=whole,
        occurred_at=fields.local_instant("gmt_payment", _SHANGHAI),
    )
    name = _POINTS_BASES.get(points_base)
    if name is None or not fields.has(name):
        return notice
    part = Money.parse(fields.decimal(name), whole.currency)
    return replace(notice, earns=part_that_earns(part, whole))


def _refund(fields: Fields) -> Notice:
    """The total is part of the effect's number: each state of it is kept, a resend is not."""
    total = _amount(fields, "refund_fee")
    request = fields.text_or_blank("out_biz_no", longest=64) or "total"
    times = ("gmt_refund", "gmt_close", "notify_time")
    told = next((name for name in times if fields.has(name)), times[0])
    return _notice(
        fields,
        kind=Kind.REFUND,
        effect_ref=f"{request}:{total.amount}",
        amount=total,
        occurred_at=fields.local_instant(told, _SHANGHAI),
    )


def _notice(
    fields: Fields, *, kind: Kind, effect_ref: str, amount: Money, occurred_at: datetime
) -> Notice:
    passed_back = read_passback(fields.hint("passback_params", longest=1024))
    return Notice(
        kind=kind,
        payment_ref=fields.text("trade_no"),
        effect_ref=effect_ref,
        amount=amount,
        occurred_at=occurred_at,
        is_total=kind is Kind.REFUND,
        order_ref=fields.hint("out_trade_no"),
        member_code=passed_back.get("member", ""),
        store_code=passed_back.get("store", "") or fields.hint("store_id", longest=20),
        method="alipay",
        clues=tuple(_clues(fields)),
    )


def _amount(fields: Fields, name: str) -> Money:
    """Yuan, unless a cross-border notice names the currency that the order was priced in."""
    currency = fields.text_or_blank("trans_currency") or "CNY"
    return positive(Money.parse(fields.decimal(name), currency), name)


def _clues(fields: Fields) -> Iterator[Clue]:
    for kind, name in (("alipay_buyer", "buyer_id"), ("alipay_open_id", "buyer_open_id")):
        if fields.has(name):
            yield Clue(kind, fields.text(name))


PROVIDER = Provider(
    code="alipay",
    label=_("Alipay (mainland China)"),
    secret_label=_("Alipay public key"),
    secret_help=_(
        "The key or certificate that the open platform shows as Alipay's own, "
        "not your application's."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={
        "alipay_buyer": _("Alipay buyer"),
        "alipay_open_id": _("Alipay open id"),
    },
    settings=(
        SettingField(
            "app_id", _("Application ID"), _("Notices for other applications are refused.")
        ),
        SettingField("seller_id", _("Seller ID"), _("Begins with 2088; others are refused.")),
        points_base_setting(PAID, RECEIVED),
    ),
)
