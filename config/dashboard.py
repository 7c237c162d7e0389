"""The first page: what happened in the last 30 days, for whoever may see it, in their scope."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from campaigns.models import Message
from config import figures
from config.figures import Window
from config.stuck import stuck_count
from kit.money import Money
from loyalty.models import Transfer
from members.models import Member, Programme
from payments.models import Account, Callback, RejectionCount, Transaction

CACHED_SECONDS: Final = 60


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Each part is there if its model may be seen; figures are at most a minute old."""
    now = timezone.now()
    programme = Programme.current()
    window = Window.until(now, programme.zone)
    parts: list[tuple[type[Model], str, Callable[[], Any]]] = [
        (Callback, "road", lambda: _road(request, now)),
        (Transaction, "sales", lambda: _sales(request, window, programme.currency)),
        (Transfer, "points", lambda: _points(request, window)),
        (Member, "members", lambda: _members(request, window)),
        (Message, "messages_by_state", lambda: _messages(request, window)),
    ]
    context["stuck"] = stuck_count(request)
    context["stuck_url"] = reverse("admin:stuck")
    for model, name, read in parts:
        if _may_see(request, model):
            context[name] = _shown(name, _kept(request, name, read), window)
    context["cards"] = _cards(context)
    return context


def _kept(request: HttpRequest, name: str, read: Callable[[], Any]) -> Any:
    key = f"dashboard:{name}:{request.user.pk}"
    found = cache.get(key)
    if found is None:
        found = read()
        cache.set(key, found, CACHED_SECONDS)
    return found


# Reading: numbers only, so that one cached figure serves every language.


def _road(request: HttpRequest, now: datetime) -> figures.Road:
    callbacks = _rows(request, Callback)
    refusals = RejectionCount.objects.filter(account__in=_accounts(request))
    return figures.road_figures(callbacks, refusals, _rows(request, Transaction), now=now)


def _sales(request: HttpRequest, window: Window, currency: str) -> figures.Sales:
    return figures.sales_figures(_rows(request, Transaction), window=window, currency=currency)


def _points(request: HttpRequest, window: Window) -> dict[str, list[int]]:
    return figures.daily_sums(
        _rows(request, Transfer), at="booked_at", kind="kind", sums="points", window=window
    )


def _members(request: HttpRequest, window: Window) -> list[int]:
    return figures.daily_counts(_rows(request, Member), at="joined_at", window=window)


def _messages(request: HttpRequest, window: Window) -> dict[str, int]:
    return figures.counts_by(_rows(request, Message), at="queued_at", kind="state", window=window)


# Showing: the same figures as charts, tables and cards, in words.


def _shown(name: str, found: Any, window: Window) -> dict[str, Any]:
    shows: dict[str, Callable[[Any, Window], dict[str, Any]]] = {
        "road": _show_road,
        "sales": _show_sales,
        "points": _show_points,
        "members": _show_members,
        "messages_by_state": _show_messages,
    }
    return shows[name](found, window)


def _show_road(road: figures.Road, _window: Window) -> dict[str, Any]:
    lag = round(road.lag.total_seconds())
    rows = [
        (_("Received in 24 hours"), _count(road.received)),
        (_("Refused in 24 hours"), _count(road.refused)),
        (_("On their way"), _count(road.due)),
        (_("Waiting"), _count(road.waiting)),
        (_("Oldest on its way"), _("%(seconds)s s") % {"seconds": _count(lag)}),
    ]
    return {"figures": road, "lag": lag, "table": {"rows": rows}}


def _show_sales(sales: figures.Sales, window: Window) -> dict[str, Any]:
    total = Money(sales.total, sales.currency)
    rows = [(money.currency, _money(money), _count(count)) for money, count in sales.by_currency]
    return {
        "total": _money(total),
        "payments": _count(sales.payments),
        "unrated": ", ".join(sales.unrated),
        "chart": _chart(window, [(sales.currency, sales.by_day, 600)]),
        "table": {"headers": [_("currency"), _("amount"), _("payments")], "rows": rows},
        "currency": sales.currency,
    }


