"""Transactions with what each one earned, and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.admin import display, once
from loyalty.models import Award, Transfer
from loyalty.selectors import points_of_payment
from loyalty.why import why_rows
from payments.admin.methods import MethodFilter
from payments.admin.origins import OriginColumns, VisitorFilter
from payments.admin.refunds import RefundPages
from payments.admin.transactions import TransactionAdmin
from payments.imports.pages import SaleImports
from payments.models import Transaction
from payments.selectors import method_names


@admin.register(Transaction)
class TransactionDesk(RefundPages, OriginColumns, SaleImports, TransactionAdmin):
    readonly_fields = [
        *TransactionAdmin.readonly_fields,
        *("earned", "what_is_left", "shown_method", "shown_country", "shown_visitor"),
        *("shown_settled", "shown_fee"),
    ]
    list_select_related = [*TransactionAdmin.list_select_related, "award"]
    list_display = [
        "how" if column == "kind" else column for column in TransactionAdmin.list_display
    ]
    list_filter = [*TransactionAdmin.list_filter, MethodFilter, VisitorFilter]
    actions_detail = [*TransactionAdmin.actions_detail, "refund_one"]
    export_fields = [
        *TransactionAdmin.export_fields,
        *("method", "payer_country", "settled_amount", "settled_currency", "fee"),
    ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """One look-up of the names of all payment methods on the page."""
        found = super().get_changelist_instance(request)
        names = method_names(row.method for row in found.result_list)
        for row in found.result_list:
            row.method_name = names.get(row.method, row.method)
        return found

    def get_list_display(self, request: HttpRequest) -> Any:
        """The points beside the amount, for whoever may see awards."""
        columns = list(self.list_display)
        if request.user.has_perm("loyalty.view_award"):
            columns.insert(columns.index("shown_amount") + 1, "points")
        return columns

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        given = [
            *super().get_fieldsets(request, obj),
            (gettext_lazy("Refunds and disputes"), {"fields": ["what_is_left"]}),
            (gettext_lazy("Who paid, and how"), {
                "fields": ["shown_method", "shown_country", "shown_visitor"],
            }),
            (gettext_lazy("Paid out by the platform"), {"fields": ["shown_settled", "shown_fee"]}),
        ]  # fmt: skip
        if not request.user.has_perm("loyalty.view_award"):
            return given
        return [*given, (gettext_lazy("What it earned"), {"fields": ["earned"]})]

    @display(description=gettext_lazy("points"), ordering="award__points")
    def points(self, row: Transaction) -> str:
        award = getattr(row, "award", None)
        return f"{award.points:+,}" if award else "–"

    @display(description=gettext_lazy("award"))
    def earned(self, row: Transaction) -> str:
        return render_to_string(
            "admin/loyalty/award.html", once(row, "award", lambda: _award(row))
        )


def _award(row: Transaction) -> dict[str, Any]:
    award = Award.objects.filter(transaction=row).first()
    return {
        "award": award,
        "rows": why_rows(award) if award else [],
        "since": _since(row) if award else None,
    }


def _since(payment: Transaction) -> dict[str, Any] | None:
    """What is left of the points that a payment earned, once something was taken back of it."""
    points = points_of_payment(payment)
    if points is None:
        return None
    kinds = Transfer.Kind
    moved = [
        (kinds.EARN.label, points.earned),
        (kinds.TAKE_BACK.label, -points.taken_back),
        (kinds.GIVE_BACK.label, points.given_back),
        (_("lapsed before they could be taken back"), -points.lapsed),
    ]
    rows = [(label, f"{figure:+,}".replace("-", "−")) for label, figure in moved if figure]
    return {
        "left": f"{points.left:,}",
        "earned": f"{points.earned:,}",
        "rows": [*rows, (_("left"), f"{points.left:,}")],
    }
