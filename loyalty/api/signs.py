"""/api/v1/members/{code}/identities and …/consents: by what somebody is known, and their word."""

from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import checked
from kit.masking import mask_value
from loyalty.api.members import ConsentIn, member_or_404, normal_sign, refuse_taken
from members.api import (
    CHANGE_PROBLEMS,
    IDEMPOTENCY_KEY,
    LOOK_UP_PROBLEMS,
    ApiView,
    IdentityIn,
    answer_once,
)
from members.models import ApiKey, Consent, Identity, Member
from members.selectors import newest_consents
from members.services.consents import set_consent
from members.services.identities import IdentityTaken
from payments.services.enrolling import remove_identity
from payments.services.linking import link_identity


class IdentityOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    value = serializers.CharField(
        allow_null=True, help_text="Masked. Null: learnt from a payment, which names no value."
    )
    added_at = serializers.DateTimeField()


class IdentitiesOut(serializers.Serializer[Any]):
    items = IdentityOut(many=True)


class AddedOut(IdentityOut):
    matched = serializers.IntegerField(
        help_text="Transactions that waited for this sign and are the member's now."
    )


class ConsentOut(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(choices=Consent.Channel.choices)
    purpose = serializers.ChoiceField(choices=Consent.Purpose.choices)
    is_granted = serializers.BooleanField()
    source = serializers.CharField()  # type: ignore[assignment]
    given_at = serializers.DateTimeField()


class ConsentsOut(serializers.Serializer[Any]):
    items = ConsentOut(many=True, help_text="The last word on each channel and purpose.")


_IDENTITY: Final = {
    "id": 17,
    "kind": "phone",
    "value": "•••142",
    "added_at": "2026-11-21T12:00:00+08:00",
}
_CONSENT: Final = {
    "channel": "email",
    "purpose": "marketing",
    "is_granted": True,
    "source": "app",
    "given_at": "2026-11-21T12:00:00+08:00",
}


class IdentitiesView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ
    write_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_WRITE

    @extend_schema(
        operation_id="list_identities",
        summary="By what a member is known",
        tags=["members"],
        responses={200: IdentitiesOut, **LOOK_UP_PROBLEMS},
        examples=[OpenApiExample("Masked", response_only=True, value={"items": [_IDENTITY]})],
    )
    def get(self, request: Request, code: str) -> Response:
        rows = _identities_of(member_or_404(code))
        return Response({"items": [_identity(row) for row in rows]})

    @extend_schema(
        operation_id="add_identity",
        summary="Know a member by one more sign",
        description="Payments that waited for somebody with this sign are the member's now.",
        tags=["members"],
        parameters=[IDEMPOTENCY_KEY],
        request=IdentityIn,
        responses={201: AddedOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "A wallet", request_only=True, value={"kind": "wallet", "value": "W-1"}
            ),
            OpenApiExample("Added", response_only=True, value={**_IDENTITY, "matched": 2}),
        ],
    )
    @answer_once
    def post(self, request: Request, code: str) -> Response:
        asked = checked(IdentityIn, request.data)
        member = member_or_404(code)
        country = member.region.phone_country
        sign = normal_sign(asked["kind"], asked["value"], country=country, field="value")
        refuse_taken([sign])
        kind, value = sign
        try:
            matched = link_identity(member, kind=kind, value=value, now=timezone.now())
        except IdentityTaken:
            refuse_taken([sign])  # Somebody else added it in this moment.
            raise
        row = Identity.objects.filter(member=member, kind=kind).order_by("-pk")[0]
        return Response({**_identity(row), "matched": matched}, HTTPStatus.CREATED)


class IdentityView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_WRITE

    @extend_schema(
        operation_id="remove_identity",
        summary="Know a member by this sign no longer",
        description="Payments that it matched until now stay the member's.",
        tags=["members"],
        parameters=[IDEMPOTENCY_KEY],
        responses={204: None, **CHANGE_PROBLEMS},
    )
    @answer_once
    def delete(self, request: Request, code: str, identity_id: int) -> Response:
        rows = _identities_of(member_or_404(code))
        found = next((row for row in rows if row.pk == identity_id), None)
        if found is None:
            raise NotFound(_("The member has no identity with this id."), "identity_unknown")
        remove_identity(found)
        return Response(status=HTTPStatus.NO_CONTENT)


class ConsentsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ
    write_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_WRITE

    @extend_schema(
        operation_id="list_consents",
        summary="What a member agreed to",
        tags=["members"],
        responses={200: ConsentsOut, **LOOK_UP_PROBLEMS},
        examples=[OpenApiExample("A yes", response_only=True, value={"items": [_CONSENT]})],
    )
    def get(self, request: Request, code: str) -> Response:
        return Response({"items": [_consent(row) for row in newest_consents(member_or_404(code))]})

    @extend_schema(
        operation_id="record_consent",
        summary="Record a member's yes or no",
        description="The last word counts.",
        tags=["members"],
        parameters=[IDEMPOTENCY_KEY],
        request=ConsentIn,
        responses={201: ConsentOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "Yes, in the app",
                request_only=True,
                value={"is_granted": True, "source": "app"},
            ),
            OpenApiExample("Recorded", response_only=True, value=_CONSENT),
        ],
    )
    @answer_once
    def post(self, request: Request, code: str) -> Response:
        asked = checked(ConsentIn, request.data)
        row = set_consent(member_or_404(code), **asked, now=timezone.now())
        return Response(_consent(row), HTTPStatus.CREATED)


def _identities_of(member: Member) -> list[Identity]:
    """Those of the members that were merged into this one too."""
    rows = Identity.objects.filter(member=member) | Identity.objects.filter(
        member__merged_into=member
    )
    return list(rows.order_by("added_at", "pk"))


def _identity(row: Identity) -> dict[str, Any]:
    shown = {
        "id": row.pk,
        "kind": row.kind,
        "value": mask_value(row.value) or None,
        "added_at": row.added_at,
    }
    return dict(IdentityOut(shown).data)


def _consent(row: Consent) -> dict[str, Any]:
    return dict(ConsentOut(row).data)
