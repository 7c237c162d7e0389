"""Stripe: events of the classic ("snapshot") kind.

Sources: docs.stripe.com/webhooks (signature), /api/events/types, /currencies, /refunds, /disputes.

Payments. `payment_intent.succeeded` is the payment. `charge.succeeded` of the same payment is
ignored; a charge that says `payment_intent: null` (old Charges API) has no other event and counts.

Refunds. The truth is the refund object: `re_…` is one effect however often and in whichever order
`refund.created`, `refund.updated` and `refund.failed` tell of it. `charge.refunded` carries only a
running total, which falls again when a refund fails: 100 refunded, failed, 100 refunded once more
says "100" twice and cannot be told from a resend. So that total is passed on as a *floor*
(`is_total`): for accounts that never send `refund.*` it is all there is, and where both come, the
single refunds already add up to at least as much, so nothing is counted twice:

    taken back = max(largest total, sum of single refunds) + chargebacks - reversals

A refund that failed or was cancelled is told as both the refund and its reversal, and so is a
dispute whose funds came back. Each notice therefore balances by itself; as equal effects are kept
once, every order of arrival ends in the same sum.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import UnusableSecret, hmac_sha256, is_same, seconds_old
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
    Verified,
    age_problem,
    answering,
    clues_in,
    malformed_if_unreadable,
    refused_if_unreadable,
)

# Stripe's own minor units. ISK and UGX are absent on purpose: Stripe sends them times 100.
_PLACES: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"), 0),
    **dict.fromkeys(("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}

_MOST_MOVEMENTS: Final = 20


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether one of the endpoint's secrets signed these bytes within 300 s, before or after."""
    header = request.headers.get("stripe-signature", "")
    if not header:
        return Rejected(Reason.MISSING_SIGNATURE)
    entries = [entry.strip().partition("=") for entry in header.split(",")]
    stamps = [value for name, _equals, value in entries if name == "t"]
    given = [value for name, _equals, value in entries if name == "v1"]
    age = seconds_old(stamps[0], now) if len(stamps) == 1 else None
    if age is None or not given:
        # v0 alone also lands here: another scheme must not stand in for v1.
        return Rejected(Reason.MALFORMED, "Stripe-Signature")
    problem = _signature_problem(request.body, stamps[0], given, keys)
    if problem is not None:
        return Rejected(problem)
    return age_problem(age) or Verified(Fields(json_object(request.body)).text("id"))


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The effects of one event; raises MalformedPayload."""
    event = Fields(json_object(request.body))
    reader = _READERS.get(event.text("type"))
    if reader is None:
        return Ignored("unused_event")
    return reader(event.inner("data").inner("object"), event.unix_instant("created"))


acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it looks like an endpoint's signing secret."""
    if not secret.strip().startswith("whsec_") or len(secret.strip()) < 24:
        raise UnusableSecret(
            _("A signing secret begins with whsec_. It is not the API key (sk_ or rk_).")
        )


def _signature_problem(body: bytes, stamp: str, given: list[str], keys: Keys) -> Reason | None:
    secrets = [secret.strip() for secret in keys.secrets if secret.strip().removeprefix("whsec_")]
    if not secrets:
        return Reason.NO_SECRET
    expected = [hmac_sha256(secret.encode(), stamp.encode(), body).hex() for secret in secrets]
    if any(is_same(ours, theirs) for ours in expected for theirs in given):
        return None
    return Reason.BAD_SIGNATURE


def _payment_intent(intent: Fields, at: datetime) -> list[Notice]:
    ref = intent.text("id")
    charge = _expanded_charge(intent)
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(intent, "amount_received"),
            occurred_at=at,
            method=_method(charge) or _only_method(intent),
            payer_country=_card(charge).country("country"),
            clues=_clues(intent, charge),
            member_code=_tag(intent, "member_id", longest=40),
            order_ref=_tag(intent, "order_id"),
            store_code=_tag(intent, "store", longest=20),
        )
    ]


def _lone_charge(charge: Fields, at: datetime) -> list[Notice] | Ignored:
    if charge.values.get("payment_intent", "missing") is not None:
        return Ignored("told_by_payment_intent")
    if charge.values.get("captured") is not True:
        return Ignored("not_captured_yet")
    ref = charge.text("id")
    captured = "amount_captured" if charge.has("amount_captured") else "amount"
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(charge, captured),
            occurred_at=at,
            method=_method(charge),
            payer_country=_card(charge).country("country"),
            clues=_clues(charge, charge),
            member_code=_tag(charge, "member_id", longest=40),
            order_ref=_tag(charge, "order_id"),
            store_code=_tag(charge, "store", longest=20),
        )
    ]


def _charge_refunded(charge: Fields, at: datetime) -> list[Notice] | Ignored:
    total = charge.whole_number("amount_refunded") - _released(charge)
    if charge.values.get("captured") is False or total == 0:
        return Ignored("authorisation_released")
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=_payment_ref(charge, charge.text("id")),
            effect_ref=clean_text(f"{charge.text('id')}:{total}", f"{charge.path}id"),
            amount=_money(total, charge),
            occurred_at=at,
            is_total=True,
            method=_method(charge),
            clues=_clues(charge, charge),
            member_code=_tag(charge, "member_id", longest=40),
            order_ref=_tag(charge, "order_id"),
            store_code=_tag(charge, "store", longest=20),
        )
    ]


