"""The numbers beside the sidebar's items: they run on every page, so they are a minute old."""

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import number_format

from config.stuck import CACHED_SECONDS, open_alarms, stuck_count
from payments.models import Proposal, UnmatchedPayment
from payments.services.unmatched import kept_count

MOST_SHOWN = 999


def stuck_badge(request: HttpRequest) -> str:
    return shown(stuck_count(request))


def unmatched_badge(request: HttpRequest) -> str:
    """As many as its page lists."""
    desk = admin.site._registry[UnmatchedPayment]
    if not desk.has_view_permission(request):
        return ""
    return shown(kept_count(request.user, desk.get_queryset(request)))


def alarm_badge(request: HttpRequest) -> str:
    return shown(sum(alarm.seen_at is None for alarm in open_alarms(request)))


def proposal_badge(request: HttpRequest) -> str:
    return _kept(request, Proposal, decided_at=None)


def _kept(request: HttpRequest, model: type[Model], **asked: object) -> str:
    """Rows of `model` that somebody should look at, within the scope of who asks."""
    key = f"badge:{model._meta.model_name}:{request.user.pk}"
    kept: int | None = cache.get(key)
    if kept is None:
        desk = admin.site._registry[model]
        rows = desk.get_queryset(request).select_related(None).filter(**asked)
        kept = rows[: MOST_SHOWN + 1].count() if desk.has_view_permission(request) else 0
        cache.set(key, kept, CACHED_SECONDS)
    return shown(kept)


def shown(count: int) -> str:
    """Nothing for zero: a badge is there only if it means something."""
    if not count:
        return ""
    return f"{MOST_SHOWN}+" if count > MOST_SHOWN else number_format(count)
