"""Antom: one acquirer for AlipayHK, the wallets of Alipay+, and cards.

Sources: docs.antom.com (sign a request and verify the signature; notifyPayment, notifyCapture,
notifyRefund, notifyDispute; usage rules of the Amount object, which follow ISO 4217); its SDK.

The signature covers the path and query of our URL, so it is checked against the one that was
registered, not against what a proxy made of it.

A refund notice names no payment, but gives back what the merchant wrote into `metadata` of the
refund request: `{"payment_id": "<paymentId>"}` is understood. Without it staff book the refund.

A dispute freezes the money at once: it counts as taken back when it is opened, and as returned
when it is judged for the merchant or cancelled. Those notices tell both effects; equal effects
are kept once, so every order of arrival ends in the same sum.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret, decoded_base64, is_rsa_sha256, rsa_public_key
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

_SIGNATURE: Final = re.compile(
    r"algorithm=([^,\s]+), ?keyVersion=([0-9]{1,6}), ?signature=([^,\s]+)", re.ASCII
)
_KEY_VERSION: Final = re.compile(r"keyVersion ?[=:] ?([0-9]{1,6})\s+", re.ASCII)
_CLIENT: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
# No character of it can begin a JSON object, so nobody can shift where the body begins.
_TIME: Final = re.compile(r"[0-9TZ:.+-]{1,40}", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,16}", re.ASCII)

# Where people carry a wallet, so whose payer it is; cards say it themselves.
_COUNTRIES: Final = {
    "ALIPAY_CN": "CN",
    "ALIPAY_HK": "HK",
    "BKASH": "BD",
    "BOOST": "MY",
    "DANA": "ID",
    "EASYPAISA": "PK",
    "GCASH": "PH",
    "JKOPAY": "TW",
    "KAKAOPAY": "KR",
    "NAVERPAY": "KR",
    "TNG": "MY",
    "TOSSPAY": "KR",
    "TRUEMONEY": "TH",
}

_FROZEN_OR_TAKEN: Final = ("DISPUTE_CREATED", "DISPUTE_ACCEPTED", "RDR_RESOLVED")
# Questions about a payment; no money moves, whatever is answered.
_INQUIRIES: Final = ("RETRIEVAL_REQUEST", "COMPLIANCE_REQUEST")

_ANSWER: Final = b'{"result":{"resultCode":"%s","resultStatus":"%s","resultMessage":"%s"}}'
_TAKEN: Final = Reply(200, _ANSWER % (b"SUCCESS", b"S", b"success"), "application/json")


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether Antom signed these bytes for our URL. No age is published, so none is asked for."""
    problem = _signature_problem(request, keys)
    if problem is not None:
        return problem
    problem = addressee_problem(keys, "client_id", request.headers["client-id"])
    notice = Fields(json_object(request.body))
    return problem or Verified(delivery_key=_delivery_key(notice, request.body))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The effects of one notice; raises MalformedPayload."""
    notice = Fields(json_object(request.body))
    counts_captures = keys.settings.get("cards") == "captured"
    if notice.has("disputeNotificationType"):
        return _dispute(notice, request)
    if notice.has("subscriptionId") and notice.has("paymentId"):
        return _payment(notice, counts_captures=counts_captures)
    kind = notice.text_or_blank("notifyType")
    if kind in ("PAYMENT_RESULT", "PAYMENT_PENDING"):
        return _payment(notice, counts_captures=counts_captures)
    if kind == "CAPTURE_RESULT":
        return _capture(notice, counts_captures=counts_captures)
    return _refund(notice, request) if kind == "REFUND_RESULT" else Ignored("unused_event")


# Only this result, in JSON, stops Antom from sending again.
acknowledge: Final = answering(
    _TAKEN,
    Reply(
        400,
        _ANSWER % (b"INVALID_SIGNATURE", b"F", b"The signature was not accepted."),
        "application/json",
    ),
)


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is an RSA public key of 2048 bits or more."""
    if _key(secret) is None:
        raise UnusableSecret(
            _(
                "This is not Antom's public key: paste the one that the Antom Dashboard shows as "
                "Antom's own, not your application's and never a private key."
            )
        )


def _signature_problem(request: Inbound, keys: Keys) -> Rejected | None:
    names = ("signature", "client-id", "request-time")
    header, client, time = (request.headers.get(name, "") for name in names)
    if not (header and client and time):
        return Rejected(Reason.MISSING_SIGNATURE)
    found = _SIGNATURE.fullmatch(header)
    if found is None or not (_CLIENT.fullmatch(client) and _TIME.fullmatch(time)):
        return Rejected(Reason.MALFORMED, "Signature, Client-Id, Request-Time")
    algorithm, version, signature = found.groups()
    if algorithm != "RSA256":
        return Rejected(Reason.WEAK_SIGNATURE, "algorithm")
    content = f"{request.method} {_path(keys)}\n{client}.{time}.".encode()
    return _key_problem(_decoded(signature), content + request.body, version, keys)


