"""How each account fares: when it last posted, how much, what was refused, how fast it earns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.cards import counted, lasting
from kit.admin import NOTHING
from payments.models import Account, Alarm, Callback
from payments.providers import all_providers
from payments.services.account_check import Level, about_files
from payments.services.accounts import BY_FILE
from payments.services.coverage import Coverage, coverages_of
from payments.services.silence import count_posts

CACHED_SECONDS: Final = 60
_DAY: Final = timedelta(hours=24)

# One row for each account that has anything to tell, whatever the number of accounts. Lags are
# the time that we took ourselves: payments that had to wait for a member, a rate or an order are
# left out; of those that earned within seconds nobody asks.
_FIGURES: Final = """
WITH posts AS (
    SELECT account_id, max(last_at) AS last_at,
        coalesce(sum(posts) FILTER (WHERE hour >= %(since)s), 0) AS received
    FROM payments_accounthour WHERE account_id = ANY(%(accounts)s) GROUP BY 1
), refusals AS (
    SELECT account_id, sum(posts) AS refused FROM payments_rejectioncount
    WHERE minute >= %(since)s AND account_id = ANY(%(accounts)s) GROUP BY 1
), lags AS (
    SELECT post.account_id, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY extract(epoch FROM award.booked_at - post.received_at)
    ) AS lag
    FROM payments_callback AS post
    JOIN payments_transaction AS booked ON booked.callback_id = post.id
    JOIN loyalty_award AS award ON award.transaction_id = booked.id
    WHERE post.received_at >= %(since)s AND post.account_id = ANY(%(accounts)s)
      AND booked.kind = 'payment' AND (
        award.booked_at <= post.received_at + interval '5 seconds' OR NOT EXISTS (
            SELECT FROM members_member AS payer
            WHERE payer.id = booked.member_id AND payer.joined_at > post.received_at
            UNION ALL
            SELECT FROM members_event AS linked
            WHERE linked.member_id = booked.member_id AND linked.kind = 'linked'
              AND linked.occurred_at BETWEEN post.received_at AND award.booked_at
            UNION ALL
            SELECT FROM members_identity AS sign
            WHERE sign.member_id = booked.member_id
              AND sign.added_at BETWEEN post.received_at AND award.booked_at
            UNION ALL
            SELECT FROM payments_rate AS rate
            WHERE rate.id = booked.rate_id AND rate.entered_at > post.received_at
            UNION ALL
            SELECT FROM payments_account AS patient
            WHERE patient.id = booked.account_id AND patient.order_wait_seconds > 0
              AND booked.order_ref <> '' AND NOT EXISTS (
                SELECT FROM payments_order AS known
                WHERE known.id = booked.order_id AND known.received_at <= post.received_at
              )
        )
      )
    GROUP BY 1
), strays AS (
    SELECT account_id, count(*) AS strays FROM payments_callback
    WHERE received_at >= %(since)s AND account_id = ANY(%(accounts)s)
      AND outcome = 'booked:unknown_store'
    GROUP BY 1
), parked AS (
    SELECT account_id, waiting_for FROM payments_callback
    WHERE waiting_for <> '' AND account_id = ANY(%(accounts)s)
    UNION ALL
    SELECT account_id, waiting_for FROM payments_transaction
    WHERE waiting_for <> '' AND account_id = ANY(%(accounts)s)
), waits AS (
    SELECT account_id,
        count(*) FILTER (WHERE waiting_for NOT IN ('repair', 'conflict')) AS waiting,
        count(*) FILTER (WHERE waiting_for IN ('repair', 'conflict')) AS dead
    FROM parked GROUP BY 1
)
SELECT account.id, last_at, coalesce(received, 0),
    coalesce(refusals.refused, 0), lag[1], lag[2], coalesce(waiting, 0), coalesce(dead, 0),
    coalesce(strays.strays, 0)
FROM payments_account AS account
LEFT JOIN posts ON posts.account_id = account.id
LEFT JOIN refusals ON refusals.account_id = account.id
LEFT JOIN strays ON strays.account_id = account.id
LEFT JOIN lags ON lags.account_id = account.id
LEFT JOIN waits ON waits.account_id = account.id
WHERE account.id = ANY(%(accounts)s)
"""


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of the last 24 hours; lags in seconds from the post to its points."""

    account: int
    last_at: datetime | None = None
    received: int = 0
    refused: int = 0
    median_lag: float | None = None
    p95_lag: float | None = None
    waiting: int = 0
    dead: int = 0
    strays: int = 0  # Booked without a store, for nobody knows the one that they name.

    @property
    def refused_share(self) -> float:
        total = self.received + self.refused
        return self.refused / total if total else 0.0


