"""The cards of the first page: a figure, its change, and the list behind it."""

from collections.abc import Callable
from datetime import datetime, time
from typing import Any, Final
from urllib.parse import urlencode

from babel import Locale
from babel.numbers import format_currency
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from config.figures import Window
from kit.money import Money

Card = dict[str, Any]
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_FEW: Final = 10


def cards(parts: dict[str, Any], window: Window) -> list[Card]:
    """One for each part of the dashboard that its viewer may see."""
    shows: dict[str, Callable[[Any, Window], Card]] = {
        "sales": _sales,
        "points": _points,
        "members": _members,
        "messages_by_state": _messages,
        "road": _road,
    }
    return [show(parts[name], window) for name, show in shows.items() if name in parts]


def _sales(part: Any, window: Window) -> Card:
    return {
        "title": _("Payments, 30 days"),
        "figure": _whole(part["total"]),
        "note": _payments(part),
        "change": _change(part["total"].amount, part["total_before"]),
        "url": _list("payments_transaction", _since("occurred_at", window), kind__exact="payment"),
    }


def _payments(part: Any) -> str:
    """How many, and how many of them say what was bought: much of marketing rests on those."""
    if part["with_lines"] is None:
        return _("%(count)s payments") % {"count": part["payments"]}
    return _("%(count)s payments, %(share)s %% with lines") % {
        "count": part["payments"],
        "share": part["with_lines"],
    }


def _points(part: Any, window: Window) -> Card:
    return {
        "title": _("Points earned, 30 days"),
        "figure": counted(part["earned"]),
        "change": _change(part["earned"], part["earned_before"]),
        "url": _list("loyalty_transfer", _since("booked_at", window), kind__exact="earn"),
    }


def _members(part: Any, window: Window) -> Card:
    return {
        "title": _("New members, 30 days"),
        "figure": counted(part["total"]),
        "change": _change(part["total"], part["total_before"]),
        "url": _list("members_member", _since("joined_at", window)),
    }


def _messages(part: Any, window: Window) -> Card:
    return {
        "title": _("Messages sent, 30 days"),
        "figure": counted(part["sent"]),
        "change": _change(part["sent"], part["sent_before"]),
        "url": _list("campaigns_message", _since("queued_at", window), state__exact="sent"),
    }


def _road(part: Any, _window: Window) -> Card:
    return {
        "title": _("From payment to points"),
        "figure": lasting(part["lag"]),
        "note": _("oldest on its way"),
        "url": _list("payments_callback", {"work": "due"}),
    }


def _change(now: Any, before: Any) -> dict[str, Any] | None:
    """None where there is nothing to compare with."""
    if not before or before < 0:
        return None
    percent = round((now - before) * 100 / before)
    return {
        "words": f"{'▲' if percent >= 0 else '▼'} {counted(abs(percent))} %",
        "is_loss": percent < 0,
    }


def _whole(money: Money) -> str:
    """In whole units: cents tell nothing in a sum of a month."""
    locale = Locale.parse((get_language() or "en").replace("-", "_"))
    pattern = locale.currency_formats["standard"].pattern.replace(".00", "")
    return format_currency(
        round(money.amount), money.currency, pattern, locale=locale, currency_digits=False
    )


def _since(instant: str, window: Window) -> dict[str, str]:
    """The filter of lists for the window's first moment, as their forms write it."""
    first = localtime(datetime.combine(window.days[0], time.min, tzinfo=window.zone))
    return {f"{instant}_from_0": f"{first:%Y-%m-%d}", f"{instant}_from_1": f"{first:%H:%M:%S}"}


def _list(name: str, asked: dict[str, str], **also: str) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(asked | also)}"


def lasting(seconds: float) -> str:
    """`2.4 s`, `30 min`, `5 h`, `3 d`: no finer than anybody cares for."""
    if round(seconds) < _MINUTE:
        return _("%(seconds)s s") % {"seconds": number_format(_short(seconds))}
    if round(seconds / _MINUTE) < _MINUTE:
        return _("%(minutes)s min") % {"minutes": counted(round(seconds / _MINUTE))}
    if seconds < 2 * _DAY:
        return _("%(hours)s h") % {"hours": number_format(_short(seconds / _HOUR))}
    return _("%(days)s d") % {"days": counted(round(seconds / _DAY))}


def _short(number: float) -> float:
    """One decimal below ten, if it says anything."""
    shown = round(number, 1 if number < _FEW else None)
    return int(shown) if shown == int(shown) else shown


def counted(number: int) -> str:
    return number_format(number, use_l10n=True, force_grouping=True)
