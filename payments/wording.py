"""What staff read where the machine has codes: why a row waits, why a post was refused."""

from datetime import date, timedelta
from typing import Final

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from kit.addresses import in_words as call_in_words
from kit.wording import said_in_words
from kit.work import REPAIR
from payments.models import SettlementRow, Transaction
from payments.providers.base import Kind, Reason, Trouble

_REFUSED: Final = {
    Reason.MISSING_SIGNATURE: gettext_lazy("It carries no signature."),
    Reason.BAD_SIGNATURE: gettext_lazy(
        "Its signature fits none of the account's secrets. If you changed the secret at the "
        "platform, add the new one to the account and replay."
    ),
    Reason.WEAK_SIGNATURE: gettext_lazy("It is signed in an old, unsafe way that we refuse."),
    Reason.TOO_OLD: gettext_lazy("It was signed too long ago."),
    Reason.TOO_NEW: gettext_lazy("It says that it was signed in the future. Check the clocks."),
    Reason.MALFORMED: gettext_lazy("It is not what the platform's documentation promises."),
    Reason.OTHER_MERCHANT: gettext_lazy("It is genuine, but meant for another merchant."),
    Reason.NO_SECRET: gettext_lazy(
        "The account has no secret to check it with. Add the secret to the account and replay."
    ),
    Reason.TOO_LARGE: gettext_lazy("It is too large."),
    Reason.TOO_MANY: gettext_lazy(
        "More hints came in a minute than we ask the platform about. If they are "
        "genuine, ask the platform about these payments on the account's page."
    ),
    Reason.NOT_SET_UP: gettext_lazy(
        "Its fields are not set up yet. Set them up on the account's page, with this post as the "
        "sample, then replay it."
    ),
    Reason.UNKNOWN_PAYMENT: gettext_lazy(
        "It hinted at a payment that the platform does not know as one of this account."
    ),
}

_TROUBLES: Final = {
    Trouble.UNREACHABLE: gettext_lazy("The platform could not be reached for a day. Ask again."),
    Trouble.BUSY: gettext_lazy("The platform asked us to come later, for a day. Ask again."),
    Trouble.KEY_REFUSED: gettext_lazy(
        "The platform refuses the account's key. Check the key and the environment, then ask "
        "again."
    ),
    Trouble.UNREADABLE: gettext_lazy(
        "The platform's answer is not what its documentation promises. Read the error."
    ),
    Trouble.NOT_FINAL: gettext_lazy(
        "After a day the platform still does not say whether this was paid. Look at the payment "
        "there, then ask again."
    ),
}


_AT_ONCE: Final = timedelta(seconds=1)
_INCOMING: Final = (Kind.PAYMENT.value, Kind.REVERSAL.value)
_WAITING: Final = {
    "member": gettext_lazy(
        "Waits for a member: nobody with this wallet or customer number is known yet."
    ),
    "award": gettext_lazy("Waits until the payment that it takes back has earned."),
    "campaign": gettext_lazy("Waits until its campaign, which is paused, runs again."),
    "conflict": gettext_lazy(
        "Says another amount for something that is booked already. The first one counts until "
        "staff decide."
    ),
    "twin": gettext_lazy(
        "Perhaps the same as one that was entered by hand. Staff say whether it is."
    ),
    "doubt": gettext_lazy(
        "In doubt: perhaps it was sent. Ask the member before it is sent again."
    ),
    REPAIR: gettext_lazy(
        "Needs repair: the row could not be booked. Read the error, then try again."
    ),
}

# Reasons of a provider's `Ignored`. What staff may have to do about it is said with it.
_IGNORED: Final = {
    "authorisation_released": gettext_lazy("Money that was only reserved was released again."),
    "cancelled": gettext_lazy("The payment was cancelled at once."),
    "cancelled_before_capture": gettext_lazy(
        "The payment was cancelled before it was captured. Nothing was paid."
    ),
    "capture_failed": gettext_lazy(
        "Reserved money could not be collected. Look the payment up at the platform; if the "
        "money will not come, book a refund of it here."
    ),
    "closed_unpaid": gettext_lazy("The order was closed without being paid."),
    "code_issued": gettext_lazy("A payment code was issued. Nobody has paid it yet."),
    "did_not_succeed": gettext_lazy("It did not succeed: no money moved."),
    "dispute_without_money": gettext_lazy("News of a dispute that moves no money now."),
    "no_trade_status": gettext_lazy("News that moves no money."),
    "not_captured_yet": gettext_lazy("The money is reserved, but not collected yet."),
    "not_paid_yet": gettext_lazy("It is not paid yet."),
    "nothing_charged": gettext_lazy("A card was checked or stored. Nothing was charged."),
    "picked_up_unpaid": gettext_lazy("A parcel was picked up; it was not paid there."),
    "refund_failed": gettext_lazy(
        "A refund did not succeed. Look it up at the platform: the customer has not got it."
    ),
    "refund_names_no_payment": gettext_lazy(
        "A refund that does not say of which payment. Find the payment by its order number and "
        "book the refund there."
    ),
    "refund_not_under_way": gettext_lazy("The refund has not begun yet."),
    "refund_period_over": gettext_lazy("The payment can no longer be refunded. It stays paid."),
    "refund_without_payment": gettext_lazy("Money went to a card that had paid nothing here."),
    "simulated": gettext_lazy("A simulated payment, from the platform's own test button."),
    "told_by_authorisation": gettext_lazy("Another notice tells of this payment."),
    "told_by_payment_intent": gettext_lazy("Another notice tells of this payment."),
    "told_by_payment_result": gettext_lazy("Another notice tells of this payment."),
    "told_by_refund_or_reversal": gettext_lazy("Another notice tells of this refund."),
    "unknown_status": gettext_lazy("A state that we do not know. Nothing was booked."),
    "unused_event": gettext_lazy("News that moves no money."),
}


