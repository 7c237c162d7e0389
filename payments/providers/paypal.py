"""PayPal: webhooks of the Orders and Payments APIs, version 2, and of disputes.

Sources: developer.paypal.com (webhooks: verification by certificate; event names; captures,
refunds, disputes) and the tests of PayPal's archived libraries.

A post names the address of the certificate that signed it. Nothing is fetched from an address that
a stranger may have written: staff paste PayPal's certificate instead, after a look at where it
comes from, and the address must still be one of PayPal's. It is renewed every year or two, so the
next one is added before the old one ends.

Money. `PAYMENT.CAPTURE.COMPLETED` is the payment; an approved order is not. Refunds and reversals
name their capture in a link. A dispute moves no money by itself: what PayPal takes in its course
comes as a reversal or a refund. Winning it is told together with the reversal, under the same
reference, so that every order of arrival ends in the same sum.
"""

import re
import zlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate, NameOID, load_pem_x509_certificates
from django.utils.translation import gettext_lazy as _

from kit.money import Money, MoneyError
from kit.said import said
from kit.signatures import UnusableSecret, decoded_base64
from kit.untrusted import LONGEST_CLUE, Fields, Unreadable, clean_text, json_object, positive
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
    answering,
    clues_in,
    malformed_if_unreadable,
    refused_if_unreadable,
)

# PayPal takes these without decimals, whatever ISO 4217 allows.
_WITHOUT_DECIMALS: Final = ("HUF", "JPY", "TWD")

_HEADERS: Final = ("paypal-transmission-id", "paypal-transmission-time", "paypal-transmission-sig")
_SHORTEST_KEY: Final = 2048
_MOST_CERTIFICATES: Final = 5
_MOST_LINKS: Final = 20
_CAPTURE: Final = re.compile(r"/v2/payments/captures/([0-9A-Za-z]{1,40})", re.ASCII)
_MEMBER: Final = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)

_MOVES_NO_MONEY: Final = {
    "CHECKOUT.ORDER.APPROVED": "not_paid_yet",
    "PAYMENT.CAPTURE.PENDING": "not_paid_yet",
    "PAYMENT.CAPTURE.DENIED": "did_not_succeed",
    "PAYMENT.CAPTURE.DECLINED": "did_not_succeed",
    "CUSTOMER.DISPUTE.CREATED": "dispute_without_money",
    "CUSTOMER.DISPUTE.UPDATED": "dispute_without_money",
}
_SELLER_KEEPS_IT: Final = ("RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED")


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether PayPal signed it for the account's webhook, with a certificate valid at `now`."""
    headers = request.headers
    if not all(headers.get(name) for name in _HEADERS):
        return Rejected(Reason.MISSING_SIGNATURE)
    if headers.get("paypal-auth-algo") != "SHA256withRSA":
        return Rejected(Reason.WEAK_SIGNATURE, "paypal-auth-algo")
    address = headers.get("paypal-cert-url", "")
    if not _is_paypals(address):
        return Rejected(
            Reason.BAD_SIGNATURE,
            said("%(field)s is no address of PayPal's.", field="paypal-cert-url"),
        )
    problem = _signature_problem(request, keys, now)
    if problem is not None:
        return Rejected(problem, said("It was signed with %(address)s.", address=address))
    return Verified(delivery_key=Fields(json_object(request.body)).text("id"))


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The effects of one event; raises MalformedPayload."""
    event = Fields(json_object(request.body))
    name = event.text("event_type")
    reader = _READERS.get(name)
    if reader is None:
        return Ignored(_MOVES_NO_MONEY.get(name, "unused_event"))
    return reader(event.inner("resource"), event.instant("create_time"))


acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is a certificate of PayPal's, with its issuers behind it."""
    chain = _chain(secret)
    if not chain:
        raise UnusableSecret(
            _(
                "Paste the certificate from BEGIN CERTIFICATE to END CERTIFICATE, "
                "and below it those of its issuers, if you have them."
            )
        )
    if not _is_signed_by_next(chain):
        raise UnusableSecret(_("Each certificate must be signed by the one below it."))
    if not _belongs_to_paypal(chain[0]) or _key_of(chain[0]) is None:
        raise UnusableSecret(
            _("This is not PayPal's certificate: it is made out to another name, or too weak.")
        )


