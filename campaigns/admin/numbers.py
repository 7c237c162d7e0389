"""What a campaign has done so far: reached, coupons, redeemed, messages by state."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Model, Q
from django.http import HttpRequest
from django.urls import reverse

from campaigns.models import Campaign, Decision, Message


@dataclass(frozen=True, slots=True)
class Numbers:
    reached: int
    issued: int
    redeemed: int
    decisions_url: str
    messages: list[tuple[str, int, str]]  # state in words, how many, URL of the list


def numbers_of(campaign: Campaign, request: HttpRequest) -> Numbers:
    """Within the scope of who asks; two queries."""
    used = Q(coupon__uses__cancelled_at=None, coupon__uses__isnull=False)
    found = _rows(Decision, request).filter(campaign=campaign).aggregate(
        reached=Count("pk", distinct=True),
        issued=Count("coupon", distinct=True),
        redeemed=Count("coupon", distinct=True, filter=used),
    )  # fmt: skip
    by_state = dict(
        _rows(Message, request)
        .filter(decision__campaign=campaign)
        .order_by()
        .values_list("state")
        .annotate(rows=Count("pk"))
    )
    return Numbers(
        **found,
        decisions_url=_list("campaigns_decision", campaign__id__exact=campaign.pk),
        messages=[
            (
                str(label),
                by_state[state],
                _list(
                    "campaigns_message",
                    decision__campaign__id__exact=campaign.pk,
                    state__exact=state,
                ),
            )
            for state, label in Message.State.choices
            if state in by_state
        ],
    )


def _rows(model: type[Model], request: HttpRequest) -> Any:
    desk = admin.site._registry[model]
    rows = desk.get_queryset(request).select_related(None)
    return rows if desk.has_view_permission(request) else rows.none()


def _list(name: str, **asked: Any) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(asked)}"
