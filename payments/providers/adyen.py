"""Adyen: standard webhooks, each item signed by HMAC.

Sources: docs.adyen.com (webhooks: verify HMAC signatures; refund; dispute webhooks; currency
codes) and the tests of Adyen's own libraries.

The HMAC covers eight fields of an item and nothing else. What lies outside (`additionalData` with
the shopper's reference and the merchant's metadata) says who is to get the points, so it counts
only where the account demands basic authentication and the post carried it. The eight values are
joined by colons without escaping; a colon is therefore allowed in `merchantReference` alone, for
then the string can be cut up in one way only.

Refunds and disputes. `REFUND` means that a refund was accepted; `REFUND_FAILED` and
`REFUNDED_REVERSED` carry the same reference later. All events of one dispute share a reference
too. Whatever brings money back is told together with what had taken it: each notice balances by
itself, and as equal effects are kept once, every order of arrival ends in the same sum.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret, is_same
from kit.untrusted import (
    LONGEST_CLUE,
    LONGEST_TEXT,
    Fields,
    Unreadable,
    clean_text,
    json_object,
    positive,
)
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
    answering,
    clues_in,
    malformed_if_unreadable,
    refused_if_unreadable,
)

# Adyen's minor units where they differ from ISO 4217.
_PLACES: Final = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}

_MOST_ITEMS: Final = 100
_HEX_KEY: Final = re.compile(r"([0-9A-Fa-f]{2}){32,64}", re.ASCII)
_WITHOUT_COLON: Final = re.compile(r"[^:]*")
_SHORTEST_PASSWORD: Final = 12

# What an event says, as effects: each its kind, and what tells it apart under one reference.
_EFFECTS: Final = {
    "AUTHORISATION": ((Kind.PAYMENT, ""),),
    "CAPTURE": ((Kind.PAYMENT, ""),),
    "CAPTURE_FAILED": ((Kind.REFUND, ""),),
    "CANCELLATION": ((Kind.REFUND, ""),),
    "TECHNICAL_CANCEL": ((Kind.REFUND, ""),),
    "CANCEL_OR_REFUND": ((Kind.REFUND, ""),),
    "REFUND": ((Kind.REFUND, ""),),
    "REFUND_FAILED": ((Kind.REFUND, ""), (Kind.REVERSAL, "")),
    "REFUNDED_REVERSED": ((Kind.REFUND, ""), (Kind.REVERSAL, "")),
    "CHARGEBACK": ((Kind.CHARGEBACK, ""),),
    "CHARGEBACK_REVERSED": ((Kind.CHARGEBACK, ""), (Kind.REVERSAL, "")),
    # Comes only after a reversal, so it tells of that as well.
    "SECOND_CHARGEBACK": (
        (Kind.CHARGEBACK, ""),
        (Kind.REVERSAL, ""),
        (Kind.CHARGEBACK, ":second"),
    ),
}
_IF_CAPTURED_AT_ONCE: Final = {"CAPTURE": "told_by_authorisation"}
_IF_CAPTURED_LATER: Final = {
    "AUTHORISATION": "not_captured_yet",
    "CANCELLATION": "cancelled_before_capture",
    "TECHNICAL_CANCEL": "cancelled_before_capture",
}


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, _now: datetime) -> Verified | Rejected:
    """Whether a key of the account signed every item; no time is part of this protocol."""
    post = Fields(json_object(request.body))
    items = _items(post)
    problem = _signature_problem(request, items, keys) or _basic_problem(request, keys)
    if problem is not None:
        return problem
    if items and not _is_ours(post, items, keys):
        return Rejected(Reason.OTHER_MERCHANT, "live, merchantAccountCode")
    return Verified(delivery_key=_delivery_key(items, request.body))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The effects of every item, in their order; raises MalformedPayload."""
    items = _items(Fields(json_object(request.body)))
    is_vouched = _has_basic_auth(request, keys)
    told = [_effects(item, keys, is_vouched=is_vouched) for item in items]
    notices = [notice for effects in told if isinstance(effects, list) for notice in effects]
    reasons = [effects for effects in told if isinstance(effects, Ignored)]
    return notices or next(iter(reasons), Ignored("unused_event"))


