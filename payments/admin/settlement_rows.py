"""Rows of settlement files, and the proposals to book those that we lack."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from kit.admin import NOTHING, FactAdmin, PeriodFilter, RelatedFilter, action, display
from kit.money import Money
from kit.scope import Scoping
from payments.admin.settlements import sentence_of, sentence_of_homeless
from payments.models import Proposal, SettlementRow
from payments.services.reconcile.proposing import (
    MOST_PROPOSED,
    NotTheSamePerson,
    Result,
    decide,
    propose,
)
from payments.wording import in_a_line, signed_amount

AGREE = "payments.agree_proposal"
_LABELS = {
    "matched": "success",
    "missing_here": "danger",
    "missing_there": "danger",
    "amount_differs": "danger",
    "currency_differs": "danger",
    "fee_differs": "warning",
    "duplicate": "warning",
    "not_sales": "info",
    "elsewhere": "info",
    "": "info",
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget()
    )


@admin.register(SettlementRow)
class SettlementRowAdmin(FactAdmin):
    scope = Scoping(
        store="settlement__account__store", region="settlement__account__store__region"
    )
    list_display = [
        "shown_number",
        "shown_verdict",
        "kind",
        "payment_ref",
        "shown_amount",
        "shown_ours",
        "shown_fee",
        "occurred_at",
        "transaction",
    ]
    list_select_related = ["transaction"]
    list_filter = [
        ("verdict", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("settlement", RelatedFilter),
        ("occurred_at", PeriodFilter),
    ]
    search_fields = ["=payment_ref", "=effect_ref", "=order_ref"]
    search_help_text = gettext_lazy("Payment, refund or order reference, whole")
    ordering = ["number", "pk"]
    actions = ["propose_to_book"]
    fields = [
        "settlement", "shown_number", "verdict_in_words", "kind", "payment_ref", "effect_ref",
        "order_ref", "shown_amount", "shown_ours", "shown_fee", "shown_settled",
        "occurred_at", "settled_on", "method", "transaction",
    ]  # fmt: skip
    readonly_fields = [
        "shown_number",
        "verdict_in_words",
        "shown_amount",
        "shown_ours",
        "shown_fee",
        "shown_settled",
    ]
    export_fields = [
        "settlement__file_name", "number", "verdict", "kind", "payment_ref", "effect_ref",
        "order_ref", "amount", "currency", "our_amount", "fee", "settled_amount",
        "settled_currency", "occurred_at", "settled_on",
    ]  # fmt: skip

    def has_propose_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("payments.add_settlement"))

    @action(
        description=gettext_lazy("Propose to book what is missing here"), permissions=["propose"]
    )
    def propose_to_book(
        self, request: HttpRequest, queryset: QuerySet[SettlementRow]
    ) -> HttpResponse | None:
        asked = "reason" in request.POST
        form = ReasonForm(request.POST if asked else None)
        rows = queryset.filter(verdict=SettlementRow.Verdict.MISSING_HERE)
        if not form.is_valid():
            return self.ask_why(request, form, rows)
        made = propose(
            SettlementRow.objects.filter(pk__in=rows.order_by().values("pk")),
            reason=form.cleaned_data["reason"],
            user=request.user,
            now=timezone.now(),
        )
        words = ngettext(
            "%(count)d row was proposed. Somebody else has to agree now.",
            "%(count)d rows were proposed. Somebody else has to agree now.",
            len(made),
        )
        self.say(request, words % {"count": len(made)})
        return None

    def ask_why(
        self, request: HttpRequest, form: ReasonForm, rows: QuerySet[SettlementRow]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Propose to book these"),
            "form": form,
            "rows": [(row.pk, in_a_line(row)) for row in rows[:MOST_PROPOSED]],
            "action": "propose_to_book",
            "explanation": _(
                "Only rows that are missing here are proposed. A second person agrees before"
                " anything is booked."
            ),
            "submit_words": _("Propose"),
            "back": "admin:payments_settlementrow_changelist",
        }
        return TemplateResponse(request, "admin/ask.html", context)

    @display(description=gettext_lazy("row"), ordering="number")
    def shown_number(self, row: SettlementRow) -> str:
        return str(row.number) if row.number else NOTHING

    @display(description=gettext_lazy("verdict"), label=_LABELS)
    def shown_verdict(self, row: SettlementRow) -> tuple[str, str]:
        return row.verdict, str(SettlementRow.Verdict(row.verdict).label)

    @display(description=gettext_lazy("verdict"))
    def verdict_in_words(self, row: SettlementRow) -> str:
        return self.shown_verdict(row)[1]

    @display(description=gettext_lazy("in the file"), ordering="amount")
    def shown_amount(self, row: SettlementRow) -> str:
        return row.money.display(get_language() or "en") if row.number else NOTHING

    @display(description=gettext_lazy("here"))
    def shown_ours(self, row: SettlementRow) -> str:
        if row.our_amount is None or row.transaction is None:
            return NOTHING
        return Money(row.our_amount, row.transaction.currency).display(get_language() or "en")

    @display(description=gettext_lazy("fee"))
    def shown_fee(self, row: SettlementRow) -> str:
        if row.fee is None:
            return NOTHING
        money = Money(row.fee, row.settled_currency or row.currency)
        return money.display(get_language() or "en")

    @display(description=gettext_lazy("settled amount"))
    def shown_settled(self, row: SettlementRow) -> str:
        if row.settled_amount is None:
            return NOTHING
        money = Money(row.settled_amount, row.settled_currency or row.currency)
        return money.display(get_language() or "en")


class OpenFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("open", _("undecided")),
            ("agreed", _("agreed")),
            ("declined", _("turned down")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = {"open": None, "agreed": True, "declined": False}
        value = self.value()
        return queryset.filter(is_agreed=wanted[value]) if value in wanted else queryset


@admin.register(Proposal)
class ProposalAdmin(FactAdmin):
    scope = Scoping(
        store="row__settlement__account__store",
        region="row__settlement__account__store__region",
    )
    list_display = [
        "proposed_at",
        "proposed_by",
        "account",
        "payment",
        "shown_amount",
        "reason",
        "shown_state",
        "decided_by",
    ]
    list_select_related = ["row__settlement__account", "proposed_by", "decided_by"]
    list_filter = [OpenFilter, ("proposed_at", PeriodFilter)]
    search_fields = ["=row__payment_ref", "reason"]
    ordering = ["-proposed_at"]
    actions = ["agree", "decline"]
    when_empty = gettext_lazy(
        "Nothing was proposed yet. Staff propose what a settlement file has and we lack, and"
        " somebody else agrees before it is booked."
    )
    fields = [
        "row", "account", "payment", "shown_amount", "reason", "proposed_by", "proposed_at",
        "state_in_words", "decided_by", "decided_at",
    ]  # fmt: skip
    readonly_fields = ["account", "payment", "shown_amount", "state_in_words"]
    export_fields = [
        "proposed_at", "proposed_by__username", "row__payment_ref", "row__amount",
        "row__currency", "reason", "is_agreed", "decided_by__username", "decided_at",
    ]  # fmt: skip

    def has_agree_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(AGREE)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Agree, and book the selected rows"), permissions=["agree"])
    def agree(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        result = self._decide(request, queryset, is_agreed=True)
        if result is None:
            return
        self.say(request, sentence_of(result))
        if result.homeless:
            self.say(request, sentence_of_homeless(result), level=messages.WARNING)

    @action(description=gettext_lazy("Decline the selected proposals"), permissions=["agree"])
    def decline(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        if self._decide(request, queryset, is_agreed=False) is not None:
            self.say(request, _("Declined; nothing was booked."))

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[Proposal], *, is_agreed: bool
    ) -> Result | None:
        rows = Proposal.objects.filter(pk__in=queryset.order_by().values("pk"))
        try:
            _count, result = decide(
                rows, is_agreed=is_agreed, user=request.user, now=timezone.now()
            )
        except NotTheSamePerson as refusal:
            self.say(request, str(refusal), level=messages.ERROR)
            return None
        return result

    @display(description=gettext_lazy("account"))
    def account(self, proposal: Proposal) -> str:
        return str(proposal.row.settlement.account)

    @display(description=gettext_lazy("payment reference"))
    def payment(self, proposal: Proposal) -> str:
        return proposal.row.payment_ref

    @display(description=gettext_lazy("amount"))
    def shown_amount(self, proposal: Proposal) -> str:
        return signed_amount(proposal.row)

    @display(
        description=gettext_lazy("state"),
        label={"open": "warning", "agreed": "success", "declined": "danger"},
    )
    def shown_state(self, proposal: Proposal) -> tuple[str, str]:
        if proposal.is_agreed is None:
            return "open", _("undecided")
        return ("agreed", _("agreed")) if proposal.is_agreed else ("declined", _("turned down"))

    @display(description=gettext_lazy("state"))
    def state_in_words(self, proposal: Proposal) -> str:
        return self.shown_state(proposal)[1]
