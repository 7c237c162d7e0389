"""What members hold, and why, in words of the active language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from kit.money import Money
from loyalty.models import CouponType, RuleVersion
from loyalty.rules.earning import APPLIED
from loyalty.selectors import LedgerRow
from payments.models import Transaction


def benefit(kind: CouponType) -> str:
    """What the coupon gives, in a few words for its face."""
    if kind.benefit == CouponType.Benefit.AMOUNT:
        return _("%(amount)s off") % {"amount": _money(Money(kind.value, kind.currency))}
    if kind.benefit == CouponType.Benefit.PERCENT:
        return _("%(percent)s%% off") % {"percent": f"{kind.value.normalize():f}"}
    return _("Gift")


def conditions(kind: CouponType) -> list[str]:
    """What has to be true at the till, one phrase each; empty if anything goes."""
    phrases = []
    if kind.minimum_spend:
        spend = _money(Money(kind.minimum_spend, kind.currency))
        phrases.append(_("From %(amount)s") % {"amount": spend})
    if kind.benefit == CouponType.Benefit.PERCENT and kind.most_off is not None:
        most = _money(Money(kind.most_off, kind.currency))
        phrases.append(_("At most %(amount)s off") % {"amount": most})
    if kind.category:
        phrases.append(_("Only for %(category)s") % {"category": kind.category})
    stores = list(kind.stores.all())
    if stores:
        names = _(", ").join(str(store) for store in stores)
        phrases.append(_("Only at %(stores)s") % {"stores": names})
    return phrases


def title(row: LedgerRow) -> str:
    """What happened: the payment behind a row, or what befell the points themselves."""
    paid = row.transfer.award.transaction if row.transfer.award else None
    if paid is None:
        return _capital(row.transfer.reason or row.transfer.get_kind_display())
    named = {"kind": _capital(paid.get_kind_display()), "amount": _money(paid.money)}
    if paid.store is None:
        return _("%(kind)s of %(amount)s") % named
    return _("%(kind)s of %(amount)s at %(store)s") % (named | {"store": paid.store})


def reasons(row: LedgerRow, versions: Mapping[str, RuleVersion]) -> list[str]:
    """What each rule gave. What gave nothing is left out: the admin shows that."""
    award = row.transfer.award
    if award is None:
        return []
    given = [reason for reason in award.why if reason["outcome"] == APPLIED and reason["points"]]
    if award.transaction.kind == Transaction.Kind.PAYMENT:
        return [_reason(reason, versions) for reason in given]
    left = sum(reason["points"] for reason in given)
    phrases = [_left(left)] if left > 0 else []
    return [*phrases, _forgiven(award.forgiven)] if award.forgiven > 0 else phrases


def _left(points: int) -> str:
    """A refund's award judges the payment anew, by what is left of it."""
    return ngettext(
        "What is left of the payment earns %(points)s point",
        "What is left of the payment earns %(points)s points",
        points,
    ) % {"points": f"{points:,}"}


def _forgiven(points: int) -> str:
    """Why a refund took less than the payment had earned."""
    return ngettext(
        "%(points)s point more had lapsed already and was not taken back",
        "%(points)s points more had lapsed already and were not taken back",
        points,
    ) % {"points": f"{points:,}"}


def _reason(reason: Mapping[str, Any], versions: Mapping[str, RuleVersion]) -> str:
    named = {"points": f"{reason['points']:+,}".replace("-", "\N{MINUS SIGN}")}
    if reason.get("reason") == "tier":
        return _("Your tier: %(points)s") % named
    named |= {"rule": name_then(versions[reason["rule"]].content)}
    if reason.get("reason") == "cap":
        named |= {"wanted": f"{reason['wanted']:,}"}
        return _("%(rule)s: %(points)s (of %(wanted)s, the rest is above the daily limit)") % named
    return _("%(rule)s: %(points)s") % named


def name_then(content: Mapping[str, Any]) -> str:
    """The name that the rule had then, in the active language where it had one."""
    language = (get_language() or "en").replace("-", "_")
    return str(content.get(f"name_{language}") or content["name"])


def _money(amount: Money) -> str:
    return amount.display(get_language() or "en")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
