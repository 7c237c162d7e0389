"""Why a coupon is not given or not taken: a code for machines, a sentence for the person at the
till that says what to do."""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class CouponRefused(Exception):
    """A coupon that does not count here and now; nothing was changed. `str()` is the sentence."""

    reason = "coupon_refused"
    sentence: Promise | str = ""

    def __init__(self, **facts: object) -> None:
        super().__init__(facts)
        self.facts = facts

    def __str__(self) -> str:
        return str(self.sentence) % self.facts


class CouponUnknown(CouponRefused):
    reason = "coupon_unknown"
    sentence = _("There is no coupon with this code. Scan it again or ask the member to show it.")


class CodeMistyped(CouponUnknown):
    reason = "coupon_code_mistyped"
    sentence = _("The code has a typing error. Compare it letter by letter and type it again.")


class Cancelled(CouponRefused):
    reason = "coupon_cancelled"
    sentence = _("This coupon was cancelled. It cannot be used any more.")


class NotYetValid(CouponRefused):
    reason = "coupon_not_yet_valid"
    sentence = _("This coupon can be used from %(day)s. Ask the member to come back then.")


class Expired(CouponRefused):
    reason = "coupon_expired"
    sentence = _("This coupon could be used until %(day)s. Look whether the member has another.")


class AlreadyUsed(CouponRefused):
    reason = "coupon_already_used"
    sentence = _(
        "This coupon was used on %(day)s. If that sale was cancelled, take that use back first."
    )


class WrongStore(CouponRefused):
    reason = "coupon_wrong_store"
    sentence = _("This coupon can be used only at: %(stores)s.")


class BillNeeded(CouponRefused):
    reason = "coupon_needs_bill"
    sentence = _("Enter the amount of the bill: this coupon depends on it.")


class WrongCurrency(CouponRefused):
    reason = "coupon_wrong_currency"
    sentence = _("This coupon counts in %(currency)s. Use it on a bill in %(currency)s.")


class BelowMinimum(CouponRefused):
    reason = "coupon_below_minimum"
    sentence = _(
        "This coupon needs a bill of at least %(minimum)s. Add %(missing)s, or keep it for later."
    )


class NotForCategory(CouponRefused):
    reason = "coupon_not_for_category"
    sentence = _("Nothing on the bill belongs to “%(category)s”. Add such an article first.")


class UseUnknown(CouponRefused):
    reason = "coupon_use_unknown"
    sentence = _("There is no such use of a coupon. Check its number.")


class UseAlreadyReturned(CouponRefused):
    reason = "coupon_use_already_returned"
    sentence = _("This use was taken back already. Nothing more is to be done.")


class IssueReason(StrEnum):
    """Why a coupon was not issued."""

    NOT_ENABLED = "coupon_type_not_enabled"
    ENDED = "coupon_type_ended"
    TOTAL_LIMIT = "coupon_total_limit"
    MEMBER_LIMIT = "coupon_member_limit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A coupon that a member did not get."""

    reason: IssueReason
