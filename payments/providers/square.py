"""Square: webhooks of the Payments, Refunds and Disputes APIs.

Sources: developer.squareup.com (webhooks: validate notifications; Payment, PaymentRefund and
Dispute objects) and the tests of Square's own Python library.

The signature covers the notification URL as it is registered at Square and then the body, so the
account's own public URL is part of it, not the one that a proxy passed on.

Updates come unordered and a payment is told again with every change of it. Each effect therefore
has the number of its object and a state that is final: `COMPLETED` for payments and refunds. Of a
dispute the money is withheld while it is open; winning it is told together with what had been
taken, so each notice balances by itself and every order of arrival ends in the same sum.
"""

import base64
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import UnusableSecret, is_same
from kit.untrusted import LONGEST_CLUE, Fields, json_object, positive
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
    clues_in,
    content_key,
    malformed_if_unreadable,
    refused_if_unreadable,
)

# The currencies of Square's countries; minor units as in ISO 4217.
_PLACES: Final = {"JPY": 0}

_KEY: Final = re.compile(r"[\x21-\x7e]{16,128}", re.ASCII)
_OTHER_KEYS: Final = ("EAAA", "sq0", "sandbox-sq0")  # Access tokens, application ids and secrets.
_MEMBER: Final = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_NANOSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]+", re.ASCII)

_UNPAID: Final = {
    "APPROVED": "not_captured_yet",
    "PENDING": "not_paid_yet",
    "CANCELED": "did_not_succeed",
    "FAILED": "did_not_succeed",
}
_UNREFUNDED: Final = {
    "PENDING": "refund_not_under_way",
    "REJECTED": "did_not_succeed",
    "FAILED": "did_not_succeed",
}
_WITHHELD: Final = ("EVIDENCE_REQUIRED", "PROCESSING", "WAITING_THIRD_PARTY", "ACCEPTED", "LOST")


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether a key of the account signed its URL and these bytes; no time is part of it."""
    given = request.headers.get("x-square-hmacsha256-signature", "").strip()
    if not given:
        return Rejected(Reason.MISSING_SIGNATURE)
    usable = [secret.strip().encode() for secret in keys.secrets if secret.strip()]
    if not usable or not keys.url:
        return Rejected(Reason.NO_SECRET)
    content = keys.url.encode() + request.body
    expected = [hmac.digest(key, content, "sha256") for key in usable]
    if not any(is_same(base64.b64encode(mac).decode(), given) for mac in expected):
        return Rejected(Reason.BAD_SIGNATURE)
    event = Fields(json_object(request.body))
    problem = addressee_problem(keys, "merchant_id", event.values.get("merchant_id"))
    return problem or Verified(delivery_key=_delivery_key(event, request.body))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The effects of one event; raises MalformedPayload."""
    event = Fields(json_object(request.body))
    name, reader = _READERS.get(event.text("type"), ("", None))
    if reader is None:
        return Ignored("unused_event")
    return reader(event.inner("data").inner("object").inner(name), keys)


acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it looks like a subscription's signature key."""
    text = secret.strip()
    if not _KEY.fullmatch(text) or text.startswith(_OTHER_KEYS):
        raise UnusableSecret(
            _(
                "Paste the signature key of the webhook subscription. "
                "It is not the access token or the application secret."
            )
        )


def _delivery_key(event: Fields, body: bytes) -> str:
    if event.has("event_id"):
        return event.text("event_id")
    return content_key(body)


def _payment(payment: Fields, keys: Keys) -> list[Notice] | Ignored:
    status = payment.text("status")
    if status != "COMPLETED":
        return Ignored(_UNPAID.get(status, "unknown_status"))
    ref = payment.text("id")
    reference = payment.hint("reference_id")
    is_member = keys.settings.get("reference_id") == "member"
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(payment),
            occurred_at=_instant(payment, "created_at"),
            order_ref=payment.hint("order_id") if is_member or not reference else reference,
            member_code=reference if is_member and _MEMBER.fullmatch(reference) else "",
            store_code=payment.hint("location_id", longest=20),
            method=_method(payment),
            clues=_clues(payment),
        )
    ]


