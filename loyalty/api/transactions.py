"""/api/v1/transactions: what was paid and taken back, and what it earned."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import Instant, LineOfText, query_of
from kit.money import Money
from kit.paging import PageIn, PageOut, page_of
from loyalty.api.members import member_or_404
from loyalty.models import Award
from members.api import LOOK_UP_PROBLEMS, ApiView, key_of, store_for
from members.models import ApiKey, Store
from payments.api.baskets import coin
from payments.api.orders import OrderLineOut
from payments.models import Transaction
from payments.selectors import left_of
from payments.wording import state_of


class TransactionFilterIn(PageIn):
    member = LineOfText(longest=20, required=False, help_text="The member number.")
    order_ref = LineOfText(required=False)
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")
    kind = serializers.ChoiceField(choices=Transaction.Kind.choices, required=False)
    since = Instant(required=False, help_text="Occurred then or later: ISO 8601 with an offset.")
    until = Instant(required=False, help_text="Occurred before then.")


class TransactionOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Transaction.Kind.choices)
    order_ref = serializers.CharField()
    payment_ref = serializers.CharField(help_text="The platform's number of the payment.")
    effect_ref = serializers.CharField(help_text="Its number of this effect.")
    original = serializers.UUIDField(
        allow_null=True, help_text="Of a refund or chargeback: the payment."
    )
    amount = serializers.CharField()
    currency = serializers.CharField()
    method = serializers.CharField()
    platform = serializers.CharField()
    store = serializers.CharField(allow_null=True)
    member = serializers.CharField(allow_null=True, help_text="Null: nobody is known yet.")
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    points = serializers.IntegerField(
        allow_null=True, help_text="Negative: taken back. Null: not settled yet."
    )
    state = serializers.CharField(help_text="In words: done, due, or what it waits for.")


class TransactionPageOut(PageOut):
    items = TransactionOut(many=True)


class OneTransactionOut(TransactionOut):
    left = serializers.CharField(
        allow_null=True, help_text="Of a payment: what is left of it after all taken back."
    )
    lines = OrderLineOut(many=True)


_TRANSACTION: Final = {
    "id": "0199a1f4-7c11-7a02-8f0c-5d1c9b2e7f31",
    "kind": "payment",
    "order_ref": "TST-20261121-0042",
    "payment_ref": "TST-20261121-0042",
    "effect_ref": "TST-20261121-0042",
    "original": None,
    "amount": "238.00",
    "currency": "HKD",
    "method": "octopus",
    "platform": "till",
    "store": "TST",
    "member": "M4K7Q2Z9P",
    "occurred_at": "2026-11-21T15:04:05+08:00",
    "received_at": "2026-11-21T15:04:06+08:00",
    "points": 238,
    "state": "Done",
}


class TransactionsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.TRANSACTIONS_READ

    @extend_schema(
        operation_id="list_transactions",
        summary="Payments, refunds and chargebacks, latest first",
        description="A key of a store sees the transactions of that store only.",
        tags=["transactions"],
        parameters=[TransactionFilterIn],
        responses={200: TransactionPageOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "A page",
                response_only=True,
                value={"items": [_TRANSACTION], "next_cursor": None},
            )
        ],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, TransactionFilterIn)
        store = store_for(request, asked.get("store", ""))
        rows = _in_sight(store).filter(_chosen(asked))
        page = page_of(
            rows,
            {**asked, "store": store.code if store else ""},
            order=("-occurred_at", "-id"),
            show=lambda row: dict(TransactionOut(_shown(row)).data),
        )
        return Response(page)


class TransactionView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.TRANSACTIONS_READ

    @extend_schema(
        operation_id="read_transaction",
        summary="One transaction with its lines",
        tags=["transactions"],
        responses={200: OneTransactionOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "A payment",
                response_only=True,
                value={
                    **_TRANSACTION,
                    "left": "158.00",
                    "lines": [
                        {
                            "sku": "TEA-OOLONG",
                            "name": "Oolong",
                            "quantity": "2",
                            "amount": "158.00",
                        }
                    ],
                },
            )
        ],
    )
    def get(self, request: Request, transaction_id: UUID) -> Response:
        row = _in_sight(key_of(request).store).filter(pk=transaction_id).first()
        if row is None:
            raise NotFound(_("There is no transaction with this id."), "transaction_unknown")
        is_payment = row.kind == Transaction.Kind.PAYMENT
        lines = row.lines.select_related("product").order_by("position")
        shown = _shown(row) | {
            "left": coin(left_of(row)) if is_payment else None,
            "lines": [
                {
                    "sku": line.product.sku,
                    "name": str(line.product),
                    "quantity": f"{line.quantity.normalize():f}",
                    "amount": coin(Money(line.amount, row.currency)),
                }
                for line in lines
            ],
        }
        return Response(OneTransactionOut(shown).data)


def _in_sight(store: Store | None) -> QuerySet[Transaction]:
    rows = Transaction.objects.select_related("account", "store", "member", "award")
    return rows.filter(store=store) if store is not None else rows


def _chosen(asked: dict[str, Any]) -> Q:
    chosen = Q()
    if asked.get("member"):
        member = member_or_404(asked["member"])
        # What was paid as somebody who turned out to be the same person is theirs as well.
        chosen &= Q(member=member) | Q(member__merged_into=member)
    for name, path in (("order_ref", "order_ref"), ("kind", "kind")):
        if asked.get(name):
            chosen &= Q(**{path: asked[name]})
    if "since" in asked:
        chosen &= Q(occurred_at__gte=asked["since"])
    if "until" in asked:
        chosen &= Q(occurred_at__lt=asked["until"])
    return chosen


def _shown(row: Transaction) -> dict[str, Any]:
    award: Award | None = getattr(row, "award", None)
    return {
        "id": row.pk,
        "kind": row.kind,
        "order_ref": row.order_ref,
        "payment_ref": row.payment_ref,
        "effect_ref": row.effect_ref,
        "original": row.original_id,
        "amount": coin(row.money),
        "currency": row.currency,
        "method": row.method,
        "platform": row.account.provider,
        "store": row.store.code if row.store else None,
        "member": row.member.code if row.member else None,
        "occurred_at": row.occurred_at,
        "received_at": row.received_at,
        "points": award.points if award else None,
        "state": state_of(row),
    }