def _refund(refund: Fields, at: datetime) -> list[Notice] | Ignored:
    status = refund.text("status")
    if status == "requires_action":
        return Ignored("refund_not_under_way")
    if status == "succeeded" and refund.values.get("balance_transaction", "missing") is None:
        return Ignored("authorisation_released")  # No money moved: the rest of a partial capture.
    if status not in ("pending", "succeeded", "failed", "canceled"):
        raise Unreadable("%(field)s is not a known one.", field=f"{refund.path}status")
    taken = Notice(
        kind=Kind.REFUND,
        payment_ref=_payment_ref(refund, _id_of(refund, "charge")),
        effect_ref=refund.text("id"),
        amount=_amount(refund, "amount"),
        occurred_at=refund.unix_instant("created"),
    )
    if status in ("pending", "succeeded"):
        return [taken]
    return [taken, _reversal(taken, amount=taken.amount, at=at)]


def _funds_withdrawn(dispute: Fields, _at: datetime) -> list[Notice]:
    return [
        Notice(
            kind=Kind.CHARGEBACK,
            payment_ref=_payment_ref(dispute, _id_of(dispute, "charge")),
            effect_ref=dispute.text("id"),
            amount=_amount(dispute, "amount"),
            occurred_at=dispute.unix_instant("created"),
        )
    ]


def _funds_reinstated(dispute: Fields, at: datetime) -> list[Notice]:
    """The chargeback and what came back of it.

    That can be a part (a payment that had been refunded in part) and can come in two steps, so
    each movement of money is its own effect. Movements in the account's own currency cannot be
    compared with the payment's: then the whole dispute counts as returned.
    """
    taken = _funds_withdrawn(dispute, at)[0]
    returned = [
        movement
        for movement in dispute.items("balance_transactions", most=_MOST_MOVEMENTS)
        if movement.text("currency").upper() == taken.amount.currency
        and movement.whole_number("amount") > 0
    ]
    if not returned:
        return [taken, _reversal(taken, amount=taken.amount, at=at)]
    parts = [
        _reversal(taken, amount=_amount(part, "amount"), at=at, part=f":{part.text('id')}")
        for part in returned
    ]
    return [taken, *parts]


def _reversal(taken: Notice, *, amount: Money, at: datetime, part: str = "") -> Notice:
    return Notice(
        kind=Kind.REVERSAL,
        payment_ref=taken.payment_ref,
        effect_ref=clean_text(taken.effect_ref + part, "id"),
        amount=amount,
        occurred_at=at,
    )


_READERS: Final[dict[str, Callable[[Fields, datetime], list[Notice] | Ignored]]] = {
    "payment_intent.succeeded": _payment_intent,
    "charge.succeeded": _lone_charge,
    "charge.captured": _lone_charge,
    "charge.refunded": _charge_refunded,
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.funds_withdrawn": _funds_withdrawn,
    "charge.dispute.funds_reinstated": _funds_reinstated,
}


def _released(charge: Fields) -> int:
    """What a partial capture let go: Stripe books it as refunded, but it was never received."""
    if not (charge.has("amount_captured") and charge.has("amount")):
        return 0
    released = charge.whole_number("amount") - charge.whole_number("amount_captured")
    return min(max(released, 0), charge.whole_number("amount_refunded"))


def _amount(fields: Fields, name: str) -> Money:
    return _money(fields.whole_number(name), fields)


def _money(minor_units: int, fields: Fields) -> Money:
    currency = fields.text("currency").upper()
    money = Money.from_minor(minor_units, currency, places=_PLACES.get(currency, 2))
    return positive(money, f"{fields.path}amount")


def _payment_ref(fields: Fields, charge_id: str) -> str:
    ref = _id_of(fields, "payment_intent") or charge_id
    if not ref:
        raise Unreadable("Neither payment_intent nor charge is named.")
    return ref


def _id_of(fields: Fields, name: str) -> str:
    """The id in `name`, which an API version may have expanded into the whole object."""
    if isinstance(fields.values.get(name), dict):
        return fields.inner(name).text("id")
    return fields.text_or_blank(name)


def _expanded_charge(intent: Fields) -> Fields:
    """The charge inside a payment intent: listed in old API versions, rarely there in new ones."""
    if isinstance(intent.values.get("latest_charge"), dict):
        return intent.inner("latest_charge")
    listed = intent.inner("charges").items("data", most=100)
    return listed[0] if listed else Fields({})


def _method(charge: Fields) -> str:
    return charge.inner("payment_method_details").hint("type", longest=40)


def _only_method(intent: Fields) -> str:
    offered = intent.values.get("payment_method_types")
    if isinstance(offered, list) and len(offered) == 1:
        return Fields({"method": offered[0]}).hint("method", longest=40)
    return ""


def _card(charge: Fields) -> Fields:
    return charge.inner("payment_method_details").inner("card")


def _clues(paid: Fields, charge: Fields) -> tuple[Clue, ...]:
    found = {
        "stripe_customer": _id_of(paid, "customer"),
        "email": paid.hint("receipt_email", longest=LONGEST_CLUE),
        "stripe_card": _card(charge).hint("fingerprint"),
    }
    return clues_in(found)


def _tag(paid: Fields, name: str, *, longest: int = LONGEST_TEXT) -> str:
    """What the merchant wrote into the payment's metadata under `name`."""
    return paid.inner("metadata").hint(name, longest=longest)


PROVIDER = Provider(
    code="stripe",
    label=_("Stripe"),
    secret_label=_("Signing secret of the endpoint"),
    secret_help=_(
        "Begins with whsec_. In Stripe, let the endpoint listen to payment_intent.succeeded, "
        "charge.refunded, refund.created, refund.updated, refund.failed, "
        "charge.dispute.funds_withdrawn and charge.dispute.funds_reinstated."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={
        "stripe_customer": _("Stripe customer"),
        "stripe_card": _("card (Stripe fingerprint)"),
    },
)