def refusal_in_words(reason: str, detail: str = "") -> str:
    """Why a post was refused, and what mends it; with the detail that was kept, if it is given."""
    known = {code.value: words for code, words in _REFUSED.items()}
    words = str(known.get(reason, reason))
    return f"{words} ({said_in_words(detail)})" if detail else words


def error_in_words(error: str) -> str:
    """What went wrong with a row: a sentence that was kept, or a code of a call or an answer."""
    if error in _IGNORED:
        return str(_IGNORED[error])
    if error.isdecimal():
        return _("The other side answered with status %(status)s.") % {"status": error}
    return said_in_words(call_in_words(error))


def waiting_in_words(waiting_for: str) -> str:
    """What a parked row waits for: `member`, `rate:GBP:2026-11-21`, `payment:3:pi_1`, `repair`."""
    kind, _colon, rest = waiting_for.partition(":")
    if kind == "rate":
        return _waits_for_rate(rest)
    if kind == "platform":
        troubles = {code.value: words for code, words in _TROUBLES.items()}
        return str(troubles.get(rest, waiting_for))
    if kind == "payment":
        reference = rest.partition(":")[2]
        return _("Waits for its payment %(reference)s.") % {"reference": reference}
    return str(_WAITING.get(kind, waiting_for))


def _waits_for_rate(rest: str) -> str:
    currency, _colon, day = rest.partition(":")
    try:
        shown = date_format(date.fromisoformat(day), "DATE_FORMAT")
    except ValueError:
        shown = day
    return _("Waits for a rate of %(currency)s for %(day)s.") % {
        "currency": currency,
        "day": shown,
    }


def signed_amount(row: Transaction | SettlementRow) -> str:
    """What went back has a minus."""
    sign = "" if row.kind in _INCOMING else "−"
    return f"{sign}{row.money.display(get_language() or 'en')}"


def in_a_line(row: Transaction | SettlementRow) -> str:
    """By what staff know it again, where they are asked about it."""
    moment = date_format(localtime(row.occurred_at), "SHORT_DATETIME_FORMAT")
    return " · ".join([row.payment_ref, signed_amount(row), moment])


def state_of(row: Transaction) -> str:
    """Where a transaction stands; one that was made due later waits for its order's lines."""
    may_wait = row.kind == Transaction.Kind.PAYMENT and row.order_ref and not row.waiting_for
    is_later = row.due_at is not None and row.due_at > row.received_at + _AT_ONCE
    if may_wait and is_later and row.order_id is None:
        until = date_format(localtime(row.due_at), "H:i")
        return _("Waits for its order, until %(time)s at the latest.") % {"time": until}
    return state_in_words(is_done=row.is_done, waiting_for=row.waiting_for)


def state_in_words(*, is_done: bool, waiting_for: str) -> str:
    if waiting_for:
        return waiting_in_words(waiting_for)
    return _("Done") if is_done else _("Due: it will be taken within seconds.")


def outcome_in_words(outcome: str | None) -> str:
    """What became of a genuine post: `booked`, `ignored:<reason>`, `conflict` …"""
    kind, _colon, reason = (outcome or "").partition(":")
    words = {
        "": _("Not read yet"),
        "booked": _("Booked"),
        "conflict": _("Another amount than before"),
        "answered": _("The platform told of money"),
        "trouble": _("No answer yet"),
    }
    if outcome == "booked:unknown_store":
        return _(
            "Booked without a store: none had the code that the post names. Add that store, or "
            "mend the code at the till."
        )
    if kind in words:
        return words[kind]
    if kind == "ignored":
        fallback = _("Moves no money (%(reason)s)") % {"reason": reason.replace("_", " ")}
        return str(_IGNORED.get(reason, fallback))
    return outcome or ""


_FOOTINGS: Final = {
    "payments_count": gettext_lazy("number of payments"),
    "payments": gettext_lazy("payments"),
    "refunds_count": gettext_lazy("number of refunds"),
    "refunds": gettext_lazy("refunds"),
    "rows_count": gettext_lazy("number of rows"),
    "settled": gettext_lazy("amounts to be settled"),
    "fees": gettext_lazy("fees"),
    "orders": gettext_lazy("order amounts"),
    "refunds_asked": gettext_lazy("refunds as asked for"),
    "net": gettext_lazy("net of fees"),
}


def footing_in_words(what: str) -> str:
    """A sum that a settlement file states."""
    return str(_FOOTINGS.get(what, what))