def describe_secret(secret: str) -> str:
    """Whose certificate it is and until when it is valid."""
    chain = _chain(secret)
    if not chain:
        return ""
    until = min(certificate.not_valid_after_utc for certificate in chain)
    described = _("%(name)s, valid until %(day)s")
    return str(described) % {"name": _common_name(chain[0]), "day": f"{until:%Y-%m-%d}"}


def _signature_problem(request: Inbound, keys: Keys, now: datetime) -> Reason | None:
    webhook_id = keys.settings.get("webhook_id", "").strip()
    usable = [key for key in (_usable_key(secret, now) for secret in keys.secrets) if key]
    if not usable or not webhook_id:
        return Reason.NO_SECRET
    message_id, time, given = (request.headers[name] for name in _HEADERS)
    signature = decoded_base64(given)
    checksum = zlib.crc32(request.body)
    content = f"{message_id}|{time}|{webhook_id}|{checksum}".encode("utf-8", "backslashreplace")
    if signature and any(_is_signed(content, signature, key) for key in usable):
        return None
    return Reason.BAD_SIGNATURE


def _is_signed(content: bytes, signature: bytes, key: RSAPublicKey) -> bool:
    try:
        key.verify(signature, content, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _is_paypals(address: str) -> bool:
    try:
        url = urlsplit(address)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    return (
        url.scheme == "https"
        and (host == "paypal.com" or host.endswith(".paypal.com"))
        and url.username is None
        and port in (None, 443)
    )


def _usable_key(secret: str, now: datetime) -> RSAPublicKey | None:
    """The key of a certificate that is PayPal's and, like those of its issuers, valid at `now`."""
    chain = _chain(secret)
    if not chain or not _belongs_to_paypal(chain[0]) or not _is_signed_by_next(chain):
        return None
    if not all(row.not_valid_before_utc <= now <= row.not_valid_after_utc for row in chain):
        return None
    return _key_of(chain[0])


@lru_cache(maxsize=64)
def _chain(secret: str) -> tuple[Certificate, ...]:
    """The certificates in PEM, none if anything else is among them."""
    try:
        found = load_pem_x509_certificates(secret.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        return ()
    return tuple(found) if len(found) <= _MOST_CERTIFICATES else ()


@lru_cache(maxsize=64)
def _is_signed_by_next(chain: tuple[Certificate, ...]) -> bool:
    try:
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _common_name(certificate: Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ""
    return str(names[0].value) if len(names) == 1 else ""


def _belongs_to_paypal(certificate: Certificate) -> bool:
    return f".{_common_name(certificate).lower()}".endswith(".paypal.com")


def _key_of(certificate: Certificate) -> RSAPublicKey | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= _SHORTEST_KEY else None


def _captured(capture: Fields, at: datetime) -> list[Notice]:
    ref = capture.text("id")
    custom = capture.hint("custom_id", longest=LONGEST_CLUE)
    order = capture.inner("supplementary_data").inner("related_ids")
    settled, fee = _settlement(capture.inner("seller_receivable_breakdown"))
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(capture, "amount"),
            occurred_at=capture.instant("create_time") if capture.has("create_time") else at,
            order_ref=capture.hint("invoice_id") or order.hint("order_id"),
            member_code=custom if _MEMBER.fullmatch(custom) else "",
            method="paypal",
            clues=_clues(capture),
            settled=settled,
            fee=fee,
        )
    ]


def _refunded(refund: Fields, at: datetime) -> list[Notice] | Ignored:
    if refund.hint("status") in ("CANCELLED", "FAILED"):
        return Ignored("did_not_succeed")
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=_capture_of(refund),
            effect_ref=refund.text("id"),
            amount=_amount(refund, "amount"),
            occurred_at=refund.instant("create_time") if refund.has("create_time") else at,
        )
    ]


