"""Transactions with what each one earned, and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy

from kit.admin import display, once
from loyalty.models import Award
from loyalty.why import why_rows
from payments.admin.transactions import TransactionAdmin
from payments.import_pages import SaleImports
from payments.models import Transaction


@admin.register(Transaction)
class TransactionDesk(SaleImports, TransactionAdmin):
    readonly_fields = [*TransactionAdmin.readonly_fields, "earned"]
    list_select_related = [*TransactionAdmin.list_select_related, "award"]

    def get_list_display(self, request: HttpRequest) -> Any:
        """The points beside the amount, for whoever may see awards."""
        columns = list(self.list_display)
        if request.user.has_perm("loyalty.view_award"):
            columns.insert(columns.index("shown_amount") + 1, "points")
        return columns

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        given = super().get_fieldsets(request, obj)
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
    return {"award": award, "rows": why_rows(award) if award else []}
