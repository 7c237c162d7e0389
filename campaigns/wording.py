"""Why somebody got nothing, in words of the active language."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from campaigns.rules.reasons import Decline, Failure, Withheld
from kit.money import Money
from loyalty.refusals import IssueReason

REASONS: Final[Mapping[str, Promise]] = {
    Decline.INCOMPLETE: _("The campaign was changed while it ran and is not complete any more."),
    Decline.TOO_OLD: _("It was too long ago for this campaign."),
    Decline.BEFORE_START: _("It happened before the campaign was started."),
    Decline.SOURCE_IS_SILENT: _(
        "It came from a source that sends no messages, such as a spreadsheet."
    ),
    Decline.NOT_UPWARD: _("The member did not go up to a higher tier."),
    Decline.OTHER_TIER: _("The campaign is for another tier."),
    Decline.BELOW_AMOUNT: _("The payment was below the campaign's amount."),
    Decline.NO_RATE: _(
        "The payment could not be compared: the campaign's currency has no exchange rate."
    ),
    Decline.REFUNDED: _("The payment was refunded."),
    Decline.BOUGHT_MEANWHILE: _("The member bought something in the meantime."),
    Decline.CONDITION: _("The campaign's condition is not met."),
    Decline.DAILY_CAP: _("The campaign had reached its number of members for the day."),
    IssueReason.NOT_ENABLED: _("The coupon is switched off."),
    IssueReason.ENDED: _("The coupon's period is over."),
    IssueReason.TOTAL_LIMIT: _("All coupons were given away."),
    IssueReason.MEMBER_LIMIT: _(
        "The member already had as many of these coupons as one may have."
    ),
    Withheld.NO_CONSENT: _("The member does not want offers on this channel."),
    Withheld.NO_ADDRESS: _("The member has no address on this channel."),
    Withheld.NO_TEXT: _("The campaign has no text in a language that fits."),
    Withheld.RENDER_ERROR: _("The text has a variable that is empty for this member."),
    Withheld.COUPON_EXPIRED: _("The coupon had expired."),
    Withheld.COUPON_CANCELLED: _("The coupon was cancelled."),
    Withheld.SAID_ALREADY: _("The same goes to the member into whom this one was merged."),
    Failure.ADDRESS_REFUSED: _("The mail server refused the address."),
    Failure.CONTENT_REFUSED: _("The mail server refused the message."),
    Failure.GAVE_UP: _("The mail server could not be reached for a day."),
    Failure.TEMPORARY: _("The mail server could not take it yet. It is tried again."),
    Failure.IN_DOUBT: _(
        "The connection broke while it was being sent. Ask the member, or send it again."
    ),
}


WAITS: Final[Mapping[str, Promise]] = {
    "doubt": _(
        "May have been sent: the connection broke. Find out, then send it again or confirm it."
    ),
    "campaign": _("Waits until its campaign goes on."),
}


def reason_in_words(code: str) -> str:
    """The sentence for a stored reason; the code itself if it is one that we no longer know."""
    return str(REASONS.get(code, code))


def trigger_in_words(campaign: Campaign) -> str:
    """What sets the campaign off, with its tier, amount or number of days."""
    kind = campaign.trigger
    if kind == Campaign.Trigger.TIER_REACHED and campaign.tier:
        return gettext("%(tier)s was reached") % {"tier": campaign.tier}
    if kind == Campaign.Trigger.LARGE_TICKET and campaign.amount and campaign.currency:
        money = Money(campaign.amount, campaign.currency).display(get_language() or "en")
        return gettext("one payment of %(amount)s or more") % {"amount": money}
    if kind == Campaign.Trigger.SILENCE and campaign.silent_days:
        words = ngettext(
            "no purchase for %(days)d day", "no purchase for %(days)d days", campaign.silent_days
        )
        return words % {"days": campaign.silent_days}
    return str(campaign.get_trigger_display())
