"""Orders: what was bought, what came in for it, and where the two differ."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import get_language, gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import BaseTabular, FactAdmin, PeriodFilter, RelatedFilter, display, plain
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from kit.scope import Scoping
from payments.models import Order, OrderLine, Transaction

_AMOUNT = DecimalField(max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)


class PaidFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("payment")
    parameter_name = "paid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("differs", gettext_lazy("paid, but another amount")),
            ("whole", gettext_lazy("paid as ordered")),
            ("none", gettext_lazy("not paid yet")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {
            "differs": Q(payments__isnull=False) & ~Q(paid=F("amount")),
            "whole": Q(payments__isnull=False, paid=F("amount")),
            "none": Q(payments__isnull=True),
        }
        known = chosen.get(self.value() or "")
        return queryset if known is None else queryset.filter(known).distinct()


class OrderLineInline(BaseTabular):
    model = OrderLine
    fields = ["position", "product", "shown_quantity", "shown_amount"]
    readonly_fields = ["position", "product", "shown_quantity", "shown_amount"]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("product", "order")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("payments.view_order"))

    @display(description=gettext_lazy("quantity"))
    def shown_quantity(self, line: OrderLine) -> str:
        return plain(line.quantity)

    @display(description=gettext_lazy("amount"))
    def shown_amount(self, line: OrderLine) -> str:
        return Money(line.amount, line.order.currency).display(get_language() or "en")


@admin.register(Order)
class OrderAdmin(FactAdmin):
    scope = Scoping(store="store", region="store__region")
    list_display = [
        "ordered_at", "order_ref", "shown_amount", "shown_paid", "shown_difference", "member",
        "store", "channel",
    ]  # fmt: skip
    list_select_related = ["member", "store"]
    list_filter = [PaidFilter, ("store", RelatedFilter), ("ordered_at", PeriodFilter)]
    search_fields = ["order_ref__exact", "member__code__exact"]
    search_help_text = gettext_lazy("Order number or member number, whole")
    ordering = ["-ordered_at"]
    inlines = [OrderLineInline]
    when_empty = gettext_lazy("No order has come in yet. Shops and tills send them by API.")
    fieldsets = [
        (None, {"fields": [
            "order_ref", "shown_amount", "shown_paid", "shown_difference", "member", "store",
        ]}),
        (gettext_lazy("Where it came from"), {"fields": [
            "channel", "ordered_at", "received_at", "api_key",
        ]}),
    ]  # fmt: skip
    readonly_fields = ["shown_amount", "shown_paid", "shown_difference"]
    export_fields = [
        "ordered_at",
        "order_ref",
        "amount",
        "currency",
        "member__code",
        "store__code",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        paid = (
            Transaction.objects.filter(order=OuterRef("pk"), currency=OuterRef("currency"))
            .order_by()
            .values("order")
            .annotate(paid=Sum("amount"))
            .values("paid")
        )
        rows: QuerySet[Order] = super().get_queryset(request)
        return rows.annotate(
            paid=Coalesce(Subquery(paid, output_field=_AMOUNT), Decimal(0), output_field=_AMOUNT)
        )

    @display(description=gettext_lazy("ordered"), ordering="amount")
    def shown_amount(self, order: Order) -> str:
        return order.money.display(get_language() or "en")

    @display(description=gettext_lazy("paid"))
    def shown_paid(self, order: Any) -> str:
        return Money(order.paid, order.currency).display(get_language() or "en")

    @display(description=gettext_lazy("difference"), label="warning")
    def shown_difference(self, order: Any) -> str | None:
        """Nothing is said of an order that nobody has paid yet: it may be on its way."""
        if order.paid in (0, order.amount):
            return None
        return Money(order.paid - order.amount, order.currency).display(get_language() or "en")
