"""/api/v1/coupons and /api/v1/coupon-uses: what a coupon takes off, using it, taking it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import (
    PROBLEM_TYPE,
    LineOfText,
    PlainDecimal,
    Refused,
    StrictSerializer,
    checked,
    query_of,
)
from kit.money import Money
from loyalty import wording
from loyalty.models import Coupon, CouponType, CouponUse
from loyalty.refusals import (
    AlreadyUsed,
    Cancelled,
    CouponRefused,
    CouponUnknown,
    UseAlreadyReturned,
    UseUnknown,
)
from loyalty.rules.discounts import to_coin
from loyalty.services.coupons import cancel_use, find_coupon, redeem_coupon
from loyalty.services.quotes import check_coupon, check_store, quote_coupon
from members.api import (
    CHANGE_PROBLEMS,
    IDEMPOTENCY_KEY,
    LOOK_UP_PROBLEMS,
    ApiView,
    answer_once,
    key_of,
    store_for,
)
from members.models import ApiKey, Store
from payments.api.baskets import MOST_LINES, LineIn, money_in, notice_lines


class BillIn(StrictSerializer):
    """What a coupon is asked to go with. Without `lines`, `bill` is the part that it is for."""

    bill = PlainDecimal(required=False, help_text="The amount before the discount.")
    currency = LineOfText(longest=3, required=False, help_text="ISO 4217.")
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        has_bill, currency = "bill" in given, given.get("currency", "")
        if has_bill != bool(currency):
            missing = "currency" if has_bill else "bill"
            raise serializers.ValidationError(
                {missing: [_("Send the bill and its currency together.")]}
            )
        given["bill"] = money_in(given, "bill", currency) if has_bill else None
        return given


class RedeemIn(BillIn):
    order_ref = LineOfText(
        required=False,
        help_text="The order's number. By it a refund in full gives the coupon back.",
    )
    # The stubs do not know that `many` makes a list, which has a length.
    lines = LineIn(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = super().validate(given)
        if given.get("lines") and given["bill"] is None:
            raise serializers.ValidationError({"bill": [_("Lines need the bill they belong to.")]})
        lines = given.get("lines")
        given["lines"] = notice_lines(lines, given["bill"]) if lines else ()
        return given


class RefusalOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class CouponOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    type = serializers.CharField()
    name = serializers.CharField()
    benefit = serializers.ChoiceField(choices=CouponType.Benefit.choices)
    benefit_in_words = serializers.CharField()
    conditions = serializers.ListField(child=serializers.CharField())
    value = serializers.CharField(help_text="An amount in `currency`, or a percentage.")
    currency = serializers.CharField()
    starts_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="The first moment at which it is over.")


class CouponQuoteOut(CouponOut):
    is_usable = serializers.BooleanField()
    refusal = RefusalOut(allow_null=True, help_text="Why it is not usable.")
    discount = serializers.CharField(allow_null=True, help_text="If a bill was given.")


class UseOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    coupon = serializers.CharField()
    number = serializers.IntegerField()
    benefit = serializers.CharField()
    name = serializers.CharField()
    discount = serializers.CharField()
    bill = serializers.CharField(allow_null=True)
    to_pay = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    store = serializers.CharField(allow_null=True)
    order_ref = serializers.CharField()
    used_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)


_COUPON: Final = {
    "code": "C7Q2M9ZK4XPD",
    "type": "ten-off",
    "name": "HK$20 off",
    "benefit": "amount",
    "benefit_in_words": "HK$20.00 off",
    "conditions": ["From HK$100.00"],
    "value": "20.00",
    "currency": "HKD",
    "starts_at": "2026-11-01T00:00:00+08:00",
    "expires_at": "2027-02-01T00:00:00+08:00",
}
_USE: Final = {
    "id": "0199a1f4-9d20-7b6e-8a44-2f6d0c7e5b11",
    "coupon": "C7Q2M9ZK4XPD",
    "number": 1,
    "benefit": "amount",
    "name": "HK$20 off",
    "discount": "20.00",
    "bill": "240.00",
    "to_pay": "220.00",
    "currency": "HKD",
    "store": "TST",
    "order_ref": "TST-20261121-0042",
    "used_at": "2026-11-21T15:04:05+08:00",
    "cancelled_at": None,
}
_NO_BODY: Final = OpenApiExample("Nothing", request_only=True, value={})


class CouponView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.COUPONS_READ

    @extend_schema(
        operation_id="quote_coupon",
        summary="Look a coupon up, and what it would take off",
        tags=["coupons"],
        parameters=[BillIn],
        responses={200: CouponQuoteOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "Usable",
                response_only=True,
                value={**_COUPON, "is_usable": True, "refusal": None, "discount": "20.00"},
            )
        ],
    )
    def get(self, request: Request, code: str) -> Response:
        asked = query_of(request, BillIn)
        store = store_for(request, asked.get("store", ""))
        with _refusals_as_problems():
            coupon = find_coupon(code)
        quote = _quote(coupon, asked["bill"], store, now=timezone.now())
        return Response(CouponQuoteOut(coupon_face(coupon) | quote).data)


class RedeemView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.COUPONS_REDEEM

    @extend_schema(
        operation_id="redeem_coupon",
        summary="Use a coupon",
        description=(
            "Two tills at once redeem it once: the other gets 409. A coupon that depends on the "
            "bill needs `bill` and `currency`; one for a category takes its discount off the "
            "`lines` of that category, or without lines off the bill."
        ),
        tags=["coupons"],
        parameters=[IDEMPOTENCY_KEY],
        request=RedeemIn,
        responses={201: UseOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "Off a bill",
                request_only=True,
                value={"bill": "240.00", "currency": "HKD", "order_ref": "TST-20261121-0042"},
            ),
            OpenApiExample("Used", response_only=True, status_codes=["201"], value=_USE),
            OpenApiExample(
                "Used already",
                response_only=True,
                media_type=PROBLEM_TYPE,
                status_codes=["409"],
                value={
                    "type": "urn:regulars:problem:coupon-already-used",
                    "title": "Conflict",
                    "status": 409,
                    "code": "coupon_already_used",
                    "detail": "This coupon was used on 21 Nov 2026. …",
                },
            ),
        ],
    )
    @answer_once
    def post(self, request: Request, code: str) -> Response:
        asked = checked(RedeemIn, request.data)
        store = store_for(request, asked.get("store", ""))
        with _refusals_as_problems():
            use = redeem_coupon(
                code,
                bill=asked["bill"],
                store=store,
                order_ref=asked.get("order_ref", ""),
                lines=asked["lines"],
                api_key=key_of(request),
                now=timezone.now(),
            )
        return Response(_use(use), HTTPStatus.CREATED)


class CancelUseView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.COUPONS_REDEEM

    @extend_schema(
        operation_id="cancel_coupon_use",
        summary="Take a use back",
        description=(
            "The coupon can be used again while it is valid. The body is empty: `{}`. If the use "
            "was made with an `order_ref`, Regulars takes it back by itself once the order's "
            "payments are refunded in full (a setting of the programme); taking it back once more "
            "answers 409 `coupon_use_already_returned`."
        ),
        tags=["coupons"],
        parameters=[IDEMPOTENCY_KEY],
        request=StrictSerializer,
        responses={200: UseOut, **CHANGE_PROBLEMS},
        examples=[
            _NO_BODY,
            OpenApiExample(
                "Taken back",
                response_only=True,
                value={**_USE, "cancelled_at": "2026-11-21T15:09:00+08:00"},
            ),
        ],
    )
    @answer_once
    def post(self, request: Request, use_id: UUID) -> Response:
        checked(StrictSerializer, request.data)
        key = key_of(request)
        with _refusals_as_problems():
            use = _find_use(use_id, key)
            cancel_use(use, now=timezone.now(), api_key=key)
        return Response(_use(use))


@contextmanager
def _refusals_as_problems() -> Iterator[None]:
    try:
        yield
    except CouponRefused as refusal:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(refusal, (CouponUnknown, UseUnknown)):
            status = HTTPStatus.NOT_FOUND
        if isinstance(refusal, (AlreadyUsed, Cancelled, UseAlreadyReturned)):
            status = HTTPStatus.CONFLICT
        raise Refused(str(refusal), code=refusal.reason, status=status) from refusal


def _quote(
    coupon: Coupon, bill: Money | None, store: Store | None, *, now: datetime
) -> dict[str, Any]:
    try:
        if bill is not None:
            quote = quote_coupon(coupon, bill=bill, store=store, now=now)
            return {"is_usable": True, "refusal": None, "discount": str(quote.amount)}
        check_coupon(coupon, now=now)
        check_store(coupon.type, store)
    except CouponRefused as refusal:
        why = {"code": refusal.reason, "detail": str(refusal)}
        return {"is_usable": False, "refusal": why, "discount": None}
    return {"is_usable": True, "refusal": None, "discount": None}


def _find_use(use_id: UUID, key: ApiKey) -> CouponUse:
    """A key of a store sees the uses of that store only; raises UseUnknown."""
    uses = CouponUse.objects.select_related("coupon__type", "store")
    if key.store is not None:
        uses = uses.filter(store=key.store)
    use = uses.filter(pk=use_id).first()
    if use is None:
        raise UseUnknown
    return use


def coupon_face(coupon: Coupon) -> dict[str, Any]:
    kind = coupon.type
    is_percent = kind.benefit == CouponType.Benefit.PERCENT
    value = kind.value.normalize() if is_percent else to_coin(kind.value, kind.currency)
    return {
        "code": coupon.code,
        "type": kind.code,
        "name": str(kind),
        "benefit": kind.benefit,
        "benefit_in_words": wording.benefit(kind),
        "conditions": wording.conditions(kind),
        "value": f"{value:f}",
        "currency": kind.currency,
        "starts_at": coupon.starts_at,
        "expires_at": coupon.expires_at,
    }


def _use(use: CouponUse) -> dict[str, Any]:
    bill = None if use.bill is None else Money.parse(use.bill, use.currency)
    discount = Money.parse(use.discount, use.currency)
    answer = UseOut(
        {
            "id": use.pk,
            "coupon": use.coupon.code,
            "number": use.number,
            "benefit": use.coupon.type.benefit,
            "name": str(use.coupon.type),
            "discount": str(discount.amount),
            "bill": str(bill.amount) if bill else None,
            "to_pay": str((bill - discount).amount) if bill else None,
            "currency": use.currency,
            "store": use.store.code if use.store else None,
            "order_ref": use.order_ref,
            "used_at": use.used_at,
            "cancelled_at": use.cancelled_at,
        }
    )
    return dict(answer.data)