def _show_points(by_kind: dict[str, list[int]], window: Window) -> dict[str, Any]:
    labels = dict(Transfer.Kind.choices)
    shades = {"earn": 600, "take_back": 300, "expire": 400, "spend": 800}
    ordered = [kind for kind in Transfer.Kind.values if kind in by_kind]
    gives = {Transfer.Kind.EARN, Transfer.Kind.GIVE_BACK, Transfer.Kind.ADJUST}
    series = [
        (str(labels[kind]), _signed(by_kind[kind], kind in gives), shades.get(kind, 500))
        for kind in ordered
    ]
    rows = [(str(labels[kind]), _count(sum(by_kind[kind]))) for kind in ordered]
    earned = sum(by_kind.get(Transfer.Kind.EARN, []))
    return {
        "earned": _count(earned),
        "chart": _chart(window, series),
        "table": {"headers": [_("movement"), _("points")], "rows": rows},
    }


def _show_members(by_day: list[int], window: Window) -> dict[str, Any]:
    weeks = [(window.days[n], sum(by_day[n : n + 7])) for n in range(2, len(by_day), 7)]
    rows = [(date_format(day, "SHORT_DATE_FORMAT"), _count(n)) for day, n in weeks]
    return {
        "total": _count(sum(by_day)),
        "chart": _chart(window, [(_("new members"), by_day, 600)]),
        "table": {"headers": [_("week from"), _("new members")], "rows": rows},
    }


def _show_messages(by_state: dict[str, int], _window: Window) -> dict[str, Any]:
    labels = dict(Message.State.choices)
    ordered = [state for state in Message.State.values if state in by_state]
    rows = [(str(labels[state]), _count(by_state[state])) for state in ordered]
    data = {
        "labels": [str(labels[state]) for state in ordered],
        "datasets": [
            {
                "data": [by_state[state] for state in ordered],
                "backgroundColor": "var(--color-primary-600)",
            }
        ],
    }
    return {
        "sent": _count(by_state.get(Message.State.SENT, 0)),
        "chart": json.dumps(data),
        "table": {"headers": [_("state"), _("messages")], "rows": rows},
    }


def _cards(context: dict[str, Any]) -> list[dict[str, Any]]:
    cards = []
    if "sales" in context:
        cards.append(_card(_("Payments, 30 days"), context["sales"]["total"],
                           _("%(count)s payments") % {"count": context["sales"]["payments"]},
                           "payments_transaction"))  # fmt: skip
    if "points" in context:
        cards.append(_card(_("Points earned, 30 days"), context["points"]["earned"], "",
                           "loyalty_transfer"))  # fmt: skip
    if "members" in context:
        cards.append(_card(_("New members, 30 days"), context["members"]["total"], "",
                           "members_member"))  # fmt: skip
    if "messages_by_state" in context:
        cards.append(_card(_("Messages sent, 30 days"), context["messages_by_state"]["sent"], "",
                           "campaigns_message"))  # fmt: skip
    if "road" in context:
        lag = _("%(seconds)s s") % {"seconds": _count(context["road"]["lag"])}
        cards.append(_card(_("From payment to points"), lag, _("oldest on its way"),
                           "payments_callback"))  # fmt: skip
    return cards


def _card(title: str, figure: str, note: str, list_name: str) -> dict[str, Any]:
    return {
        "title": title,
        "figure": figure,
        "note": note,
        "url": reverse(f"admin:{list_name}_changelist"),
    }


def _chart(window: Window, series: Sequence[tuple[str, Sequence[Any], int]]) -> str:
    return json.dumps(
        {
            "labels": [date_format(day, "n/j") for day in window.days],
            "datasets": [
                {
                    "label": label,
                    "data": [float(value) for value in values],
                    "backgroundColor": f"var(--color-primary-{shade})",
                }
                for label, values, shade in series
            ],
        }
    )


def _signed(values: Sequence[int], is_gain: bool) -> list[int]:  # noqa: FBT001
    return list(values) if is_gain else [-value for value in values]


def _count(number: int) -> str:
    return number_format(number, use_l10n=True, force_grouping=True)


def _money(money: Money) -> str:
    return money.display(get_language() or "en")


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    desk = admin.site._registry.get(model)
    return desk is not None and desk.has_view_permission(request)


def _rows(request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    return admin.site._registry[model].get_queryset(request).select_related(None)


def _accounts(request: HttpRequest) -> QuerySet[Any]:
    return _rows(request, Account)
