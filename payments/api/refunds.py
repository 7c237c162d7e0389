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
from payments.api.orders import text_in_path, two_stores
from payments.api.refusals import left_in, problem_of
from payments.models import Order, Transaction
from payments.providers.base import Kind
from payments.selectors import left_of
from payments.services.refunds import (
    CannotRefund,
    Refunded,
    Wanted,
    refund_payment,
)
from payments.services.returns import currency_of, return_order


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
        longest=90,
        help_text="Your own number of the return, or the platform's of the refund.",
    )
    store = LineOfText(
        longest=20,
        required=False,
        help_text=(
            "Left out: the key's own store, or whichever has the number. Blank: an order without "
            "a store."
        ),
    )


class RefundOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment = serializers.UUIDField(help_text="The payment that it takes back.")
    order_ref = serializers.CharField()
    refund_ref = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    left = serializers.CharField(help_text="Of the payment, after everything taken back.")
    is_new = serializers.BooleanField(help_text="False: this refund was known already.")


class ReturnOut(RefundOut):
    """The whole return; `id` and `payment` are those of its first part."""

    left = serializers.CharField(help_text="Of all payments of the order, in this currency.")
    parts = RefundOut(many=True, help_text="One for each payment that bears a share.")


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
_SECOND: Final = {
    "id": "0199a1f9-11ab-7c55-9d2e-4f60a1b3c5d7",
    "payment": "0199a1f4-7c12-7d31-b6a8-0e2f4c6a8b1d",
    "refund_ref": "RET-0007:2",
    "amount": "138.00",
    "left": "0.00",
}
_RETURNED: Final = [
    OpenApiExample(
        "Booked",
        response_only=True,
        status_codes=["200", "201"],
        value={**_REFUND, "parts": [_REFUND]},
    ),
    OpenApiExample(
        "Booked on card and cash",
        response_only=True,
        status_codes=["200", "201"],
        value={
            **_REFUND,
            "amount": "238.00",
            "left": "0.00",
            "parts": [
                {**_REFUND, "amount": "100.00", "left": "0.00"},
                {**_REFUND, **_SECOND},
            ],
        },
    ),
]
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
_TOO_MUCH_OF_SEVERAL: Final = OpenApiExample(
    "More than is left of two payments",
    response_only=True,
    media_type=PROBLEM_TYPE,
    status_codes=["422"],
    value={
        "type": "urn:regulars:problem:refund-too-large",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "refund_too_large",
        "detail": (
            "Only HK$158.00 is left of what was paid for this order: HK$20.00 of ch_3QF, "
            "HK$138.00 of TST-0043. Enter that much or less."
        ),
        "left": "158.00",
        "payments": [
            {
                "id": "0199a1f4-7c11-7a02-8f0c-5d1c9b2e7f31",
                "method": "card",
                "left": "20.00",
                "currency": "HKD",
            },
            {
                "id": "0199a1f4-7c12-7d31-b6a8-0e2f4c6a8b1d",
                "method": "cash",
                "left": "138.00",
                "currency": "HKD",
            },
        ],
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
            "An order that nobody has paid yet cannot be returned (409 `order_not_paid`).\n\n"
            "Of an order with several payments each bears a share by what is left of it, and "
            "`parts` shows them: `RET-0007`, `RET-0007:2` … The lines stay together, on the part "
            "of the payment that has the lines bought. What went back over one payment only "
            "belongs to `/transactions/{id}/refunds`."
        ),
        tags=["refunds"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReturnIn,
        responses={201: ReturnOut, 200: ReturnOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "One cup",
                request_only=True,
                value={
                    "return_ref": "RET-0007",
                    "lines": [{"sku": "CUP-BLUE", "amount": "80.00"}],
                },
            ),
            *_RETURNED,
            _TOO_MUCH,
            _TOO_MUCH_OF_SEVERAL,
        ],
    )
    @answer_once
    def post(self, request: Request, order_ref: str) -> Response:
        asked = checked(ReturnIn, request.data)
        store = store_for(request, asked.get("store", ""))
        payments = _payments(
            text_in_path(order_ref), store, is_without=store is None and "store" in asked
        )
        wanted = _wanted(asked, asked["return_ref"], currency_of(payments))
        try:
            parts = return_order(payments, wanted, by=key_of(request), now=timezone.now())
        except CannotRefund as refusal:
            raise problem_of(refusal, payments) from refusal
        first = parts[0]
        shown = _shown(first) | {
            "refund_ref": asked["return_ref"],
            "amount": coin(wanted.amount),
            "left": coin(left_in(wanted.amount.currency, payments)),
            "parts": [_shown(part) for part in parts],
        }
        return Response(ReturnOut(shown).data, _status(first))


def _payments(order_ref: str, store: Store | None, *, is_without: bool) -> list[Transaction]:
    """The payments of an order: of this store, of none (`is_without`), or wherever it is."""
    rows = Transaction.objects.filter(kind=Kind.PAYMENT, order_ref=order_ref)
    if store is not None:
        rows = rows.filter(store=store)
    elif is_without:
        # A store may take the money for an order that belongs to none.
        rows = rows.filter(
            Q(order=None, store=None) | Q(order__in=Order.objects.filter(store=None))
        )
    payments = list(rows.select_related("order").order_by("occurred_at", "pk")[:50])
    if not payments:
        raise Refused(
            _("No payment of this order is known here. Send the return once it is paid."),
            code="order_not_paid",
            status=HTTPStatus.CONFLICT,
        )
    stores = {payment.store_id for payment in payments}
    if len(stores) > 1 and not is_without:
        raise two_stores(stores)
    return payments


def _refund(
    request: Request, payment: Transaction, asked: Mapping[str, Any], ref: str
) -> Response:
    wanted = _wanted(asked, ref, payment.currency)
    try:
        refunded = refund_payment(payment, wanted, by=key_of(request), now=timezone.now())
    except CannotRefund as refusal:
        raise problem_of(refusal, [payment]) from refusal
    return Response(RefundOut(_shown(refunded)).data, _status(refunded))


def _wanted(asked: Mapping[str, Any], ref: str, currency: str) -> Wanted:
    money = positive_money(asked, "amount", currency)
    return Wanted(
        amount=money,
        ref=ref,
        reason=asked.get("reason", ""),
        lines=notice_lines(list(asked.get("lines", [])), money),
        occurred_at=asked.get("occurred_at"),
        is_outside=asked["is_outside"],
    )


def _shown(refunded: Refunded) -> dict[str, Any]:
    row = refunded.transaction
    payment = row.original
    assert payment is not None  # Only what has one is booked here.
    return {
        "id": row.pk,
        "payment": payment.pk,
        "order_ref": payment.order_ref,
        "refund_ref": row.effect_ref,
        "amount": coin(row.money),
        "currency": row.currency,
        "left": coin(left_of(payment)),
        "is_new": refunded.is_new,
    }


def _status(refunded: Refunded) -> HTTPStatus:
    return HTTPStatus.CREATED if refunded.is_new else HTTPStatus.OK
