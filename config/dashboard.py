"""The first page: what happened in the last 30 days, for whoever may see it, in their scope."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Model, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from campaigns.models import Message
from config import figures
from config.cards import cards, counted, lasting
from config.figures import Window
from config.first_steps import first_steps
from config.stuck import open_alarms, stuck_count
from kit.money import Money
from loyalty.models import Transfer
from members.models import Member, Programme
from payments.models import Account, Callback, RejectionCount, Transaction
from payments.selectors import share_with_lines

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
    context["alarms"] = open_alarms(request)
    for model, name, read in parts:
        if _may_see(request, model):
            context[name] = _shown(name, _kept(request, name, read), window)
    context["cards"] = cards(context, window)
    context["steps"] = first_steps(request)
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
    stuck = stuck_count(request)
    transactions = _rows(request, Transaction)
    return figures.road_figures(callbacks, refusals, transactions, stuck=stuck, now=now)


def _sales(
    request: HttpRequest, window: Window, currency: str
) -> tuple[figures.Sales, figures.Sales, int | None]:
    rows = _rows(request, Transaction)
    now, before = (
        figures.sales_figures(rows, window=part, currency=currency)
        for part in (window, window.before)
    )
    return now, before, share_with_lines(rows, since=window.starts_at)


def _points(request: HttpRequest, window: Window) -> tuple[dict[str, list[int]], int]:
    rows = _rows(request, Transfer)
    by_kind = figures.points_figures(rows, window=window)
    earned = rows.filter(window.before.of("booked_at"), kind=Transfer.Kind.EARN)
    return by_kind, earned.aggregate(points=Sum("points"))["points"] or 0


def _members(request: HttpRequest, window: Window) -> tuple[list[int], int]:
    rows = _rows(request, Member)
    by_day = figures.daily_counts(rows, at="joined_at", window=window)
    return by_day, rows.filter(window.before.of("joined_at")).count()


def _messages(request: HttpRequest, window: Window) -> tuple[dict[str, int], int]:
    rows = _rows(request, Message)
    by_state = figures.counts_by(rows, at="queued_at", kind="state", window=window)
    sent = rows.filter(window.before.of("queued_at"), state=Message.State.SENT)
    return by_state, sent.count()


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
        (_("Received in 24 hours"), counted(road.received)),
        (_("Refused in 24 hours"), counted(road.refused)),
        (_("On their way"), counted(road.due)),
        (_("Stuck"), _linked(road.stuck, "admin:stuck")),
        (
            _("Not matched yet"),
            _linked(road.unmatched, "admin:payments_unmatchedpayment_changelist"),
        ),
        (_("Oldest on its way"), lasting(lag)),
    ]
    return {"figures": road, "lag": lag, "table": {"rows": rows}}


def _linked(count: int, name: str) -> str:
    """A figure with the list that it counts behind it."""
    if not count:
        return counted(count)
    return format_html('<a class="rg-link" href="{}">{}</a>', reverse(name), counted(count))


def _show_sales(
    found: tuple[figures.Sales, figures.Sales, int | None], window: Window
) -> dict[str, Any]:
    sales, before, with_lines = found
    rows = [(money.currency, _money(money), counted(count)) for money, count in sales.by_currency]
    return {
        "total": Money(sales.total, sales.currency),
        "total_before": before.total,
        "payments": counted(sales.payments),
        "with_lines": with_lines,
        "unrated": ", ".join(sales.unrated),
        "chart": _chart(window, [(sales.currency, sales.by_day, 600)]),
        "table": {"headers": [_("currency"), _("amount"), _("payments")], "rows": rows},
        "currency": sales.currency,
    }


def _show_points(found: tuple[dict[str, list[int]], int], window: Window) -> dict[str, Any]:
    by_kind, earned_before = found
    labels = dict(Transfer.Kind.choices)
    shades = {Transfer.Kind.EARN: 600, Transfer.Kind.TAKE_BACK: 300, Transfer.Kind.EXPIRE: 400}
    ordered = [kind for kind in Transfer.Kind if kind in by_kind]
    series = [(str(labels[kind]), by_kind[kind], shades.get(kind, 500)) for kind in ordered]
    rows = [(str(labels[kind]), counted(sum(by_kind[kind]))) for kind in ordered]
    earned = sum(by_kind.get(Transfer.Kind.EARN, []))
    return {
        "earned": earned,
        "earned_before": earned_before,
        "chart": _chart(window, series),
        "table": {"headers": [_("movement"), _("points")], "rows": rows},
    }


def _show_members(found: tuple[list[int], int], window: Window) -> dict[str, Any]:
    by_day, total_before = found
    weeks = [(window.days[n], sum(by_day[n : n + 7])) for n in range(2, len(by_day), 7)]
    rows = [(date_format(day, "SHORT_DATE_FORMAT"), counted(n)) for day, n in weeks]
    return {
        "total": sum(by_day),
        "total_before": total_before,
        "chart": _chart(window, [(_("new members"), by_day, 600)]),
        "table": {"headers": [_("week from"), _("new members")], "rows": rows},
    }


def _show_messages(found: tuple[dict[str, int], int], _window: Window) -> dict[str, Any]:
    by_state, sent_before = found
    labels = dict(Message.State.choices)
    ordered = [state for state in Message.State.values if state in by_state]
    rows = [(str(labels[state]), counted(by_state[state])) for state in ordered]
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
        "sent": by_state.get(Message.State.SENT, 0),
        "sent_before": sent_before,
        "chart": json.dumps(data),
        "table": {"headers": [_("state"), _("messages")], "rows": rows},
    }


def _chart(window: Window, series: Sequence[tuple[str, Sequence[Any], int]]) -> str:
    return json.dumps(
        {
            "labels": [date_format(day, "MONTH_DAY_FORMAT") for day in window.days],
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


def _money(money: Money) -> str:
    return money.display(get_language() or "en")


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    desk = admin.site._registry.get(model)
    return desk is not None and desk.has_view_permission(request)


def _rows(request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    return admin.site._registry[model].get_queryset(request).select_related(None)


def _accounts(request: HttpRequest) -> QuerySet[Any]:
    return _rows(request, Account)
