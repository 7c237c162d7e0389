"""What happened to a member, in words: the details of events, and what campaigns said to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from campaigns.models import Decision
from campaigns.why import answers_to
from kit.admin import display, once
from kit.money import Money
from loyalty.models import Tier
from members.admin.members import EventAdmin
from members.models import Consent, Event
from payments.wording import waiting_in_words


def lines_of(events: Sequence[Event], request: HttpRequest) -> list[list[str]]:
    """For each event its details, then the campaigns' answers; a fixed number of queries."""
    tiers = _tiers() if any(row.kind == Event.Kind.TIER_CHANGED for row in events) else {}
    answers: Mapping[Any, list[str]] = {}
    if admin.site._registry[Decision].has_view_permission(request):
        answers = answers_to([row.pk for row in events])
    return [
        [*filter(None, [details_in_words(row, tiers)]), *answers.get(row.pk, [])] for row in events
    ]


def as_lines(lines: Iterable[str]) -> str:
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


def details_in_words(event: Event, tiers: Mapping[str, str]) -> str:
    """Nothing for an event that says all by its kind."""
    if event.kind == Event.Kind.TIER_CHANGED:
        return _tier(event.details, tiers)
    say = _WORDS.get(event.kind)
    return say(event.details) if say and event.details else ""


def _tiers() -> dict[str, str]:
    return {tier.code: str(tier) for tier in Tier.objects.all()}


def _tier(details: Mapping[str, Any], tiers: Mapping[str, str]) -> str:
    before, after = details.get("before"), details.get("after")
    return " → ".join(tiers.get(code, code) for code in (before, after) if code)


def _paid(details: Mapping[str, Any]) -> str:
    money = Money(Decimal(details["amount"]), details["currency"])
    points = details["points"]
    words = ngettext("%(amount)s, %(points)s point", "%(amount)s, %(points)s points", points)
    return words % {"amount": money.display(get_language() or "en"), "points": _signed(points)}


def _lapsed(details: Mapping[str, Any]) -> str:
    points = details["points"]
    words = ngettext("%(points)s point lapsed", "%(points)s points lapsed", points)
    return words % {"points": number_format(points, use_l10n=True, force_grouping=True)}


def _adjusted(details: Mapping[str, Any]) -> str:
    return _("%(points)s: %(reason)s") % {
        "points": _signed(details["points"]),
        "reason": details["reason"],
    }


def _coupon(details: Mapping[str, Any]) -> str:
    if "refund" in details:
        words = _("%(coupon)s: its purchase was refunded in full.")
    elif "reversal" in details:
        words = _("%(coupon)s: the refund that had given it back failed.")
    else:
        words = "%(coupon)s"
    return words % {"coupon": details["coupon"]}


def _consent(details: Mapping[str, Any]) -> str:
    sources: Mapping[str, Any] = dict(Consent.Source.choices)
    word = _("yes") if details["granted"] else _("no")
    return f"{word} ({sources.get(details['source'], details['source'])})"


def _linked(details: Mapping[str, Any]) -> str:
    count = details["transactions"]
    words = ngettext("%(count)d transaction linked", "%(count)d transactions linked", count)
    return words % {"count": count}


def _merged(details: Mapping[str, Any]) -> str:
    return str(details["member"])


def _silent(details: Mapping[str, Any]) -> str:
    days = details["days"]
    words = ngettext("no purchase for %(days)d day", "no purchase for %(days)d days", days)
    return words % {"days": days}


def _signed(points: int) -> str:
    shown = number_format(abs(points), use_l10n=True, force_grouping=True)
    return f"+{shown}" if points >= 0 else f"\N{MINUS SIGN}{shown}"


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    Event.Kind.PAID: _paid,
    Event.Kind.REFUNDED: _paid,
    Event.Kind.POINTS_EXPIRED: _lapsed,
    Event.Kind.POINTS_ADJUSTED: _adjusted,
    Event.Kind.COUPON_ISSUED: _coupon,
    Event.Kind.COUPON_REDEEMED: _coupon,
    Event.Kind.COUPON_RETURNED: _coupon,
    Event.Kind.SILENT: _silent,
    Event.Kind.CONSENT: _consent,
    Event.Kind.LINKED: _linked,
    Event.Kind.MERGED: _merged,
    Event.Kind.UNMERGED: _merged,
}


@admin.register(Event)
class EventDesk(EventAdmin):
    fields = [
        *("member", "kind", "in_words", "answers", *EventAdmin.fields[2:]),
        *("waits_for", "shown_error"),
    ]
    readonly_fields = ["in_words", "answers", "waits_for", "shown_error"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What campaigns said, for whoever may see their decisions."""
        may_see = admin.site._registry[Decision].has_view_permission(request)
        return [name for name in self.fields if name != "answers" or may_see]

    @display(description=gettext_lazy("in words"))
    def in_words(self, event: Event) -> str:
        return once(event, "words", lambda: details_in_words(event, _tiers())) or "–"

    @display(description=gettext_lazy("waiting for"))
    def waits_for(self, event: Event) -> str:
        return waiting_in_words(event.waiting_for) or "–"

    @display(description=gettext_lazy("what campaigns said"))
    def answers(self, event: Event) -> str:
        lines = once(event, "answers", lambda: answers_to([event.pk]).get(event.pk, []))
        return as_lines(lines) or "–"
