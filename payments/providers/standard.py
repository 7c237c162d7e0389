"""Standard Webhooks: the inlet for tills, e-shops, and everything without a module of its own.

Signature: https://www.standardwebhooks.com (specification, "Signature scheme"): base64 of
HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. `webhook-id` stays the same when a post
is sent again; the stamp is that of the attempt and may differ from our clock by 300 seconds.

The payload is ours. For builders of tills and shops:

    {"type": "payment.succeeded",
     "data": {
        "payment_ref": "T1-000123",               your number of this payment, unique for ever
        "amount": "95.00", "currency": "HKD",     text, in dollars and not in cents
        "paid_at": "2026-11-21T19:23:46+08:00",   ISO 8601, always with an offset
        "order_ref": "A-77",                      from here on everything may be left out
        "member": "M4K7Q2Z9P",                    the member number that the till scanned
        "store": "central",                       the store's code in the back office
        "method": "octopus",
        "earning_amount": "80.00",                where a part of it earns no points: vouchers, say
        "customer": {"phone": "+85255550100", "email": "…", "wallet": "…"},
        "lines": [{"sku": "LATTE", "quantity": "2", "amount": "80.00",
                   "name": "Latte", "category": "drinks"}]}}

A line's `amount` is what was paid for the whole line. `customer` names any sign by which the same
person may be known again; keys are small letters, digits and underscores.

Types and what differs from above:

    payment.succeeded     `payment_ref`, `paid_at`
    refund.succeeded      `payment_ref` of the payment, `refund_ref`, `occurred_at`; `amount` is of
                          this refund alone
    chargeback.created    `payment_ref`, `chargeback_ref`, `occurred_at`
    chargeback.reversed   the same `chargeback_ref`: the dispute was won, the money is back

Any other type is acknowledged and ignored. Answers: 200 kept (or known already), 400 refused,
500 send it again later.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import (
    UnusableSecret,
    is_same,
    seconds_old,
)
from kit.standard_webhooks import key_of, make_secret, signature, signed_headers
from kit.untrusted import (
    LONGEST_CLUE,
    Fields,
    Unreadable,
    clean_text,
    json_object,
    plain_decimal,
    positive,
)
from payments.points_base import part_that_earns
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    Notice,
    NoticeLine,
    Provider,
    Reason,
    Rejected,
    Reply,
    Verified,
    age_problem,
    answering,
    malformed_if_unreadable,
)

_MOST_LINES: Final = 1000
_MOST_CLUES: Final = 20
_MESSAGE_ID: Final = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_CLUE_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,29}", re.ASCII)

# What a type means, and the fields with the number and the time of its effect.
_TYPES: Final = {
    "payment.succeeded": (Kind.PAYMENT, "payment_ref", "paid_at"),
    "refund.succeeded": (Kind.REFUND, "refund_ref", "occurred_at"),
    "chargeback.created": (Kind.CHARGEBACK, "chargeback_ref", "occurred_at"),
    "chargeback.reversed": (Kind.REVERSAL, "chargeback_ref", "occurred_at"),
}


def sign(body: bytes, *, secret: str, message_id: str, at: datetime) -> dict[str, str]:
    """The three headers of a genuine post; raises UnusableSecret."""
    return signed_headers(body, secrets=[secret], message_id=message_id, at=at)


def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether one of the account's secrets signed exactly these bytes, within 300 seconds."""
    message_id = request.headers.get("webhook-id", "")
    stamp = request.headers.get("webhook-timestamp", "")
    given = request.headers.get("webhook-signature", "").split()
    if not (message_id and stamp and given):
        return Rejected(Reason.MISSING_SIGNATURE)
    age = seconds_old(stamp, now)
    if age is None or not _MESSAGE_ID.fullmatch(message_id):
        return Rejected(Reason.MALFORMED, "webhook-id, webhook-timestamp")
    expected = [signature(key, message_id, stamp, request.body) for key in _usable(keys)]
    if not expected:
        return Rejected(Reason.NO_SECRET)
    if not any(is_same(ours, theirs) for ours in expected for theirs in given):
        return Rejected(Reason.BAD_SIGNATURE)
    return age_problem(age) or Verified(delivery_key=message_id)


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The one effect that the post tells of; raises MalformedPayload."""
    event = Fields(json_object(request.body))
    name = event.text("type")
    if name not in _TYPES:
        return Ignored("unknown_type")
    return [_notice(name, event.inner("data"))]


acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is 24 to 64 bytes in base64, as the specification asks."""
    key_of(secret)


def _notice(name: str, data: Fields) -> Notice:
    kind, ref_field, time_field = _TYPES[name]
    currency = data.text("currency", longest=3)
    amount = Money.parse(data.decimal("amount"), currency)
    return Notice(
        kind=kind,
        payment_ref=data.text("payment_ref"),
        effect_ref=data.text(ref_field),
        amount=positive(amount, "data.amount"),
        occurred_at=data.instant(time_field),
        order_ref=data.text_or_blank("order_ref"),
        member_code=data.text_or_blank("member", longest=40),
        store_code=data.text_or_blank("store", longest=20),
        method=data.text_or_blank("method", longest=40),
        clues=tuple(_clues(data.inner("customer"))),
        earns=_earns(data, amount) if kind is Kind.PAYMENT else None,
        lines=tuple(_line(item, currency) for item in data.items("lines", most=_MOST_LINES)),
    )


def _earns(data: Fields, whole: Money) -> Money | None:
    if not data.has("earning_amount"):
        return None
    return part_that_earns(Money.parse(data.decimal("earning_amount"), whole.currency), whole)


def _clues(customer: Fields) -> Iterator[Clue]:
    if len(customer.values) > _MOST_CLUES:
        raise Unreadable(
            "%(field)s has more than %(most)s entries.", field="data.customer", most=_MOST_CLUES
        )
    for kind in customer.values:
        if not _CLUE_KIND.fullmatch(kind):
            raise Unreadable(
                "%(field)s has a key other than small letters, digits and _.",
                field="data.customer",
            )
        if customer.has(kind):
            yield Clue(kind, customer.text(kind, longest=LONGEST_CLUE))


def _line(item: Fields, currency: str) -> NoticeLine:
    return NoticeLine(
        sku=item.text("sku", longest=60),
        quantity=_quantity(item),
        amount=Money.parse(item.decimal("amount"), currency).amount,
        name=item.text_or_blank("name"),
        category=item.text_or_blank("category", longest=40),
    )


def _quantity(item: Fields) -> Decimal:
    """Pieces, or a weight up to the gram; a till may write a number instead of text here."""
    given = item.values.get("quantity", 1)
    name = f"{item.path}quantity"
    if isinstance(given, int | Decimal) and not isinstance(given, bool):
        given = str(given)
    quantity = plain_decimal(clean_text(given, name), name)
    if not 0 < quantity < 1_000_000 or quantity != round(quantity, 3):
        raise Unreadable("%(field)s is not between 0.001 and 1,000,000.", field=name)
    return quantity


def _usable(keys: Keys) -> Iterator[bytes]:
    for secret in keys.secrets:
        try:
            yield key_of(secret)
        except UnusableSecret:
            continue  # The others may still hold; with none left the account refuses.


PROVIDER = Provider(
    code="standard",
    label=_("Till or online shop (Standard Webhooks)"),
    secret_label=_("Signing secret"),
    secret_help=_(
        "Begins with whsec_. Give it to the builder of your till or shop; "
        "to change it, add the new one, wait until they use it, then remove the old one."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    make_secret=make_secret,
)