def _refund(refund: Fields, _keys: Keys) -> list[Notice] | Ignored:
    status = refund.text("status")
    if status != "COMPLETED":
        return Ignored(_UNREFUNDED.get(status, "unknown_status"))
    if not refund.has("payment_id"):
        return Ignored(
            "refund_without_payment"
        )  # Paid out to a card that Square took no money of.
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=refund.text("payment_id"),
            effect_ref=refund.text("id"),
            amount=_amount(refund),
            occurred_at=_instant(refund, "created_at"),
        )
    ]


def _dispute(dispute: Fields, _keys: Keys) -> list[Notice] | Ignored:
    state = dispute.text("state")
    if state == "WON":
        return [_taken(dispute, Kind.CHARGEBACK), _taken(dispute, Kind.REVERSAL)]
    if state in _WITHHELD:
        return [_taken(dispute, Kind.CHARGEBACK)]
    return Ignored("dispute_without_money")  # An inquiry of the bank comes before.


def _taken(dispute: Fields, kind: Kind) -> Notice:
    paid = dispute.inner("disputed_payment")
    at = "updated_at" if kind is Kind.REVERSAL and dispute.has("updated_at") else "created_at"
    return Notice(
        kind=kind,
        payment_ref=paid.text("payment_id"),
        effect_ref=dispute.text("id" if dispute.has("id") else "dispute_id"),
        amount=_amount(dispute),
        occurred_at=_instant(dispute, at),
    )


_READERS: Final[dict[str, tuple[str, Callable[[Fields, Keys], list[Notice] | Ignored]]]] = {
    "payment.created": ("payment", _payment),
    "payment.updated": ("payment", _payment),
    "refund.created": ("refund", _refund),
    "refund.updated": ("refund", _refund),
    "dispute.created": ("dispute", _dispute),
    "dispute.state.changed": ("dispute", _dispute),
    "dispute.state.updated": ("dispute", _dispute),
}


def _amount(paid: Fields) -> Money:
    """What was sold, without the tip."""
    money = paid.inner("amount_money")
    currency = money.text("currency").upper()
    amount = Money.from_minor(
        money.whole_number("amount"), currency, places=_PLACES.get(currency, 2)
    )
    return positive(amount, f"{paid.path}amount_money")


def _instant(fields: Fields, name: str) -> datetime:
    """Square writes milliseconds in objects, and nanoseconds in events."""
    text = _NANOSECONDS.sub(r"\1", fields.text(name))
    return Fields({name: text}, fields.path).instant(name)


def _method(payment: Fields) -> str:
    source = payment.hint("source_type", longest=40).lower()
    brand = payment.inner("wallet_details").hint("brand", longest=40).lower()
    return brand if source == "wallet" and brand else source


def _clues(payment: Fields) -> tuple[Clue, ...]:
    card = payment.inner("card_details").inner("card")
    found = {
        "square_customer": payment.hint("customer_id"),
        "email": payment.hint("buyer_email_address", longest=LONGEST_CLUE),
        "square_card": card.hint("fingerprint", longest=LONGEST_CLUE),
    }
    return clues_in(found)


PROVIDER = Provider(
    code="square",
    label=_("Square"),
    secret_label=_("Signature key of the webhook subscription"),
    secret_help=_(
        "In Square, register the callback URL exactly as it is shown here, for payment.created, "
        "payment.updated, refund.created, refund.updated, dispute.created and "
        "dispute.state.updated."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={
        "square_customer": _("Square customer"),
        "square_card": _("card (Square fingerprint)"),
    },
    settings=(
        SettingField(
            "merchant_id", _("Merchant ID"), _("Notices for other merchants are refused.")
        ),
        SettingField(
            "reference_id",
            _("Reference ID of a payment"),
            _("What your system writes into it."),
            choices=(("order", _("Order number")), ("member", _("Member number"))),
        ),
    ),
)
