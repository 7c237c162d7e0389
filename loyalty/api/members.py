"""/api/v1/members: who somebody is, enrolling and changing them, and what they hold."""

from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import PROBLEM_TYPE, LineOfText, Refused, StrictSerializer, YesOrNo, checked
from kit.masking import mask_name
from loyalty.api.coupons import CouponOut, coupon_face
from loyalty.selectors import CouponState, coupons_of, standing_of, tier_progress
from members.api import (
    CHANGE_PROBLEMS,
    IDEMPOTENCY_KEY,
    LOOK_UP_PROBLEMS,
    ApiView,
    IdentityIn,
    answer_once,
    store_for,
)
from members.identity_kinds import EMAIL, PHONE, kind_label
from members.models import LANGUAGES, ApiKey, Consent, Member, Region, Store
from members.selectors import phone_country_of
from members.services.identities import (
    BadIdentity,
    IdentityTaken,
    find_by_code,
    find_member,
    normalise_identity,
)
from payments.services.enrolling import Newcomer, enrol_customer

_EARLIEST_BIRTH: Final = date(1900, 1, 1)
_MOST_IDENTITIES: Final = 10
_CONSENT_SOURCES: Final = [Consent.Source.TILL.value, Consent.Source.APP.value]


class ConsentIn(StrictSerializer):
    """A member's word on offers."""

    channel = serializers.ChoiceField(
        choices=Consent.Channel.choices, default=Consent.Channel.EMAIL
    )
    purpose = serializers.ChoiceField(
        choices=Consent.Purpose.choices, default=Consent.Purpose.MARKETING
    )
    is_granted = YesOrNo()
    # The name is DRF's own too; of Serializer.source only nested fields have need.
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=_CONSENT_SOURCES, help_text="Where they said it: at a till, or in app or website."
    )


class PersonIn(StrictSerializer):
    """What can be said of a member, when enrolling and later."""

    name = LineOfText(longest=100, required=False)
    language = serializers.ChoiceField(choices=LANGUAGES, required=False)
    store = LineOfText(longest=20, required=False, help_text="Code of the home store.")
    born_on = serializers.DateField(
        required=False, allow_null=True, help_text="2001-12-31. Null: it is not known."
    )

    def validate_born_on(self, day: date | None) -> date | None:
        if day is not None and not _EARLIEST_BIRTH <= day <= timezone.localdate():
            raise serializers.ValidationError(_("Nobody alive was born on this day."))
        return day


class EnrolIn(PersonIn):
    phone = LineOfText(longest=40, required=False, help_text="+852 9123 4567")
    email = LineOfText(longest=254, required=False)
    # The stubs do not know that `many` makes a list, which has a length.
    identities = IdentityIn(many=True, required=False, max_length=_MOST_IDENTITIES)  # type: ignore[call-arg]
    region = LineOfText(longest=10, required=False, help_text="Left out: the region of the store.")
    consents = ConsentIn(many=True, required=False, max_length=4)  # type: ignore[call-arg]


