"""Why a campaign said no to a member, and why a message was not sent. `campaigns.wording` has the
sentences; a coupon that was refused brings its own reason."""

from enum import StrEnum
from typing import Final


class Decline(StrEnum):
    """Why a campaign said no."""

    INCOMPLETE = "incomplete"
    TOO_OLD = "too_old"
    BEFORE_START = "before_start"
    SOURCE_IS_SILENT = "source_is_silent"
    NOT_UPWARD = "not_upward"
    OTHER_TIER = "other_tier"
    BELOW_AMOUNT = "below_amount"
    NO_RATE = "no_rate"
    REFUNDED = "refunded"
    BOUGHT_MEANWHILE = "bought_meanwhile"
    CONDITION = "condition"
    DAILY_CAP = "daily_cap"


class Withheld(StrEnum):
    """Why a message was not sent."""

    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    NO_TEXT = "no_text"
    RENDER_ERROR = "render_error"
    COUPON_EXPIRED = "coupon_expired"
    COUPON_CANCELLED = "coupon_cancelled"
    REFUNDED = "refunded"
    BOUGHT_MEANWHILE = "bought_meanwhile"
    SAID_ALREADY = "said_already"


# What was offered is not due any more, so its coupon goes as well. Where a message only could not
# go out (no consent, no address, no text), the coupon stays: the member's page, the till and other
# systems know of it, and the member earned it.
OFFER_IS_OFF: Final = frozenset(
    {Withheld.REFUNDED, Withheld.BOUGHT_MEANWHILE, Withheld.SAID_ALREADY}
)


class Failure(StrEnum):
    """Why a message that was handed over did not go out, or perhaps did not."""

    ADDRESS_REFUSED = "address_refused"
    CONTENT_REFUSED = "content_refused"
    GAVE_UP = "gave_up"
    TEMPORARY = "temporary"
    IN_DOUBT = "in_doubt"