def _key_problem(
    signature: bytes | None, content: bytes, version: str, keys: Keys
) -> Rejected | None:
    usable = [key for key in map(_key, keys.secrets) if key is not None]
    if not usable:
        return Rejected(Reason.NO_SECRET)
    named = [key for of_version, key in usable if of_version in ("", version)]
    if not named:
        return Rejected(
            Reason.BAD_SIGNATURE,
            said("The account has no key of version %(version)s.", version=version),
        )
    if signature is not None and any(is_rsa_sha256(signature, content, key) for key in named):
        return None
    return Rejected(Reason.BAD_SIGNATURE)


def _path(keys: Keys) -> str:
    parts = urlsplit(keys.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _decoded(signature: str) -> bytes | None:
    """URL-escaped base64 in its one spelling: two spellings of a signature would be two posts."""
    text = unquote(signature, errors="replace")
    is_canonical = signature in (text, quote(text, safe="", errors="replace"))
    return decoded_base64(text) if is_canonical else None


@lru_cache(maxsize=256)
def _key(secret: str) -> tuple[str, RSAPublicKey] | None:
    """A public key with the version that a line above it may name; blank: it serves them all."""
    text = secret.strip()
    named = _KEY_VERSION.match(text)
    key = rsa_public_key(text[named.end() :] if named else text)
    return (named[1] if named else "", key) if key is not None else None


def _delivery_key(notice: Fields, body: bytes) -> str:
    """Antom numbers no notice: the effect that it tells of, and what became of it."""
    subject = _first(notice, "disputeId", "refundId", "captureId", "paymentId")
    if not notice.has(subject):
        return content_key(body)
    names = ("notifyType", "refundStatus", "disputeNotificationType", "disputeJudgedResult")
    told = [notice.text_or_blank(name, longest=40) for name in names]
    status = notice.inner("result").text_or_blank("resultStatus", longest=10)
    parts = (subject, notice.text(subject, longest=64), *told, status)
    return ":".join(part for part in parts if part)


def _payment(notice: Fields, *, counts_captures: bool) -> list[Notice] | Ignored:
    if notice.values.get("notifyType") == "PAYMENT_PENDING":
        return Ignored("not_paid_yet")
    if not _succeeded(notice):
        return Ignored("did_not_succeed")
    wallet = notice.hint("paymentMethodType", longest=40)
    if counts_captures and wallet == "CARD":
        return Ignored("not_captured_yet")
    ref = notice.text("paymentId")
    passed = read_passback(notice.hint("metadata", longest=2048))
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(notice, "paymentAmount"),
            occurred_at=notice.instant("paymentTime"),
            order_ref=notice.hint("paymentRequestId"),
            member_code=passed.get("member", ""),
            store_code=passed.get("store", ""),
            method=wallet.lower(),
            clues=_clues(notice, wallet),
            payer_country=_payer_country(notice, wallet),
            settled=_settled(notice),
        )
    ]


def _capture(notice: Fields, *, counts_captures: bool) -> list[Notice] | Ignored:
    """Where cards are captured by hand, the capture is the payment; else it was told before."""
    if not _succeeded(notice):
        return Ignored("capture_failed")
    if not counts_captures:
        return Ignored("told_by_payment_result")
    ref = notice.text("paymentId")
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(notice, "captureAmount"),
            occurred_at=notice.instant("captureTime"),
            order_ref=notice.hint("captureRequestId"),
            method="card",
        )
    ]


def _refund(notice: Fields, request: Inbound) -> list[Notice] | Ignored:
    if notice.text("refundStatus") != "SUCCESS":
        return Ignored("refund_failed")
    ref = notice.text_or_blank("paymentId") or _named_in_metadata(notice)
    if not ref:
        return Ignored("refund_names_no_payment")
    amount = "refundAmount" if notice.has("refundAmount") else "refundFromAmount"
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=ref,
            effect_ref=notice.text("refundId"),
            amount=_amount(notice, amount),
            occurred_at=_time(notice, request, "refundTime"),
            settled=_settled(notice),
        )
    ]


def _named_in_metadata(notice: Fields) -> str:
    try:
        metadata = Fields(json_object(notice.hint("metadata", longest=2048).encode()))
    except Unreadable:
        return ""
    return metadata.hint("payment_id", longest=64) or metadata.hint("paymentId", longest=64)


