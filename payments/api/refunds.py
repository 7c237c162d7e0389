"""/api/v1/orders/{order_ref}/returns and /api/v1/transactions/{id}/refunds: money that went back
without a platform telling us."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import (
    PROBLEM_TYPE,
    Instant,
    LineOfText,
    PlainDecimal,
    Refused,
    StrictSerializer,
    YesOrNo,
    checked,
)
from members.api import (
    CHANGE_PROBLEMS,
    IDEMPOTENCY_KEY,
    ApiView,
    answer_once,
    key_of,
    store_for,
)
from members.models import ApiKey, Store
from payments.api.baskets import (
    MOST_LINES,
    LineIn,
    coin,
    not_ahead,
    notice_lines,
    positive_money,
)
from payments.api.orders import text_in_path
from payments.models import Transaction
from payments.providers.base import Kind
from payments.selectors import left_of
from payments.services.refunds import (
    CannotRefund,
    NotAPayment,
    RefTaken,
    TooMuch,
    Wanted,
    refund_payment,
)

_STATUS: Final = {
    RefTaken: (HTTPStatus.CONFLICT, "refund_ref_taken"),
    TooMuch: (HTTPStatus.UNPROCESSABLE_ENTITY, "refund_too_large"),
    NotAPayment: (HTTPStatus.UNPROCESSABLE_ENTITY, "not_a_payment"),
}


class _BackIn(StrictSerializer):
    amount = PlainDecimal(required=False, help_text="Left out: what the lines come to.")
    # The stubs do not know that `many` makes a list, which has a length.
    lines = LineIn(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]
    occurred_at = Instant(required=False, help_text="Left out: now.")
    reason = LineOfText(longest=200, required=False)
    is_outside = YesOrNo(
        default=False,
        help_text="True: paid back another way (cash, say) than by the platform of the payment.",
    )

    def validate_occurred_at(self, moment: Any) -> Any:
        return not_ahead(moment)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "amount" not in given and not given.get("lines"):
            raise serializers.ValidationError({"amount": [_("Send an amount or lines.")]})
        if "amount" not in given:
            given["amount"] = sum((line["amount"] for line in given["lines"]), Decimal(0))
        return given


class RefundIn(_BackIn):
    refund_ref = LineOfText(
        help_text="Your own number of the refund, or the platform's if it has one."
    )


class ReturnIn(_BackIn):
    return_ref = LineOfText(
        help_text="Your own number of the return, or the platform's of the refund."
    )
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")


class RefundOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment = serializers.UUIDField(help_text="The payment that it takes back.")
    order_ref = serializers.CharField()
    refund_ref = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    left = serializers.CharField(help_text="Of the payment, after everything taken back.")
    is_new = serializers.BooleanField(help_text="False: this refund was known already.")


_REFUND: Final = {
    "id": "0199a1f9-11aa-7e02-a3c1-7b2d9c5e4f60",
    "payment": "0199a1f4-7c11-7a02-8f0c-5d1c9b2e7f31",
    "order_ref": "WEB-10042",
    "refund_ref": "RET-0007",
    "amount": "80.00",
    "currency": "HKD",
    "left": "158.00",
    "is_new": True,
}
_BOOKED: Final = OpenApiExample(
    "Booked", response_only=True, status_codes=["200", "201"], value=_REFUND
)
_TOO_MUCH: Final = OpenApiExample(
    "More than is left",
    response_only=True,
    media_type=PROBLEM_TYPE,
    status_codes=["422"],
    value={
        "type": "urn:regulars:problem:refund-too-large",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "refund_too_large",
        "detail": "Only HK$158.00 is left of this payment. Enter that much or less.",
        "left": "158.00",
    },
)


class RefundsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.REFUNDS_WRITE

    @extend_schema(
        operation_id="refund_transaction",
        summary="Book a refund that the platform does not report",
        description=(
            "For ECPay, LINE Pay, Octopus and whatever is paid back in cash. It moves no money: "
            "it tells us that money went back, and points follow. The same `refund_ref` with the "
            "same amount is booked once."
        ),
        tags=["refunds"],
        parameters=[IDEMPOTENCY_KEY],
        request=RefundIn,
        responses={201: RefundOut, 200: RefundOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "A part of it",
                request_only=True,
                value={"refund_ref": "RET-0007", "amount": "80.00", "reason": "Broken cup"},
            ),
            _BOOKED,
            _TOO_MUCH,
        ],
    )
    @answer_once
    def post(self, request: Request, transaction_id: UUID) -> Response:
        asked = checked(RefundIn, request.data)
        own = key_of(request).store
        rows = Transaction.objects.filter(pk=transaction_id)
        payment = (rows.filter(store=own) if own else rows).first()
        if payment is None:
            raise NotFound(_("There is no transaction with this id."), "transaction_unknown")
        return _refund(request, payment, asked, asked["refund_ref"])


class ReturnsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.REFUNDS_WRITE

    @extend_schema(
        operation_id="return_order",
        summary="Book a return of an order",
        description=(
            "A refund of the order's payment, with the lines that came back. Where the platform "
            "reports its refunds itself, give its number as `return_ref`: then the two are one. "
            "An order that nobody has paid yet cannot be returned (409 `order_not_paid`)."
        ),
        tags=["refunds"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReturnIn,
        responses={201: RefundOut, 200: RefundOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "One cup",
                request_only=True,
                value={
                    "return_ref": "RET-0007",
                    "lines": [{"sku": "CUP-BLUE", "amount": "80.00"}],
                },
            ),
            _BOOKED,
            _TOO_MUCH,
        ],
    )
    @answer_once
    def post(self, request: Request, order_ref: str) -> Response:
        asked = checked(ReturnIn, request.data)
        store = store_for(request, asked.get("store", ""))
        payments = _payments(text_in_path(order_ref), store)
        payment = _payment_for(payments, asked)
        return _refund(request, payment, asked, asked["return_ref"])


def _payments(order_ref: str, store: Store | None) -> list[Transaction]:
    rows = Transaction.objects.filter(kind=Kind.PAYMENT, order_ref=order_ref)
    if store is not None:
        rows = rows.filter(store=store)
    payments = list(rows.order_by("occurred_at", "pk")[:50])
    if not payments:
        raise Refused(
            _("No payment of this order is known here. Send the return once it is paid."),
            code="order_not_paid",
            status=HTTPStatus.CONFLICT,
        )
    if len({payment.store_id for payment in payments}) > 1:
        raise serializers.ValidationError(
            {"store": [_("Two stores have this number. Name the store.")]}
        )
    return payments


def _payment_for(payments: list[Transaction], asked: Mapping[str, Any]) -> Transaction:
    """The one that this return was booked on before, else the first with enough left."""
    before = Transaction.objects.filter(
        Q(original__in=payments), kind=Kind.REFUND, effect_ref=asked["return_ref"]
    ).first()
    if before is not None and before.original is not None:
        return before.original
    enough = (p for p in payments if left_of(p).amount >= asked["amount"])
    return next(enough, None) or max(payments, key=lambda p: left_of(p).amount)


def _refund(
    request: Request, payment: Transaction, asked: Mapping[str, Any], ref: str
) -> Response:
    money = positive_money(asked, "amount", payment.currency)
    wanted = Wanted(
        amount=money,
        ref=ref,
        reason=asked.get("reason", ""),
        lines=notice_lines(list(asked.get("lines", [])), money),
        occurred_at=asked.get("occurred_at"),
        is_outside=asked["is_outside"],
    )
    try:
        refunded = refund_payment(payment, wanted, by=key_of(request), now=timezone.now())
    except CannotRefund as refusal:
        raise _problem(refusal, payment) from refusal
    row = refunded.transaction
    shown = {
        "id": row.pk,
        "payment": payment.pk,
        "order_ref": payment.order_ref,
        "refund_ref": row.effect_ref,
        "amount": coin(row.money),
        "currency": row.currency,
        "left": coin(left_of(payment)),
        "is_new": refunded.is_new,
    }
    status = HTTPStatus.CREATED if refunded.is_new else HTTPStatus.OK
    return Response(RefundOut(shown).data, status)


def _problem(refusal: CannotRefund, payment: Transaction) -> Refused:
    status, code = _STATUS.get(
        type(refusal), (HTTPStatus.UNPROCESSABLE_ENTITY, "refund_not_possible")
    )
    extra = {"left": coin(left_of(payment))} if isinstance(refusal, TooMuch) else {}
    return Refused(str(refusal), code=code, status=status, **extra)