def account_health_view(request: HttpRequest) -> HttpResponse:
    desk = admin.site._registry[Callback]
    if not desk.has_view_permission(request):
        raise PermissionDenied
    rows = admin.site._registry[Account].get_queryset(request)
    accounts = list(rows.select_related("store__region").order_by("name"))
    figures, coverages = _kept(request, accounts, timezone.now())
    silent = set(Alarm.objects.filter(closed_at=None).values_list("account_id", flat=True))
    context = {
        **admin.site.each_context(request),
        "title": _("Account health"),
        "rows": [
            _row(account, figures[account.pk], is_silent=account.pk in silent)
            | {
                "remarks": [
                    *_about_stores(figures[account.pk]),
                    *_about_files(coverages.get(account.pk)),
                ]
            }
            for account in accounts
        ],
    }
    return TemplateResponse(request, "admin/account_health.html", context)


def health_of(accounts: Sequence[int], *, now: datetime) -> dict[int, Health]:
    """One query, whatever the number of accounts and posts."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"accounts": list(accounts), "since": now - _DAY})
        return {row[0]: Health(*row) for row in cursor.fetchall()}


def _kept(
    request: HttpRequest, accounts: Sequence[Account], now: datetime
) -> tuple[dict[int, Health], dict[int, Coverage]]:
    """Of each account, and of those that need settlement files; at most a minute old."""
    key = f"accounts-and-files:{request.user.pk}"
    found: tuple[dict[int, Health], dict[int, Coverage]] | None = cache.get(key)
    wanted = [account.pk for account in accounts]
    if found is None or found[0].keys() != set(wanted):
        count_posts(now=now)
        found = health_of(wanted, now=now), coverages_of(accounts, now=now)
        cache.set(key, found, CACHED_SECONDS)
    return found


def _row(account: Account, health: Health, *, is_silent: bool) -> dict[str, Any]:
    provider = all_providers().get(account.provider)
    callbacks = reverse("admin:payments_callback_changelist")
    refusals = reverse("admin:payments_rejection_changelist")
    asked = f"account__id__exact={account.pk}"
    return {
        "account": account,
        "url": reverse("admin:payments_account_change", args=[account.pk]),
        "platform": provider.label if provider else BY_FILE.get(account.provider, ""),
        "last_at": health.last_at,
        "per_hour": NOTHING if account.provider in BY_FILE else _per_hour(health),
        "refused": _refused(health),
        "refused_url": f"{refusals}?{asked}",
        "is_refusing": health.refused_share > 0.05,
        "lag": _lag(health),
        "waiting": counted(health.waiting),
        "waiting_url": f"{callbacks}?{asked}&work=parked",
        "dead": counted(health.dead),
        "dead_url": f"{callbacks}?{asked}&work=dead",
        "has_dead": health.dead > 0,
        "is_silent": is_silent,
    }


def _about_stores(health: Health) -> list[str]:
    if not health.strays:
        return []
    words = ngettext(
        "%(count)s post named a store that nobody knows.",
        "%(count)s posts named stores that nobody knows.",
        health.strays,
    )
    return [words % {"count": counted(health.strays)}]


def _about_files(coverage: Coverage | None) -> list[str]:
    """What is wrong with the settlement files of an account that lives by them."""
    return [each.words for each in about_files(coverage) if each.level is not Level.GOOD]


def _per_hour(health: Health) -> str:
    if not health.received:
        return "0"
    shown = max(round(health.received / 24, 1), 0.1)
    return str(number_format(shown))


def _refused(health: Health) -> str:
    if not health.refused:
        return "0"
    share = number_format(round(health.refused_share * 100, 1))
    return f"{counted(health.refused)} ({share} %)"


def _lag(health: Health) -> str:
    if health.median_lag is None or health.p95_lag is None:
        return NOTHING
    return f"{lasting(health.median_lag)} / {lasting(health.p95_lag)}"
