"""/api/v1/members/{code}/balance and …/points: what a member holds, and how it came to that."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import query_of
from kit.paging import PageIn, PageOut, page_of
from loyalty.api.members import TierOut, member_or_404, tier_face
from loyalty.models import Transfer
from loyalty.rules.discounts import to_coin
from loyalty.selectors import lapses, open_lots, standing_of, tier_progress
from loyalty.why import WhyRow, why_rows_of
from members.api import LOOK_UP_PROBLEMS, ApiView
from members.models import ApiKey, Programme, Store

_LOOKS_AHEAD: Final = timedelta(days=90)


class LapseOut(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    at = serializers.DateTimeField(help_text="Points not used by then lapse.")


class NextTierOut(TierOut):
    threshold = serializers.CharField(help_text="12-month spend that the tier asks for.")
    missing = serializers.CharField(help_text="What is still to be spent.")
    percent = serializers.IntegerField(help_text="How much of the way is done.")


class BalanceOut(serializers.Serializer[Any]):
    member = serializers.CharField()
    points = serializers.IntegerField(help_text="Negative: a debt.")
    expiring = LapseOut(many=True, help_text="Within 90 days, the soonest first.")
    tier = TierOut(allow_null=True)
    tier_since = serializers.DateTimeField(allow_null=True)
    spend = serializers.CharField(help_text="Of the last 12 months.")
    next_tier = NextTierOut(allow_null=True, help_text="Null: there is none above.")
    currency = serializers.CharField(help_text="Of spend, threshold and missing.")


class ReasonOut(serializers.Serializer[Any]):
    rule = serializers.CharField()
    points = serializers.IntegerField()
    words = serializers.CharField()
    counted = serializers.BooleanField()


class SourceOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    order_ref = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    store = serializers.CharField(allow_null=True)


class MovementOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    points = serializers.IntegerField(help_text="Negative: they went away.")
    kind = serializers.ChoiceField(choices=Transfer.Kind.choices)
    booked_at = serializers.DateTimeField()
    transaction = SourceOut(
        allow_null=True, help_text="Null too where it belongs to a store that is not the key's."
    )
    why = ReasonOut(many=True, help_text="Every rule that was looked at, and what it said.")


class MovementsOut(PageOut):
    items = MovementOut(many=True)


_BALANCE: Final = {
    "member": "M4K7Q2Z9P",
    "points": 1280,
    "expiring": [{"points": 200, "at": "2026-12-01T00:00:00+08:00"}],
    "tier": {"code": "silver", "name": "Silver"},
    "tier_since": "2026-05-02T18:30:00+08:00",
    "spend": "8200.00",
    "next_tier": {
        "code": "gold",
        "name": "Gold",
        "threshold": "10000.00",
        "missing": "1800.00",
        "percent": 82,
    },
    "currency": "HKD",
}
_MOVEMENT: Final = {
    "id": "0199a1f4-7c3e-7d22-9a51-0e7b6a4f2d10",
    "points": 238,
    "kind": "earn",
    "booked_at": "2026-11-21T15:04:06+08:00",
    "transaction": {
        "id": "0199a1f4-7c11-7a02-8f0c-5d1c9b2e7f31",
        "kind": "payment",
        "order_ref": "TST-20261121-0042",
        "occurred_at": "2026-11-21T15:04:05+08:00",
        "store": "TST",
    },
    "why": [{"rule": "1 point per HK$1", "points": 238, "words": "Counted.", "counted": True}],
}


class BalanceView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ

    @extend_schema(
        operation_id="read_balance",
        summary="Points, what lapses soon, tier and the way to the next one",
        tags=["members"],
        responses={200: BalanceOut, **LOOK_UP_PROBLEMS},
        examples=[OpenApiExample("On the way up", response_only=True, value=_BALANCE)],
    )
    def get(self, request: Request, code: str) -> Response:
        member, now = member_or_404(code), timezone.now()
        standing = standing_of(member)
        progress = tier_progress(standing)
        currency = Programme.current().currency
        coming = lapses(open_lots(member), now=now)
        ahead = None
        if progress and progress.next and progress.threshold and progress.missing:
            ahead = {
                "code": progress.next.code,
                "name": str(progress.next),
                "threshold": str(to_coin(progress.threshold.amount, currency)),
                "missing": str(to_coin(progress.missing.amount, currency)),
                "percent": progress.percent,
            }
        answer = BalanceOut(
            {
                "member": member.code,
                "points": standing.balance,
                "expiring": [lapse for lapse in coming if lapse.at <= now + _LOOKS_AHEAD],
                "tier": tier_face(progress.tier if progress else None),
                "tier_since": standing.tier_since,
                "spend": str(to_coin(standing.spend_12m, currency)),
                "next_tier": ahead,
                "currency": currency,
            }
        )
        return Response(answer.data)


class PointsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ

    @extend_schema(
        operation_id="list_points",
        summary="How points came and went, newest first",
        tags=["members"],
        parameters=[PageIn],
        responses={200: MovementsOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "Earned",
                response_only=True,
                value={"items": [_MOVEMENT], "next_cursor": None},
            )
        ],
    )
    def get(self, request: Request, code: str) -> Response:
        asked = query_of(request, PageIn)
        member = member_or_404(code)
        rows = Transfer.objects.filter(Q(debit=member.pk) | Q(credit=member.pk)).select_related(
            "award__transaction__store"
        )
        page = page_of(
            rows, {**asked, "member": member.code}, order=("-booked_at", "-id"), show=_as_is
        )
        transfers = [one["row"] for one in page["items"]]
        reasons = why_rows_of(row.award for row in transfers if row.award)
        own = getattr(request.auth, "store", None)
        shown = [_movement(row, member.pk, reasons, own) for row in transfers]
        return Response(MovementsOut({**page, "items": shown}).data)


def _as_is(row: Transfer) -> Mapping[str, Any]:
    return {"row": row}


def _movement(
    row: Transfer, account: UUID, reasons: Mapping[UUID, list[WhyRow]], own: Store | None
) -> dict[str, Any]:
    """Without what staff wrote of an adjustment: those are words among colleagues, about a person,
    and no webhook tells them either."""
    award = row.award
    deal = award.transaction if award else None
    is_shown = deal is not None and (own is None or deal.store_id == own.pk)
    return {
        "id": row.pk,
        "points": row.points if row.credit_id == account else -row.points,
        "kind": row.kind,
        "booked_at": row.booked_at,
        "transaction": {
            "id": deal.pk,
            "kind": deal.kind,
            "order_ref": deal.order_ref,
            "occurred_at": deal.occurred_at,
            "store": deal.store.code if deal.store else None,
        }
        if deal is not None and is_shown
        else None,
        "why": reasons[award.pk] if award else [],
    }
