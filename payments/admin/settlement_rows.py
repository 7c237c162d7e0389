"""Rows of settlement files, and the proposals to book those that we lack."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.forms import BaseDialogForm
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
    proposable,
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


_NONE_TO_PROPOSE = gettext_lazy(
    "None of the chosen rows can be proposed: it takes a row that is missing here, of a file that"
    " was not withdrawn, without an undecided proposal."
)


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
    search_fields = ["payment_ref__exact", "effect_ref__exact", "order_ref__exact"]
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
        rows = proposable(queryset)
        if not rows.exists():
            self.say(request, str(_NONE_TO_PROPOSE), level=messages.ERROR)
            return None
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
    search_fields = ["row__payment_ref__exact", "reason"]
    ordering = ["-proposed_at"]
    actions = ["agree", "decline"]
    actions_detail = ["agree_one", "decline_one"]
    when_empty = gettext_lazy(
        "Nothing was proposed yet. Staff propose what a settlement file has and we lack, and"
        " somebody else agrees before it is booked."
    )
    fields = [
        "row", "account", "payment", "shown_amount", "reason", "proposed_by", "proposed_at",
        "state_in_words", "what_now", "decided_by", "decided_at",
    ]  # fmt: skip
    readonly_fields = ["account", "payment", "shown_amount", "state_in_words", "what_now"]
    export_fields = [
        "proposed_at", "proposed_by__username", "row__payment_ref", "row__amount",
        "row__currency", "reason", "is_agreed", "decided_by__username", "decided_at",
    ]  # fmt: skip

    def has_agree_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(AGREE)) and self.is_in_scope(request, obj)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """On its own page, where the proposer finds no buttons. Who comes second is told so."""
        row = self.known(request, getattr(obj, "pk", obj)) if obj else None
        if row is None or row.viewer_proposed_it:
            return False
        return self.has_agree_permission(request, row)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.viewer_proposed_it = row.proposed_by_id == request.user.pk
        return row

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        row = self.known(request, object_id)
        if row is None or row.decided_at is not None:
            return []
        return list(super().get_actions_detail(request, object_id))

    @action(description=gettext_lazy("Agree, and book the selected rows"), permissions=["agree"])
    def agree(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        self._decide(request, queryset, is_agreed=True)

    @action(description=gettext_lazy("Decline the selected proposals"), permissions=["agree"])
    def decline(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        self._decide(request, queryset, is_agreed=False)

    @action(
        description=gettext_lazy("Agree"),
        icon="check",
        permissions=["decide"],
        dialog={
            "title": gettext_lazy("Agree, and book it?"),
            "description": gettext_lazy(
                "It becomes a transaction, and points follow it. Nobody gets a message for it."
            ),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Agree"),
        },
    )
    def agree_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide_one(request, object_id, is_agreed=True)

    @action(
        description=gettext_lazy("Decline"),
        icon="close",
        permissions=["decide"],
        dialog={
            "title": gettext_lazy("Decline this proposal?"),
            "description": gettext_lazy("Nothing is booked. It may be proposed again."),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Decline"),
        },
    )
    def decline_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide_one(request, object_id, is_agreed=False)

    def _decide_one(
        self, request: HttpRequest, object_id: str, *, is_agreed: bool
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        # The second half of a double click has nothing to say.
        if (row.decided_by_id, row.is_agreed) != (request.user.pk, is_agreed):
            chosen = self.get_queryset(request).filter(pk=row.pk)
            self._decide(request, chosen, is_agreed=is_agreed)
        url = reverse("admin:payments_proposal_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": url})

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[Proposal], *, is_agreed: bool
    ) -> None:
        rows = Proposal.objects.filter(pk__in=queryset.order_by().values("pk"))
        try:
            count, result = decide(
                rows, is_agreed=is_agreed, user=request.user, now=timezone.now()
            )
        except NotTheSamePerson as refusal:
            self.say(request, str(refusal), level=messages.ERROR)
            return
        if not count:
            self.say(request, _("It is decided."), level=messages.WARNING)
        elif is_agreed:
            self._say_what_was_booked(request, result)
        else:
            self.say(request, _("Declined; nothing was booked."))

    def _say_what_was_booked(self, request: HttpRequest, result: Result) -> None:
        self.say(request, sentence_of(result))
        if result.homeless:
            self.say(request, sentence_of_homeless(result), level=messages.WARNING)

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

    @display(description=gettext_lazy("what can be done"))
    def what_now(self, proposal: Proposal) -> str:
        if proposal.decided_at is not None:
            return _("It is decided.")
        if getattr(proposal, "viewer_proposed_it", False):
            return _("You proposed it, so a colleague has to agree before it is booked.")
        return _("It is booked once somebody agrees who did not propose it.")
