"""A post that is being tried, in words: its verdict, and each effect that it tells of."""

from typing import Final

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from kit.wording import said_in_words
from payments.providers.base import Hint, Ignored, Kind, MalformedPayload, Notice, Rejected
from payments.services.tryout import Tried
from payments.wording import outcome_in_words, refusal_in_words

Row = tuple[str, str]

_KINDS: Final = {
    Kind.PAYMENT: gettext_lazy("Payment"),
    Kind.REFUND: gettext_lazy("Refund"),
    Kind.CHARGEBACK: gettext_lazy("Chargeback"),
    Kind.REVERSAL: gettext_lazy("Reversal: the money is back"),
}


def verdict_in_words(tried: Tried) -> str:
    verdict = tried.verdict
    if isinstance(verdict, Hint):
        return _(
            "It is a hint at payment %(reference)s, which proves nothing: the platform would be "
            "asked."
        ) % {"reference": verdict.reference}
    if isinstance(verdict, Rejected):
        return refusal_in_words(verdict.reason, verdict.detail)
    if tried.is_late:
        return _("The signature is right. Its time stamp is old by now, as it must be here.")
    return _("The signature is right.")


def reading_in_words(tried: Tried) -> list[tuple[str, list[Row]]]:
    """Each effect with its rows, or one line that says why there is none."""
    if isinstance(tried.verdict, Hint):
        return []
    if isinstance(tried.reading, MalformedPayload):
        problem = said_in_words(str(tried.reading))
        return [(_("It cannot be read: %(problem)s") % {"problem": problem}, [])]
    if isinstance(tried.reading, Ignored):
        return [(outcome_in_words(f"ignored:{tried.reading.reason}"), [])]
    return [(str(_KINDS[notice.kind]), _rows(notice)) for notice in tried.reading]


def _rows(notice: Notice) -> list[Row]:
    told = [
        (_("Amount"), notice.amount.display(get_language() or "en")),
        (_("Time"), date_format(localtime(notice.occurred_at), "DATETIME_FORMAT")),
        (_("Payment number"), notice.payment_ref),
        (_("Number of the effect"), notice.effect_ref if notice.kind != Kind.PAYMENT else ""),
        (_("Order number"), notice.order_ref),
        (_("Member number"), notice.member_code),
        (_("Signs of the payer"), ", ".join(f"{c.kind}: {c.value}" for c in notice.clues)),
        (_("Store"), notice.store_code),
        (_("Payment method"), notice.method),
        (_("Lines"), ", ".join(f"{line.quantity:f} × {line.sku}" for line in notice.lines)),
    ]
    if notice.is_total:
        told.insert(1, (_("Meaning"), _("All refunds of the payment so far")))
    return [(label, value) for label, value in told if value]