def _dispute(notice: Fields, request: Inbound) -> list[Notice] | Ignored:
    kind = notice.text("disputeNotificationType")
    if notice.values.get("disputeType") in _INQUIRIES:
        return Ignored("dispute_without_money")
    if kind in _FROZEN_OR_TAKEN:
        return [_taken(notice, request, "disputeAmount")]
    judged = notice.text_or_blank("disputeJudgedResult") if kind == "DISPUTE_JUDGED" else ""
    if judged == "ACCEPT_BY_MERCHANT":
        return _lost(notice, request)
    if judged == "ACCEPT_BY_CUSTOMER" or kind == "DISPUTE_CANCELLED":
        taken = _taken(notice, request, _first(notice, "disputeAmount", "disputeJudgedAmount"))
        return [taken, _returned(taken, taken.amount, notice, request)]
    return Ignored("dispute_without_money")


def _lost(notice: Fields, request: Inbound) -> list[Notice]:
    """What was frozen is taken, or a part of it: then the rest comes back."""
    taken = _taken(notice, request, _first(notice, "disputeAmount", "disputeJudgedAmount"))
    if not notice.has("disputeJudgedAmount"):
        return [taken]
    judged = _amount(notice, "disputeJudgedAmount")
    if judged.currency != taken.amount.currency or taken.amount <= judged:
        return [taken]
    return [taken, _returned(taken, taken.amount - judged, notice, request)]


def _taken(notice: Fields, request: Inbound, amount: str) -> Notice:
    return Notice(
        kind=Kind.CHARGEBACK,
        payment_ref=notice.text("paymentId"),
        effect_ref=notice.text("disputeId"),
        amount=_amount(notice, amount),
        occurred_at=_time(notice, request, "disputeTime"),
        order_ref=notice.hint("paymentRequestId"),
    )


def _returned(taken: Notice, amount: Money, notice: Fields, request: Inbound) -> Notice:
    return Notice(
        kind=Kind.REVERSAL,
        payment_ref=taken.payment_ref,
        effect_ref=taken.effect_ref,
        amount=amount,
        occurred_at=_time(notice, request, "disputeJudgedTime"),
        order_ref=taken.order_ref,
    )


def _first(notice: Fields, *names: str) -> str:
    return next((name for name in names if notice.has(name)), names[0])


def _succeeded(notice: Fields) -> bool:
    return notice.inner("result").text("resultStatus", longest=10) == "S"


def _time(notice: Fields, request: Inbound, name: str) -> datetime:
    """Antom leaves some times out: then the moment at which it signed the notice."""
    if notice.has(name):
        return notice.instant(name)
    return Fields(request.headers).instant("request-time")


def _amount(notice: Fields, name: str) -> Money:
    """Whole minor units by ISO 4217, written as text: two decimals for TWD, none for JPY."""
    amount = notice.inner(name)
    value = amount.text("value", longest=16)
    if not _WHOLE_NUMBER.fullmatch(value):
        raise Unreadable("%(field)s is not a whole number of minor units.", field=f"{name}.value")
    return positive(Money.from_minor(int(value), amount.text("currency", longest=3)), name)


def _settled(notice: Fields) -> Money | None:
    """What Antom pays out in another currency, where the rate was fixed with the payment."""
    name = "grossSettlementAmount"
    return _amount(notice, name) if notice.has(name) else None


def _clues(notice: Fields, wallet: str) -> tuple[Clue, ...]:
    customer = notice.inner("pspCustomerInfo").hint("pspCustomerId", longest=64)
    return (Clue("antom_customer", f"{wallet}:{customer}"),) if customer else ()


def _payer_country(notice: Fields, wallet: str) -> str:
    return _COUNTRIES.get(wallet) or notice.inner("paymentResultInfo").country("issuingCountry")


PROVIDER = Provider(
    code="antom",
    label=_("Antom (AlipayHK and Alipay+ wallets)"),
    secret_label=_("Antom public key"),
    secret_help=_(
        "From the Antom Dashboard, under developers and keys. If you have several versions, write "
        "keyVersion=2 on the line above a key. Send the member number in metadata of a payment, "
        'and {"payment_id": "…"} in metadata of a refund: Antom\'s refund notices name no payment.'
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={"antom_customer": _("Antom wallet")},
    settings=(
        SettingField(
            "client_id",
            _("Client ID"),
            _("Notices for other clients are refused."),
            is_required=True,
        ),
        SettingField(
            "cards",
            _("Card payments count"),
            _("Choose the second if you capture card payments by hand."),
            choices=(
                ("paid", _("with the payment result")),
                ("captured", _("once they are captured")),
            ),
        ),
    ),
)
