"""/api/v1/orders: what was bought and by whom, before, with or after the money for it."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
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
    query_of,
)
from kit.money import Money
from kit.untrusted import Unreadable, clean_text
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
from payments.api.baskets import (
    MOST_LINES,
    LineIn,
    PayerIn,
    coin,
    not_ahead,
    notice_lines,
    payer_in,
    positive_money,
)
from payments.models import Order
from payments.services.orders import (
    NewOrder,
    OrderDiffers,
    PaidAlready,
    Taken,
    payment_of,
    take_order,
)


class OrderIn(PayerIn):
    """An order. Of `member`, `phone`, `email` and `identity` one is enough; all may be absent."""

    order_ref = LineOfText(help_text="The order's number, unique at its store.")
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")
    amount = PlainDecimal(help_text="What the whole order costs, after discounts.")
    currency = LineOfText(longest=3, help_text="ISO 4217.")
    ordered_at = Instant(help_text="ISO 8601 with an offset.")
    channel = LineOfText(longest=40, required=False, help_text="`web`, `app`, `shop` …")
    # The stubs do not know that `many` makes a list, which has a length.
    lines = LineIn(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]
    paid = YesOrNo(
        default=False,
        help_text="True: paid in cash or offline, where no platform will report it.",
    )
    method = LineOfText(longest=40, required=False, help_text="Of a paid order.")
    occurred_at = Instant(required=False, help_text="When a paid order was paid.")

    def validate_ordered_at(self, moment: Any) -> Any:
        return not_ahead(moment)

    def validate_occurred_at(self, moment: Any) -> Any:
        return not_ahead(moment)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given["paid"]:
            for field in ("method", "occurred_at"):
                if given.get(field):
                    raise serializers.ValidationError(
                        {field: [_("Only an order with paid: true has this.")]}
                    )
        given["money"] = positive_money(given, "amount", given["currency"])
        given["lines"] = notice_lines(given.get("lines", []), given["money"])
        return given


class WhichOrderIn(StrictSerializer):
    store = LineOfText(
        longest=20,
        required=False,
        help_text=(
            "Needed if two stores have the number. Blank (`?store=`) means the order without a "
            "store; for a key of a store it is always that store."
        ),
    )


class OrderLineOut(serializers.Serializer[Any]):
    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.CharField()
    amount = serializers.CharField()


class PaymentOfOrderOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    method = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    is_matched = serializers.BooleanField(help_text="Whether the member is known.")


class OrderOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    order_ref = serializers.CharField()
    store = serializers.CharField(allow_null=True)
    member = serializers.CharField(allow_null=True, help_text="Null: nobody is known yet.")
    amount = serializers.CharField()
    currency = serializers.CharField()
    channel = serializers.CharField()
    ordered_at = serializers.DateTimeField()
    lines = OrderLineOut(many=True)
    payments = PaymentOfOrderOut(many=True)
    paid = serializers.CharField(help_text="What came in, before anything was taken back.")
    difference = serializers.CharField(
        allow_null=True, help_text="Paid less ordered. Points follow what was paid."
    )


class TakenOut(OrderOut):
    is_new = serializers.BooleanField(help_text="False: this order was known already.")
    is_late = serializers.BooleanField(
        help_text=(
            "True: its payment had earned before the lines came. They are kept for profiles; the "
            "points stay as they are."
        )
    )


_ORDER: Final = {
    "id": "0199a1f4-6a10-7c44-9b1e-3d5a7f90c2e8",
    "order_ref": "WEB-10042",
    "store": None,
    "member": "M4K7Q2Z9P",
    "amount": "238.00",
    "currency": "HKD",
    "channel": "web",
    "ordered_at": "2026-11-21T15:03:20+08:00",
    "lines": [
        {"sku": "TEA-OOLONG", "name": "Oolong", "quantity": "2", "amount": "158.00"},
        {"sku": "CUP-BLUE", "name": "Blue cup", "quantity": "1", "amount": "80.00"},
    ],
    "payments": [],
    "paid": "0.00",
    "difference": None,
}


class OrdersView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.ORDERS_WRITE

    @extend_schema(
        operation_id="take_order",
        summary="Send an order with its lines",
        description=(
            "It joins its payment by the order number, within its store, whether the payment was "
            "reported before or comes later: the payment gets the order's member and lines. Sent "
            "again with the same content it is known and changes nothing.\n\n"
            "With `paid: true` the sale itself is booked too (cash, offline): such a key needs "
            "the scope `sales:write` as well. A sale without an order goes to `/sales`."
        ),
        tags=["orders"],
        parameters=[IDEMPOTENCY_KEY],
        request=OrderIn,
        responses={201: TakenOut, 200: TakenOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "From the web shop",
                request_only=True,
                value={
                    "order_ref": "WEB-10042",
                    "amount": "238.00",
                    "currency": "HKD",
                    "ordered_at": "2026-11-21T15:03:20+08:00",
                    "channel": "web",
                    "email": "mei@example.com",
                    "lines": [
                        {"sku": "TEA-OOLONG", "quantity": "2", "amount": "158.00"},
                        {"sku": "CUP-BLUE", "amount": "80.00", "category": "cups"},
                    ],
                },
            ),
            OpenApiExample(
                "Paid in cash",
                request_only=True,
                value={
                    "order_ref": "TST-0043",
                    "amount": "80.00",
                    "currency": "HKD",
                    "ordered_at": "2026-11-21T15:03:20+08:00",
                    "paid": True,
                    "method": "cash",
                    "occurred_at": "2026-11-21T15:04:00+08:00",
                    "lines": [{"sku": "CUP-BLUE", "amount": "80.00"}],
                },
            ),
            OpenApiExample(
                "Taken",
                response_only=True,
                status_codes=["200", "201"],
                value={**_ORDER, "is_new": True, "is_late": False},
            ),
            OpenApiExample(
                "Sent before, differently",
                response_only=True,
                media_type=PROBLEM_TYPE,
                status_codes=["409"],
                value={
                    "type": "urn:regulars:problem:order-differs",
                    "title": "Conflict",
                    "status": 409,
                    "code": "order_differs",
                    "detail": "This order was sent before with other amounts or lines. …",
                },
            ),
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        asked = checked(OrderIn, request.data)
        key = key_of(request)
        if asked["paid"] and ApiKey.Scope.SALES_WRITE not in key.scopes:
            raise PermissionDenied(_("A paid order needs a key with the scope sales:write too."))
        store = store_for(request, asked.get("store", ""))
        try:
            taken = take_order(_new_order(asked, store), api_key=key, now=timezone.now())
        except OrderDiffers as refusal:
            raise _conflict(refusal, "order_differs") from refusal
        except PaidAlready as refusal:
            raise _conflict(refusal, "order_paid_already") from refusal
        status = HTTPStatus.CREATED if taken.is_new else HTTPStatus.OK
        return Response(_taken(taken), status)


class OrderView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.TRANSACTIONS_READ

    @extend_schema(
        operation_id="read_order",
        summary="An order, its payments, and what differs between the two",
        tags=["orders"],
        parameters=[WhichOrderIn],
        responses={200: OrderOut, **LOOK_UP_PROBLEMS},
        examples=[OpenApiExample("Not paid yet", response_only=True, value=_ORDER)],
    )
    def get(self, request: Request, order_ref: str) -> Response:
        asked = query_of(request, WhichOrderIn)
        store = store_for(request, asked.get("store", ""))
        rows = Order.objects.filter(order_ref=text_in_path(order_ref))
        if store is not None or "store" in asked:
            rows = rows.filter(store=store)
        found = list(rows.select_related("store")[:2])
        if not found:
            raise NotFound(_("There is no order with this number."), "order_unknown")
        if len(found) > 1:
            raise two_stores(order.store_id for order in found)
        return Response(OrderOut(show_order(found[0])).data)


def text_in_path(text: str) -> str:
    """A reference out of an address; raises NotFound for what no reference can be."""
    try:
        return clean_text(text, "This")
    except Unreadable as problem:
        raise NotFound(_("There is nothing with this number."), "not_found") from problem


def two_stores(stores: Iterable[int | None]) -> serializers.ValidationError:
    """The refusal of a number that these stores have."""
    if None in set(stores):
        words = _(
            "A store has this number too. Name the store, or leave it blank for the order "
            "without a store."
        )
    else:
        words = _("Two stores have this number. Name the store.")
    return serializers.ValidationError({"store": [words]})


def show_order(order: Order) -> dict[str, Any]:
    payment = payment_of(order)
    rows = list(order.payments.order_by("occurred_at", "pk"))
    return {
        "id": order.pk,
        "order_ref": order.order_ref,
        "store": order.store.code if order.store else None,
        "member": order.member.code if order.member else None,
        "amount": coin(order.money),
        "currency": order.currency,
        "channel": order.channel,
        "ordered_at": order.ordered_at,
        "lines": [
            {
                "sku": line.product.sku,
                "name": str(line.product),
                "quantity": f"{line.quantity.normalize():f}",
                "amount": coin(Money(line.amount, order.currency)),
            }
            for line in order.lines.select_related("product").order_by("position")
        ],
        "payments": [
            {
                "id": row.pk,
                "amount": coin(row.money),
                "currency": row.currency,
                "method": row.method,
                "occurred_at": row.occurred_at,
                "is_matched": row.member_id is not None,
            }
            for row in rows
        ],
        "paid": coin(payment.paid),
        "difference": coin(payment.paid - order.money) if rows and payment.difference else None,
    }


def _taken(taken: Taken) -> dict[str, Any]:
    shown = show_order(taken.order) | {"is_new": taken.is_new, "is_late": taken.is_late}
    return dict(TakenOut(shown).data)


def _new_order(asked: dict[str, Any], store: Store | None) -> NewOrder:
    payer = payer_in(asked, store)
    return NewOrder(
        order_ref=asked["order_ref"],
        store=store,
        money=asked["money"],
        ordered_at=asked["ordered_at"],
        member_code=payer.code,
        clues=payer.clues,
        lines=asked["lines"],
        channel=asked.get("channel", ""),
        paid_at=(asked.get("occurred_at") or asked["ordered_at"]) if asked["paid"] else None,
        method=asked.get("method", ""),
    )


def _conflict(refusal: Exception, code: str) -> Refused:
    return Refused(str(refusal), code=code, status=HTTPStatus.CONFLICT)