def _reversed(reversal: Fields, at: datetime) -> list[Notice]:
    """PayPal took the money back."""
    capture = _capture_of(reversal)
    return [_taken(Kind.CHARGEBACK, capture, _amount(reversal, "amount"), at)]


def _resolved(dispute: Fields, at: datetime) -> list[Notice] | Ignored:
    if dispute.inner("dispute_outcome").hint("outcome_code") not in _SELLER_KEEPS_IT:
        return Ignored("told_by_refund_or_reversal")
    if dispute.hint("dispute_life_cycle_stage") == "INQUIRY":
        return Ignored("dispute_without_money")
    disputed = dispute.items("disputed_transactions", most=_MOST_LINKS)
    if len(disputed) != 1:
        raise Unreadable("The dispute is not about one transaction.")
    capture = disputed[0].text("seller_transaction_id")
    amount = _amount(dispute, "dispute_amount")
    return [_taken(kind, capture, amount, at) for kind in (Kind.CHARGEBACK, Kind.REVERSAL)]


def _taken(kind: Kind, capture: str, amount: Money, at: datetime) -> Notice:
    """One reference for each capture: a dispute does not know the number of its reversal."""
    return Notice(
        kind=kind,
        payment_ref=capture,
        effect_ref=clean_text(f"{capture}:reversed", "seller_transaction_id"),
        amount=amount,
        occurred_at=at,
    )


_READERS: Final[dict[str, Callable[[Fields, datetime], list[Notice] | Ignored]]] = {
    "PAYMENT.CAPTURE.COMPLETED": _captured,
    "PAYMENT.CAPTURE.REFUNDED": _refunded,
    "PAYMENT.CAPTURE.REVERSED": _reversed,
    "CUSTOMER.DISPUTE.RESOLVED": _resolved,
}


def _capture_of(told: Fields) -> str:
    """The capture behind the link `up`."""
    links = told.items("links", most=_MOST_LINKS)
    for link in links:
        address = link.hint("href", longest=LONGEST_CLUE)
        path = urlsplit(address).path if _is_paypals(address) else ""
        found = _CAPTURE.fullmatch(path) if link.hint("rel") == "up" else None
        if found:
            return found[1]
    raise Unreadable("%(field)s names no capture.", field=f"{told.path}links")


def _amount(fields: Fields, name: str) -> Money:
    money = fields.inner(name)
    currency, value = money.text("currency_code").upper(), money.decimal("value")
    if currency in _WITHOUT_DECIMALS and value != value.to_integral_value():
        raise Unreadable(
            "%(field)s has decimals that PayPal does not know.", field=f"{money.path}value"
        )
    return positive(Money.parse(value, currency), f"{money.path}value")


def _settlement(breakdown: Fields) -> tuple[Money | None, Money | None]:
    """What comes in before the fee, and the fee; unknown where the currency is changed."""
    if breakdown.has("receivable_amount"):
        return None, None
    try:
        gross = _amount(breakdown, "gross_amount")
        fee = _amount(breakdown, "paypal_fee") if breakdown.has("paypal_fee") else None
    except (Unreadable, MoneyError):
        return None, None
    return gross, fee if fee and fee.currency == gross.currency else None


def _clues(capture: Fields) -> tuple[Clue, ...]:
    payer = capture.inner("payer")
    found = {
        "paypal_payer": payer.hint("payer_id"),
        "email": payer.hint("email_address", longest=LONGEST_CLUE),
    }
    return clues_in(found)


PROVIDER = Provider(
    code="paypal",
    label=_("PayPal"),
    secret_label=_("PayPal's certificate"),
    secret_help=_(
        "Let PayPal send a notice first: it is refused, and the refused post names the address of "
        "the certificate. Open that address, see that it is at paypal.com, and paste the text."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    describe_secret=describe_secret,
    clue_kinds={"paypal_payer": _("PayPal payer")},
    settings=(
        SettingField(
            "webhook_id",
            _("Webhook ID"),
            _("Shown beside the webhook in PayPal's developer dashboard."),
            is_required=True,
        ),
    ),
)
