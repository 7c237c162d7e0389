"""POST /api/v1/sales: tills and shops send what was paid, with lines."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import Instant, LineOfText, PlainDecimal, Refused, checked
from kit.money import Money
from members.api import CHANGE_PROBLEMS, IDEMPOTENCY_KEY, ApiView, answer_once, store_for
from members.models import ApiKey, Store
from payments.api.baskets import (
    MOST_LINES,
    LineIn,
    PayerIn,
    not_ahead,
    notice_lines,
    payer_in,
    positive_money,
)
from payments.api.refusals import problem_of
from payments.models import Account, Transaction
from payments.providers.base import Kind, Notice
from payments.services.booking import Booked
from payments.services.own_accounts import till_account
from payments.services.refunds import CannotRefund, check_refund
from payments.services.sales import book_sales


class SaleIn(PayerIn):
    """A sale. Of `member`, `phone`, `email` and `identity` one is enough; all may be absent."""

    kind = serializers.ChoiceField(choices=[Kind.PAYMENT.value, Kind.REFUND.value])
    order_ref = LineOfText(help_text="The order's number, unique at its store.")
    refund_ref = LineOfText(
        required=False, help_text="The refund's own number; only for a refund."
    )
    amount = PlainDecimal()
    currency = LineOfText(longest=3, help_text="ISO 4217.")
    occurred_at = Instant(help_text="ISO 8601 with an offset.")
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")
    method = LineOfText(longest=40, required=False)
    # The stubs do not know that `many` makes a list, which has a length.
    lines = LineIn(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]

    def validate_occurred_at(self, moment: datetime) -> datetime:
        return not_ahead(moment)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        is_refund = given["kind"] == Kind.REFUND
        if is_refund != bool(given.get("refund_ref")):
            raise serializers.ValidationError(
                {"refund_ref": [_("A refund has a number of its own, a payment has none.")]}
            )
        given["amount"] = positive_money(given, "amount", given["currency"])
        given["lines"] = notice_lines(given.get("lines", []), given["amount"])
        return given


class SaleOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    order_ref = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    store = serializers.CharField(allow_null=True)
    is_new = serializers.BooleanField(help_text="False: this sale was known already.")
    is_matched = serializers.BooleanField(
        help_text="Whether the member is known. If not, the points wait until they are."
    )


class SalesView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.SALES_WRITE

    @extend_schema(
        operation_id="book_sale",
        summary="Book a payment or a refund",
        description=(
            "Points follow within a second. The same order number with the same amount is "
            "booked once, whatever its Idempotency-Key; with another amount it is refused.\n\n"
            "A refund may come before its payment, and waits for it. Where the payment is known, "
            "a refund of more than is left of it (422 `refund_too_large`) or in another currency "
            "(422 `refund_currency`) is refused, as under `/orders/{order_ref}/returns`."
        ),
        tags=["sales"],
        parameters=[IDEMPOTENCY_KEY],
        request=SaleIn,
        responses={
            201: SaleOut,
            200: SaleOut,
            **CHANGE_PROBLEMS,
        },
        examples=[
            OpenApiExample(
                "Payment with lines",
                request_only=True,
                value={
                    "kind": "payment",
                    "order_ref": "TST-20261121-0042",
                    "amount": "238.00",
                    "currency": "HKD",
                    "occurred_at": "2026-11-21T15:04:05+08:00",
                    "phone": "+852 9123 4567",
                    "lines": [
                        {"sku": "TEA-OOLONG", "quantity": "2", "amount": "158.00"},
                        {"sku": "CUP-BLUE", "amount": "80.00", "category": "cups"},
                    ],
                },
            ),
            OpenApiExample(
                "Refund",
                request_only=True,
                value={
                    "kind": "refund",
                    "order_ref": "TST-20261121-0042",
                    "refund_ref": "TST-20261122-R003",
                    "amount": "80.00",
                    "currency": "HKD",
                    "occurred_at": "2026-11-22T11:20:00+08:00",
                },
            ),
            OpenApiExample(
                "Booked",
                response_only=True,
                value={
                    "id": "0199a1f4-7c11-7a02-8f0c-5d1c9b2e7f31",
                    "kind": "payment",
                    "order_ref": "TST-20261121-0042",
                    "amount": "238.00",
                    "currency": "HKD",
                    "store": "TST",
                    "is_new": True,
                    "is_matched": True,
                },
            ),
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        sale = checked(SaleIn, request.data)
        store = store_for(request, sale.get("store", ""))
        account = till_account(store)
        booked = _book(_notice(sale, store), account)
        if booked.conflicting:
            raise Refused(
                _("This number was booked with another amount. Correct it by a refund."),
                code="sale_conflict",
                status=HTTPStatus.CONFLICT,
            )
        row = booked.fresh[0] if booked.fresh else _known(sale, account.pk)
        status = HTTPStatus.CREATED if booked.fresh else HTTPStatus.OK
        return Response(_answer(row, store, is_new=bool(booked.fresh)), status)


def _book(notice: Notice, account: Account) -> Booked:
    """Book it; a refund whose payment is known is refused as `/returns` would."""
    with transaction.atomic():
        try:
            if notice.kind == Kind.REFUND:
                check_refund(notice, account_id=account.pk)
        except CannotRefund as refusal:
            payments = Transaction.objects.filter(
                account=account, payment_ref=notice.payment_ref, kind=Kind.PAYMENT
            )
            raise problem_of(refusal, list(payments)) from refusal
        return book_sales(
            [notice], account=account, source=Transaction.Source.API, now=timezone.now()
        )


def _notice(sale: dict[str, Any], store: Store | None) -> Notice:
    payer = payer_in(sale, store)
    return Notice(
        kind=Kind(sale["kind"]),
        payment_ref=sale["order_ref"],
        effect_ref=sale.get("refund_ref") or sale["order_ref"],
        amount=sale["amount"],
        occurred_at=sale["occurred_at"],
        order_ref=sale["order_ref"],
        member_code=payer.code,
        store_code=store.code if store else "",
        method=sale.get("method", ""),
        clues=payer.clues,
        lines=sale["lines"],
    )


def _known(sale: dict[str, Any], account_id: int) -> Transaction:
    return Transaction.objects.get(
        account_id=account_id,
        payment_ref=sale["order_ref"],
        kind=sale["kind"],
        effect_ref=sale.get("refund_ref") or sale["order_ref"],
    )


def _answer(row: Transaction, store: Store | None, *, is_new: bool) -> dict[str, Any]:
    return dict(
        SaleOut(
            {
                "id": row.pk,
                "kind": row.kind,
                "order_ref": row.order_ref,
                "amount": str(Money.parse(row.amount, row.currency).amount),
                "currency": row.currency,
                "store": store.code if store else None,
                "is_new": is_new,
                "is_matched": row.member_id is not None,
            }
        ).data
    )
