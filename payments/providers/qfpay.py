"""QFPay: Hong Kong's wallets, Octopus, FPS and cards behind one acquirer.

Source: sdk.qfapi.com (asynchronous notifications; payment types). The signature is a hash over the
raw body with the client key behind it: MD5, or SHA-256 where the header X-QF-SIGNTYPE says so.

Only success is told of. In a refund's notice `syssn` is the number of the refund, `orig_syssn`
that of the payment.
"""

import hashlib
import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import UnusableSecret, is_same
from kit.untrusted import Fields, Unreadable, json_object, positive
from payments.passback import read_passback
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

_HONG_KONG: Final = ZoneInfo("Asia/Hong_Kong")
_CLIENT_KEY: Final = re.compile(r"[0-9A-Za-z]{24,64}", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_ALIPAY_USER: Final = re.compile(r"2088[0-9]{12}", re.ASCII)
_SUCCESS: Final = "0000"
_UNDER_WAY: Final = ("1143", "1145")
_TAKEN_BACK_AT_ONCE: Final = ("1", "2")  # Of `cancel`: reversed at the till, or never paid.

# A payment type is six digits: who pays out, then how the code was shown or scanned.
_METHODS: Final = {
    "8001": "alipay",
    "8002": "wechatpay",
    "8007": "unionpay",
    "8010": "wechatpay",
    "8011": "alipay",
    "8015": "alipay_hk",
    "8020": "fps",
    "8028": "card",
    "8037": "octopus",
    "8058": "payme",
    "8065": "apple_pay",
    "8067": "unionpay",
    "8068": "card",
}
_ONLY_IN_HONG_KONG: Final = ("fps", "octopus", "payme")


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether one of the account's client keys signed these bytes. Nothing in it tells when."""
    problem = _signature_problem(request, keys)
    if problem is not None:
        return problem
    notice = Fields(json_object(request.body))
    problem = addressee_problem(keys, "mchid", notice.values.get("mchid"))
    return problem or Verified(delivery_key=_delivery_key(notice, request.body))


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The payment or refund that a notice tells of; raises MalformedPayload."""
    notice = Fields(json_object(request.body))
    kind = notice.text("notify_type", longest=40)
    if kind == "payment":
        return _payment(notice)
    return _refund(notice) if kind == "refund" else Ignored("unused_event")


# `SUCCESS` with a 200 stops QFPay from sending again.
acknowledge: Final = answering(Reply(200, b"SUCCESS"), Reply(400, b"FAIL"))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it can be a client key."""
    if not _CLIENT_KEY.fullmatch(secret.strip()):
        raise UnusableSecret(
            _(
                "A client key is 32 letters and digits, without blanks. QFPay sends it together "
                "with the app code, which is not secret and does not belong here."
            )
        )


def signature(body: bytes, client_key: str, kind: str) -> str:
    """What QFPay writes into X-QF-SIGN."""
    signed = body + client_key.encode()
    if kind == "SHA256":
        return hashlib.sha256(signed).hexdigest().upper()
    return hashlib.md5(signed).hexdigest().upper()  # noqa: S324 - QFPay's choice, not ours


def _signature_problem(request: Inbound, keys: Keys) -> Rejected | None:
    given = request.headers.get("x-qf-sign", "")
    kind = request.headers.get("x-qf-signtype", "") or "MD5"
    if not given:
        return Rejected(Reason.MISSING_SIGNATURE)
    if kind not in ("MD5", "SHA256"):
        return Rejected(Reason.WEAK_SIGNATURE, "X-QF-SIGNTYPE")
    usable = [secret.strip() for secret in keys.secrets if _CLIENT_KEY.fullmatch(secret.strip())]
    if not usable:
        return Rejected(Reason.NO_SECRET)
    if any(is_same(signature(request.body, key, kind), given) for key in usable):
        return None
    return Rejected(Reason.BAD_SIGNATURE)


def _delivery_key(notice: Fields, body: bytes) -> str:
    """QFPay numbers no notice: what it tells of, and in which state."""
    if not notice.has("syssn"):
        return content_key(body)
    names = ("notify_type", "syssn", "status", "respcd", "cancel")
    return ":".join(notice.word(name, longest=40) if notice.has(name) else "" for name in names)


def _payment(notice: Fields) -> list[Notice] | Ignored:
    if _word_or_blank(notice, "respcd") != _SUCCESS or _word_or_blank(notice, "status") != "1":
        return Ignored("did_not_succeed")
    if _word_or_blank(notice, "cancel") in _TAKEN_BACK_AT_ONCE:
        return Ignored("cancelled")
    ref = notice.word("syssn")
    method = _method(notice)
    passed = _passed_back(notice)
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(notice),
            occurred_at=_instant(notice),
            order_ref=notice.hint("out_trade_no"),
            member_code=passed.get("member", ""),
            store_code=passed.get("store", ""),
            method=method,
            clues=_clues(notice, method),
            payer_country="HK" if method in _ONLY_IN_HONG_KONG else "",
        )
    ]


def _refund(notice: Fields) -> list[Notice] | Ignored:
    code = _word_or_blank(notice, "respcd")
    if code != _SUCCESS:
        return Ignored("refund_not_under_way" if code in _UNDER_WAY else "refund_failed")
    if not notice.has("orig_syssn"):
        return Ignored("refund_names_no_payment")
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=notice.word("orig_syssn"),
            effect_ref=notice.word("syssn"),
            amount=_amount(notice),
            occurred_at=_instant(notice),
            order_ref=notice.hint("orig_out_trade_no"),
            method=_method(notice),
        )
    ]


def _amount(notice: Fields) -> Money:
    """Cents, as a number or as text: whole minor units by ISO 4217, so JPY has none."""
    value = notice.word("txamt")
    if not _WHOLE_NUMBER.fullmatch(value):
        raise Unreadable("%(field)s is not a whole number of cents.", field="txamt")
    return positive(Money.from_minor(int(value), notice.text("txcurrcd", longest=3)), "txamt")


def _instant(notice: Fields) -> datetime:
    """When it was paid, by the clocks of Hong Kong; refunds tell only when QFPay booked them."""
    return notice.local_instant("paydtm" if notice.has("paydtm") else "sysdtm", _HONG_KONG)


def _method(notice: Fields) -> str:
    """The wallet or card behind the payment type; the till's code for any wallet stays a code."""
    code = _word_or_blank(notice, "pay_type")
    return _METHODS.get(code[:4], code)


def _word_or_blank(notice: Fields, name: str) -> str:
    return notice.word(name, longest=40) if notice.has(name) else ""


def _passed_back(notice: Fields) -> dict[str, str]:
    """The description of the goods comes back as it was sent: it may hold `member=…`."""
    given = notice.hint("goods_info", longest=1024)
    return read_passback(given) if "member" in given else {}


def _clues(notice: Fields, method: str) -> tuple[Clue, ...]:
    """Alipay's number of its user. Of a card there is only a masked number, which many share."""
    payer = notice.hint("cardcd")
    if method.startswith("alipay") and _ALIPAY_USER.fullmatch(payer):
        return (Clue("alipay_buyer", payer),)
    return ()


PROVIDER = Provider(
    code="qfpay",
    label=_("QFPay (Hong Kong)"),
    secret_label=_("Client key"),
    secret_help=_(
        "QFPay sends it with the app code. Ask QFPay's support to set the callback URL for that "
        "app code. To have members recognised, send member=… in goods_info of the payment."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    settings=(
        SettingField("mchid", _("Merchant ID (mchid)"), _("Notices for others are refused.")),
    ),
)