class LookUpIn(StrictSerializer):
    """One sign of the member, in the body so that no log of addresses keeps it."""

    code = LineOfText(longest=20, required=False, help_text="The member number.")
    phone = LineOfText(longest=40, required=False, help_text="+852 9123 4567")
    email = LineOfText(longest=254, required=False)
    identity = IdentityIn(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if sum(1 for value in given.values() if value) != 1:
            raise serializers.ValidationError(_("Send one of code, phone, email and identity."))
        return given


class TierOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()


class MemberOut(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Of a member merged into another: the other's.")
    name = serializers.CharField(help_text="Masked: the first character only.")
    language = serializers.ChoiceField(choices=LANGUAGES)
    region = serializers.CharField()
    store = serializers.CharField(allow_null=True, help_text="The home store.")
    joined_at = serializers.DateTimeField()
    tier = TierOut(allow_null=True)
    points = serializers.IntegerField(help_text="Negative: a debt.")
    coupons = CouponOut(many=True, help_text="Those that can be used now.")


_MEMBER: Final = {
    "code": "M4K7Q2Z9P",
    "name": "陳•••",
    "language": "zh-hant",
    "region": "HK",
    "store": "TST",
    "joined_at": "2026-03-01T12:00:00+08:00",
    "tier": {"code": "gold", "name": "Gold"},
    "points": 1280,
    "coupons": [],
}
_MEMBER_EXAMPLE: Final = OpenApiExample("A member", response_only=True, value=_MEMBER)


def member_or_404(code: str) -> Member:
    """The member with this number; of one that was merged, the member who stands for both."""
    member = find_by_code(code)
    if member is None:
        raise NotFound(_("No member has this number."), "member_unknown")
    return member


class MembersView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_WRITE

    @extend_schema(
        operation_id="enrol_member",
        summary="Enrol a member",
        description=(
            "Payments that waited for somebody with these signs are the member's from now on. "
            "A phone, e-mail or other sign that is known already answers 409 `identity_taken`, "
            "and `member` is the number to use instead."
        ),
        tags=["members"],
        parameters=[IDEMPOTENCY_KEY],
        request=EnrolIn,
        responses={201: MemberOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "At the till",
                request_only=True,
                value={
                    "phone": "+852 5555 0142",
                    "name": "陳美玲",
                    "language": "zh-hant",
                    "consents": [{"is_granted": True, "source": "till"}],
                },
            ),
            _MEMBER_EXAMPLE,
            OpenApiExample(
                "Known already",
                response_only=True,
                media_type=PROBLEM_TYPE,
                status_codes=["409"],
                value={
                    "type": "urn:regulars:problem:identity-taken",
                    "title": "Conflict",
                    "status": 409,
                    "code": "identity_taken",
                    "detail": "This phone belongs to a member already. Use their number.",
                    "kind": "phone",
                    "member": "M4K7Q2Z9P",
                },
            ),
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        asked = checked(EnrolIn, request.data)
        now = timezone.now()
        store = store_for(request, asked.get("store", ""))
        region = _region(asked.get("region", ""), store)
        signs = _signs(asked, country=region.phone_country)
        refuse_taken(signs)
        newcomer = Newcomer(
            region=region,
            language=asked.get("language") or region.language,
            name=asked.get("name", ""),
            home_store=store,
            born_on=asked.get("born_on"),
            signs=tuple(signs),
            consents=tuple(dict(consent) for consent in asked.get("consents", [])),
        )
        try:
            member = enrol_customer(newcomer, now=now)
        except IdentityTaken:
            refuse_taken(signs)  # Somebody else enrolled them in this moment.
            raise
        return Response(show_member(member, now=now), HTTPStatus.CREATED)


class LookUpView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ

    @extend_schema(
        operation_id="look_up_member",
        summary="Find a member by number, phone, e-mail or another sign",
        tags=["members"],
        request=LookUpIn,
        responses={200: MemberOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample("By phone", request_only=True, value={"phone": "+852 5555 0142"}),
            OpenApiExample(
                "By wallet",
                request_only=True,
                value={"identity": {"kind": "wallet", "value": "W-1"}},
            ),
            _MEMBER_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        asked = checked(LookUpIn, request.data)
        if asked.get("code"):
            member = member_or_404(asked["code"])
        else:
            store = store_for(request, "")
            ((kind, value),) = _signs(asked, country=phone_country_of(store))
            found = find_member(kind=kind, value=value)
            if found is None:
                raise NotFound(_("Nobody is known by this."), "member_unknown")
            member = found
        return Response(show_member(member, now=timezone.now()))


class MemberView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_READ
    write_scope: ClassVar[str] = ApiKey.Scope.MEMBERS_WRITE

    @extend_schema(
        operation_id="read_member",
        summary="A member's tier, points and coupons",
        tags=["members"],
        responses={200: MemberOut, **LOOK_UP_PROBLEMS},
        examples=[_MEMBER_EXAMPLE],
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(show_member(member_or_404(code), now=timezone.now()))

    @extend_schema(
        operation_id="change_member",
        summary="Change a member's name, language, home store or birthday",
        description="What is left out stays as it is. `born_on: null` clears the birthday.",
        tags=["members"],
        parameters=[IDEMPOTENCY_KEY],
        request=PersonIn,
        responses={200: MemberOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample("Another language", request_only=True, value={"language": "en"}),
            _MEMBER_EXAMPLE,
        ],
    )
    @answer_once
    def patch(self, request: Request, code: str) -> Response:
        asked = checked(PersonIn, request.data)
        member = member_or_404(code)
        code_of_store = asked.pop("store", "")
        if code_of_store:
            asked["home_store"] = store_for(request, code_of_store)
        for name, value in asked.items():
            setattr(member, name, value)
        member.save(update_fields=list(asked))
        return Response(show_member(member, now=timezone.now()))


def show_member(member: Member, *, now: datetime) -> dict[str, Any]:
    standing = standing_of(member)
    progress = tier_progress(standing)
    usable = [held for held in coupons_of(member, now=now) if held.state is CouponState.USABLE]
    answer = MemberOut(
        {
            "code": member.code,
            "name": mask_name(member.name),
            "language": member.language,
            "region": member.region.code,
            "store": member.home_store.code if member.home_store else None,
            "joined_at": member.joined_at,
            "tier": tier_face(progress.tier if progress else None),
            "points": standing.balance,
            "coupons": [coupon_face(held.coupon) for held in usable],
        }
    )
    return dict(answer.data)


def tier_face(tier: Any) -> dict[str, str] | None:
    return {"code": tier.code, "name": str(tier)} if tier else None


def normal_sign(kind: str, value: str, *, country: str, field: str) -> tuple[str, str]:
    """The sign in its one spelling; raises ValidationError naming `field`."""
    try:
        return kind, normalise_identity(kind, value, country=country)
    except BadIdentity as problem:
        raise serializers.ValidationError({field: [str(problem)]}) from problem


def refuse_taken(signs: list[tuple[str, str]]) -> None:
    """Raise Refused, naming the member, if a sign is known already. Who may enrol members may
    know: without the number there would be no way on but a second member for one person."""
    for kind, value in signs:
        holder = find_member(kind=kind, value=value)
        if holder is not None:
            raise Refused(
                _("This %(kind)s belongs to a member already. Use their number.")
                % {"kind": kind_label(kind)},
                code="identity_taken",
                status=HTTPStatus.CONFLICT,
                kind=kind,
                member=holder.code,
            )


def _signs(asked: Mapping[str, Any], *, country: str) -> list[tuple[str, str]]:
    signs = [
        normal_sign(kind, asked[kind], country=country, field=kind)
        for kind in (PHONE, EMAIL)
        if asked.get(kind)
    ]
    given = [*asked.get("identities", []), *filter(None, [asked.get("identity")])]
    signs += [
        normal_sign(one["kind"], one["value"], country=country, field="identities")
        for one in given
    ]
    return list(dict.fromkeys(signs))


def _region(code: str, store: Store | None) -> Region:
    if not code and store is not None:
        return store.region
    found = list(Region.objects.filter(code=code) if code else Region.objects.all()[:2])
    if len(found) == 1:
        return found[0]
    words = _("There is no region with this code.") if code else _("Name a region or a store.")
    raise serializers.ValidationError({"region": [words]})
