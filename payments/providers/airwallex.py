"""Airwallex: webhooks of online payments.

Sources: airwallex.com/docs (developer tools: webhooks, payload examples; payments: refunds,
disputes). Amounts are JSON numbers in major units, read as Decimal; times may have an offset
without a colon.

Events come unordered and more than once. A refund counts from the moment that it is accepted; one
that fails later, and a dispute that is won, are told together with what had been taken, so each
notice balances by itself and every order of arrival ends in the same sum.
"""

import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.signatures import UnusableSecret, is_same
from kit.untrusted import (
    LONGEST_CLUE,
    LONGEST_TEXT,
    Fields,
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
    SettingField,
    Verified,
    addressee_problem,
    age_problem,
    answering,
    clues_in,
    malformed_if_unreadable,
    refused_if_unreadable,
)

_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}", re.ASCII)
_BARE_OFFSET: Final = re.compile(r"([+-][0-9]{2})([0-9]{2})", re.ASCII)
_KEY: Final = re.compile(r"[\x21-\x7e]{16,200}", re.ASCII)

# Stages of a dispute at which the money is gone already while it is open.
_MONEY_IS_GONE: Final = ("CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
_SECOND_ROUND: Final = ("PRE_ARBITRATION", "ARBITRATION")


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether a secret of the account signed stamp and bytes within 300 s, before or after."""
    stamp = request.headers.get("x-timestamp", "")
    given = request.headers.get("x-signature", "")
    if not (stamp and given):
        return Rejected(Reason.MISSING_SIGNATURE)
    if not _MILLISECONDS.fullmatch(stamp):
        return Rejected(Reason.MALFORMED, "x-timestamp")
    usable = [secret.strip().encode() for secret in keys.secrets if secret.strip()]
    if not usable:
        return Rejected(Reason.NO_SECRET)
    content = stamp.encode() + request.body
    if not any(is_same(hmac.digest(key, content, "sha256").hex(), given) for key in usable):
        return Rejected(Reason.BAD_SIGNATURE)
    age = int(now.timestamp()) - int(stamp) // 1000
    return age_problem(age) or _verified(request, keys)


def _verified(request: Inbound, keys: Keys) -> Verified | Rejected:
    event = Fields(json_object(request.body))
    named = event.hint("account_id") or event.hint("accountId")
    problem = addressee_problem(keys, "account_id", named)
    return problem or Verified(delivery_key=event.text("id"))


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The effects of one event; raises MalformedPayload."""
    event = Fields(json_object(request.body))
    family, _point, change = event.text("name").partition(".")
    reader = _READERS.get(family)
    if reader is None:
        return Ignored("unused_event")
    return reader(event.inner("data").inner("object"), change)


# 200 and no other 2xx.
acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it may be a webhook's secret."""
    if not _KEY.fullmatch(secret.strip()):
        raise UnusableSecret(
            _("Paste the secret of the webhook, at least 16 characters without blanks.")
        )


def _payment_intent(intent: Fields, change: str) -> list[Notice] | Ignored:
    if change != "succeeded":
        return Ignored("closed_unpaid" if change == "cancelled" else "not_paid_yet")
    ref = intent.text("id")
    captured = intent.values.get("captured_amount") or 0
    attempt = intent.inner("latest_payment_attempt").inner("payment_method")
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(intent, "captured_amount" if captured else "amount"),
            occurred_at=_instant(intent, "updated_at", "created_at"),
            order_ref=intent.hint("merchant_order_id"),
            member_code=_tag(intent, "member_id", longest=40),
            store_code=_tag(intent, "store", longest=20),
            method=attempt.hint("type", longest=40),
            clues=_clues(intent, attempt),
            payer_country=attempt.inner("card").country("issuer_country_code"),
        )
    ]


def _refund(refund: Fields, change: str) -> list[Notice] | Ignored:
    if change in ("accepted", "settled"):
        return [_taken(refund, Kind.REFUND)]
    if change == "failed":
        return [_taken(refund, Kind.REFUND), _taken(refund, Kind.REVERSAL)]
    return Ignored("refund_not_under_way")


def _dispute(dispute: Fields, change: str) -> list[Notice] | Ignored:
    stage = dispute.text("stage").upper()
    first = [_taken(dispute, Kind.CHARGEBACK)]
    won = [*first, _taken(dispute, Kind.REVERSAL)]
    if change in ("won", "reversed"):
        return won
    is_lost = change in ("lost", "accepted") and stage != "RFI"
    if is_lost and stage in _SECOND_ROUND:
        # It comes after a first round that was won, so that is told as well.
        return [*won, _taken(dispute, Kind.CHARGEBACK, part=":second")]
    if is_lost or stage in _MONEY_IS_GONE:
        return first
    return Ignored("dispute_without_money")


_READERS: Final[dict[str, Callable[[Fields, str], list[Notice] | Ignored]]] = {
    "payment_intent": _payment_intent,
    "refund": _refund,
    "payment_dispute": _dispute,
}


def _taken(told: Fields, kind: Kind, *, part: str = "") -> Notice:
    names = ("updated_at", "created_at") if kind is Kind.REVERSAL else ("created_at",)
    return Notice(
        kind=kind,
        payment_ref=told.text("payment_intent_id"),
        effect_ref=clean_text(told.text("id") + part, "id"),
        amount=_amount(told, "amount"),
        occurred_at=_instant(told, *names),
    )


def _amount(fields: Fields, name: str) -> Money:
    """A JSON number in major units."""
    return positive(
        Money.parse(fields.number(name), fields.text("currency")), f"{fields.path}{name}"
    )


def _instant(fields: Fields, *names: str) -> datetime:
    """The first of `names` that is there."""
    name = next((name for name in names if fields.has(name)), names[-1])
    text = fields.text(name)
    if _BARE_OFFSET.fullmatch(text[-5:]):
        text = f"{text[:-2]}:{text[-2:]}"
    return Fields({name: text}, fields.path).instant(name)


def _clues(intent: Fields, attempt: Fields) -> tuple[Clue, ...]:
    customer = intent.inner("customer")
    found = {
        "airwallex_customer": intent.hint("customer_id") or customer.hint("id"),
        "email": customer.hint("email", longest=LONGEST_CLUE),
        "airwallex_card": attempt.inner("card").hint("fingerprint"),
    }
    return clues_in(found)


def _tag(intent: Fields, name: str, *, longest: int = LONGEST_TEXT) -> str:
    """What the merchant wrote into the payment's metadata under `name`."""
    return intent.inner("metadata").hint(name, longest=longest)


PROVIDER = Provider(
    code="airwallex",
    label=_("Airwallex"),
    secret_label=_("Secret of the webhook"),
    secret_help=_(
        "Shown beside the webhook in Airwallex. Let it listen to payment_intent.succeeded, "
        "refund.accepted, refund.settled, refund.failed and all of payment_dispute."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    clue_kinds={
        "airwallex_customer": _("Airwallex customer"),
        "airwallex_card": _("card (Airwallex fingerprint)"),
    },
    settings=(
        SettingField("account_id", _("Account ID"), _("Notices for other accounts are refused.")),
    ),
)