# Any 2xx will do; older set-ups of Adyen also read the body.
acknowledge: Final = answering(Reply(200, b"[accepted]"), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is an HMAC key in hex, or `user:password`."""
    text = secret.strip()
    user, colon, password = text.partition(":")
    if colon and user and len(password) >= _SHORTEST_PASSWORD:
        return
    if colon:
        raise UnusableSecret(
            _("Write user:password, with a password of at least 12 characters, as at Adyen.")
        )
    if not _HEX_KEY.fullmatch(text):
        raise UnusableSecret(
            _(
                "An HMAC key is 64 characters of 0-9 and A-F. It is not the API key. "
                "For basic authentication write user:password."
            )
        )


def _items(post: Fields) -> list[Fields]:
    """The items; none where it is a webhook of another kind, signed as a whole."""
    listed = post.items("notificationItems", most=_MOST_ITEMS)
    if post.has("notificationItems") and not all(
        item.has("NotificationRequestItem") for item in listed
    ):
        raise Unreadable("%(field)s is not a list of objects.", field="notificationItems")
    return [item.inner("NotificationRequestItem") for item in listed]


def _signed_text(item: Fields) -> bytes:
    """The eight values that the HMAC covers; absent ones are empty."""
    amount = item.inner("amount")
    value = amount.whole_number("value") if amount.has("value") else ""
    values = {
        "pspReference": _raw(item, "pspReference"),
        "originalReference": _raw(item, "originalReference"),
        "merchantAccountCode": _raw(item, "merchantAccountCode"),
        "merchantReference": _raw(item, "merchantReference"),
        "value": str(value),
        "currency": _raw(amount, "currency"),
        "eventCode": _raw(item, "eventCode"),
        "success": _flag(item, "success"),
    }
    for name, text in values.items():
        if name != "merchantReference" and not _WITHOUT_COLON.fullmatch(text):
            raise Unreadable("%(field)s contains a colon.", field=name)
    return ":".join(values.values()).encode("utf-8", "surrogatepass")


def _raw(fields: Fields, name: str) -> str:
    value = fields.values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable("%(field)s is not text.", field=fields.path + name)
    return value


def _flag(fields: Fields, name: str) -> str:
    """`true` or `false`, which Adyen writes as text; empty if it is missing."""
    value = fields.values.get(name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _raw(fields, name)


def _signature_problem(request: Inbound, items: Sequence[Fields], keys: Keys) -> Rejected | None:
    """One forged item spoils the post, wherever it stands."""
    if items:
        signed = [_signed_text(item) for item in items]
        given = [item.inner("additionalData").values.get("hmacSignature") for item in items]
    else:
        signed, given = [request.body], [request.headers.get("hmacsignature")]
    if not all(isinstance(signature, str) and signature for signature in given):
        return Rejected(Reason.MISSING_SIGNATURE)
    usable = list(_hmac_keys(keys))
    if not usable:
        return Rejected(Reason.NO_SECRET)
    for text, signature in zip(signed, given, strict=True):
        expected = [hmac.digest(key, text, "sha256") for key in usable]
        if not any(is_same(base64.b64encode(mac).decode(), str(signature)) for mac in expected):
            return Rejected(Reason.BAD_SIGNATURE)
    return None


def _hmac_keys(keys: Keys) -> Iterator[bytes]:
    for secret in keys.secrets:
        if _HEX_KEY.fullmatch(secret.strip()):
            yield bytes.fromhex(secret.strip())


def _basic_problem(request: Inbound, keys: Keys) -> Rejected | None:
    if not _credentials(keys) or _has_basic_auth(request, keys):
        return None
    is_missing = not request.headers.get("authorization")
    reason = Reason.MISSING_SIGNATURE if is_missing else Reason.BAD_SIGNATURE
    return Rejected(reason, said("It is about the user name and password."))


def _credentials(keys: Keys) -> list[str]:
    """What the account may demand beside the HMAC: `user:password`."""
    return [secret.strip() for secret in keys.secrets if ":" in secret]


def _has_basic_auth(request: Inbound, keys: Keys) -> bool:
    """Whether the account demands basic authentication, and the post carried it."""
    scheme, _space, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and any(is_same(ours, given) for ours in _credentials(keys))


def _is_ours(post: Fields, items: Sequence[Fields], keys: Keys) -> bool:
    is_test = keys.settings.get("environment") == "test"
    if _flag(post, "live") != ("false" if is_test else "true"):
        return False
    named = keys.settings.get("merchant_account", "").split(",")
    wanted = {name.strip() for name in named} - {""}
    return not wanted or all(_raw(item, "merchantAccountCode") in wanted for item in items)


def _delivery_key(items: Sequence[Fields], body: bytes) -> str:
    """An item has no number of its own: event, reference and success tell resends apart."""
    keys = [
        ":".join((_raw(item, "eventCode"), _raw(item, "pspReference"), _flag(item, "success")))
        for item in items
    ]
    if len(keys) == 1 and len(keys[0]) <= LONGEST_TEXT and keys[0].isprintable():
        return keys[0]
    told = "\n".join(sorted(keys)).encode("utf-8", "surrogatepass") if keys else body
    return "sha256:" + hashlib.sha256(told).hexdigest()


def _effects(item: Fields, keys: Keys, *, is_vouched: bool) -> list[Notice] | Ignored:
    event = item.text("eventCode")
    if event not in _EFFECTS:
        return Ignored("unused_event")
    reason = _reason_to_ignore(event, item, keys)
    if reason:
        return Ignored(reason)
    notices = [_notice(item, kind, part) for kind, part in _EFFECTS[event]]
    return [_with_payer(notice, item) for notice in notices] if is_vouched else notices


def _reason_to_ignore(event: str, item: Fields, keys: Keys) -> str:
    if _flag(item, "success") != "true":
        return "did_not_succeed"
    if event == "AUTHORISATION" and item.inner("amount").values.get("value") == 0:
        return "nothing_charged"  # A card was checked or stored.
    is_manual = keys.settings.get("capture") == "manual"
    action = item.inner("additionalData").hint("modification.action")
    if event == "CANCEL_OR_REFUND" and action == "cancel":
        event = "CANCELLATION"
    return (_IF_CAPTURED_LATER if is_manual else _IF_CAPTURED_AT_ONCE).get(event, "")


def _notice(item: Fields, kind: Kind, part: str) -> Notice:
    """What changes a payment has a reference of its own, and names the payment's."""
    own = item.text("pspReference")
    is_payment_itself = item.text("eventCode") == "AUTHORISATION"
    amount = item.inner("amount")
    currency = amount.text("currency").upper()
    money = Money.from_minor(amount.whole_number("value"), currency, places=_PLACES.get(currency))
    return Notice(
        kind=kind,
        payment_ref=own if is_payment_itself else item.text("originalReference"),
        effect_ref=clean_text(own + part, "pspReference"),
        amount=positive(money, "amount.value"),
        occurred_at=item.instant("eventDate"),
        order_ref=item.hint("merchantReference") if kind is Kind.PAYMENT else "",
        method=item.hint("paymentMethod", longest=40),
        payer_country=item.inner("additionalData").country("issuerCountry"),
    )


def _with_payer(notice: Notice, item: Fields) -> Notice:
    """The notice with what only basic authentication vouches for."""
    extra = item.inner("additionalData")
    shopper = extra.hint("shopperReference") or extra.hint("recurring.shopperReference")
    found = {
        "adyen_shopper": shopper,
        "email": extra.hint("shopperEmail", longest=LONGEST_CLUE),
        "adyen_card": extra.hint("alias"),
    }
    clues = clues_in(found)
    return replace(
        notice,
        member_code=extra.hint("metadata.member_id", longest=40),
        store_code=extra.hint("metadata.store", longest=20),
        clues=clues,
    )


PROVIDER = Provider(
    code="adyen",
    label=_("Adyen"),
    secret_label=_("HMAC key, or user:password"),
    secret_help=_(
        "The HMAC key of the webhook, and as a second secret the user name and password of its "
        "basic authentication, written user:password. Without the second, member numbers and "
        "shopper references in notices are not believed: Adyen's HMAC does not cover them."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={
        "adyen_shopper": _("Adyen shopper"),
        "adyen_card": _("card (Adyen alias)"),
    },
    settings=(
        SettingField(
            "merchant_account",
            _("Merchant account"),
            _("Notices for other merchant accounts are refused. Separate several by commas."),
        ),
        SettingField(
            "capture",
            _("Capture"),
            _("Where payments are captured later, points wait for the capture."),
            choices=(("at_once", _("At once")), ("manual", _("Later"))),
        ),
        SettingField(
            "environment",
            _("Environment"),
            _("Notices of the other one are refused."),
            choices=(("live", _("Live")), ("test", _("Test"))),
        ),
    ),
)
