"""The ledger and its awards, to look at: what was booked stays as it is."""

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from kit.admin import FactAdmin, PeriodFilter, RelatedFilter, display, once, plain
from kit.scope import Scoping
from loyalty.models import Award, TierChange, Transfer
from loyalty.why import why_rows
from members.admin.members import OF_MEMBER

_BOTH_SIDES = ["debit__member", "credit__member"]


@admin.register(Transfer)
class TransferAdmin(FactAdmin):
    """Scoped by whichever of its two sides a member holds."""

    scope = Scoping(
        store=("credit__member__home_store", "debit__member__home_store"),
        region=("credit__member__region", "debit__member__region"),
    )
    list_display = ["booked_at", "kind", "shown_points", "debit_side", "credit_side", "reason"]
    list_select_related = _BOTH_SIDES
    list_filter = [("kind", ChoicesDropdownFilter), ("booked_at", PeriodFilter)]
    search_fields = ["debit__member__code__exact", "credit__member__code__exact"]
    search_help_text = gettext_lazy("The whole member number")
    ordering = ["-booked_at"]
    fields = [
        "kind",
        "points",
        "debit_side",
        "credit_side",
        "award",
        "reason",
        "actor",
        "booked_at",
    ]
    readonly_fields = ["debit_side", "credit_side"]
    export_fields = [
        "booked_at",
        "kind",
        "points",
        "debit__member__code",
        "credit__member__code",
        "reason",
    ]

    @display(description=gettext_lazy("points"), ordering="points")
    def shown_points(self, transfer: Transfer) -> str:
        return f"{transfer.points:,}"

    @display(description=gettext_lazy("from"))
    def debit_side(self, transfer: Transfer) -> str:
        return str(transfer.debit.member or transfer.debit)

    @display(description=gettext_lazy("to"))
    def credit_side(self, transfer: Transfer) -> str:
        return str(transfer.credit.member or transfer.credit)


@admin.register(Award)
class AwardAdmin(FactAdmin):
    scope = OF_MEMBER
    list_display = ["booked_at", "member", "transaction", "points", "shown_spend", "paid_at"]
    list_select_related = ["member", "transaction"]
    list_filter = [("booked_at", PeriodFilter)]
    search_fields = ["member__code__exact", "transaction__payment_ref__exact"]
    ordering = ["-booked_at"]
    fields = [
        "member", "transaction", "points", "forgiven", "shown_spend", "paid_at", "booked_at",
        "shown_why",
    ]  # fmt: skip
    readonly_fields = ["shown_spend", "shown_why"]
    export_fields = ["booked_at", "member__code", "transaction__payment_ref", "points", "spend"]

    @display(description=gettext_lazy("spend that counts for the tier"), ordering="spend")
    def shown_spend(self, award: Award) -> str:
        return plain(award.spend)

    @display(description=gettext_lazy("why"))
    def shown_why(self, award: Award) -> str:
        rows = once(award, "why", lambda: why_rows(award))
        return render_to_string("admin/loyalty/award.html", {"award": award, "rows": rows})


@admin.register(TierChange)
class TierChangeAdmin(FactAdmin):
    scope = OF_MEMBER
    list_display = ["changed_at", "member", "before", "after", "cause", "shown_spend"]
    list_select_related = ["member", "before", "after"]
    list_filter = [("after", RelatedFilter), ("cause", ChoicesDropdownFilter)]
    search_fields = ["member__code__exact"]
    ordering = ["-id"]
    fields = ["member", "before", "after", "cause", "shown_spend", "changed_at"]
    readonly_fields = ["shown_spend"]
    export_fields = ["changed_at", "member__code", "before__code", "after__code", "cause"]

    @display(description=gettext_lazy("12-month spend"), ordering="spend")
    def shown_spend(self, change: TierChange) -> str:
        return plain(change.spend)
