"""Amount conflicts: both tellings side by side, and the decision of staff."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from kit.admin import FactAdmin, PeriodFilter, action, display, once
from kit.scope import Scoping
from payments.admin.payloads import shown_payload
from payments.models import AmountConflict, Callback, CallbackBody
from payments.services.conflicts import (
    CannotDecide,
    accept_second,
    is_higher,
    join_twins,
    keep_first,
    part_twins,
)

DECIDE = "payments.decide_amountconflict"
Kind = AmountConflict.Kind


class ReasonDialog(BaseDialogForm):  # type: ignore[misc]
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget()
    )


class DecidedFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("staff's decision")
    parameter_name = "decided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", _("undecided")), ("yes", _("decided"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(decided_at__isnull=self.value() == "no")


def _ask(words: Any, explanation: Any) -> dict[str, Any]:
    return {
        "title": words,
        "description": explanation,
        "form_class": ReasonDialog,
        "form_submit_text": words,
    }


@admin.register(AmountConflict)
class AmountConflictAdmin(FactAdmin):
    scope = Scoping(store="first__store", region="first__store__region")
    list_display = ["found_at", "first", "kind", "booked", "came", "shown_decision"]
    list_select_related = ["first__store"]
    list_filter = [DecidedFilter, ("found_at", PeriodFilter)]
    search_fields = ["first__payment_ref__exact"]
    search_help_text = gettext_lazy("The whole payment reference")
    ordering = ["decided_at", "-found_at"]
    when_empty = gettext_lazy("Nothing was told with two different amounts.")
    actions_detail = ["keep", "accept", "same", "another"]
    fieldsets = [
        (None, {"fields": ["first", "kind", "booked", "came", "found_at", "what_now"]}),
        (gettext_lazy("What they said"), {"fields": ["both"]}),
        (gettext_lazy("Decision"), {
            "fields": ["answer", "reason", "decided_by", "decided_at", "correction"],
        }),
    ]  # fmt: skip
    readonly_fields = ["booked", "came", "what_now", "both", "answer"]
    export_fields = [
        "found_at", "first__payment_ref", "kind", "first__amount", "amount", "currency",
        "decision",
    ]  # fmt: skip

    # Which decisions there are

    def _open(self, request: HttpRequest, obj: Any) -> AmountConflict | None:
        row = self.known(request, getattr(obj, "pk", obj)) if obj else None
        may = request.user.has_perm(DECIDE) and row is not None and row.decided_at is None
        return row if may else None

    def has_choose_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        row = self._open(request, obj)
        return row is not None and row.kind == Kind.DIFFERENT

    def has_correct_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        row = self._open(request, obj)
        is_different = row is not None and row.kind == Kind.DIFFERENT
        return is_different and row is not None and row.currency == row.first.currency

    def has_pair_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        row = self._open(request, obj)
        return row is not None and row.kind == Kind.TWIN

    def why_late(self, request: HttpRequest, row: AmountConflict, name: str) -> str:
        if row.decided_at is None or not request.user.has_perm(DECIDE):
            return ""
        words = _("%(who)s decided this meanwhile: %(decision)s. Nothing was changed.")
        return words % {"who": row.decided_by, "decision": row.get_decision_display()}

    @action(
        description=gettext_lazy("Keep the first"),
        icon="check",
        permissions=["choose"],
        dialog=_ask(
            gettext_lazy("Keep the first"),
            gettext_lazy("The other amount was a mistake. Nothing is booked."),
        ),
    )
    def keep(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, keep_first)

    @action(
        description=gettext_lazy("The second is right"),
        icon="published_with_changes",
        permissions=["correct"],
        dialog=_ask(
            gettext_lazy("The second is right"),
            gettext_lazy("The difference is booked, and points follow it."),
        ),
    )
    def accept(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, accept_second)

    @action(
        description=gettext_lazy("It is the same one"),
        icon="join_inner",
        permissions=["pair"],
        dialog=_ask(
            gettext_lazy("It is the same one"),
            gettext_lazy("It counts once, with the amount that the platform reported."),
        ),
    )
    def same(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, join_twins)

    @action(
        description=gettext_lazy("It is another one"),
        icon="call_split",
        permissions=["pair"],
        dialog=_ask(gettext_lazy("It is another one"), gettext_lazy("Both count.")),
    )
    def another(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, part_twins)

    def _decide(
        self, request: HttpRequest, form: Any, object_id: str, answer: Callable[..., Any]
    ) -> HttpResponse:
        conflict = self.get_object(request, object_id)
        reason = form.cleaned_data["reason"]
        try:
            answer(conflict, reason=reason, by=request.user, now=timezone.now())
        except CannotDecide as refusal:
            self.say(request, str(refusal), level=messages.ERROR)
        else:
            self.say(request, _("The decision was noted."))
        return _back_to(object_id)

    # Columns

    @display(description=gettext_lazy("booked"))
    def booked(self, conflict: AmountConflict) -> str:
        return conflict.first.money.display(get_language() or "en")

    @display(description=gettext_lazy("came later"), ordering="amount")
    def came(self, conflict: AmountConflict) -> str:
        return conflict.money.display(get_language() or "en")

    @display(
        description=gettext_lazy("staff's decision"),
        label={"open": "warning", "decided": "success"},
        ordering="decided_at",
    )
    def shown_decision(self, conflict: AmountConflict) -> tuple[str, str]:
        if conflict.decision is None:
            return "open", _("undecided")
        return "decided", conflict.get_decision_display()

    @display(description=gettext_lazy("staff's decision"))
    def answer(self, conflict: AmountConflict) -> str:
        return conflict.get_decision_display() if conflict.decision else _("undecided")

    @display(description=gettext_lazy("what can be done"))
    def what_now(self, conflict: AmountConflict) -> str:
        if conflict.decided_at is not None:
            return _("It is decided.")
        if conflict.kind == Kind.TWIN:
            return _(
                "Staff entered the first one by hand. The platform now reports a similar one, "
                "which waits. Say whether the two are the same."
            )
        if conflict.currency != conflict.first.currency:
            return _(
                "The currencies differ: keep the first one, and enter a refund and a new sale."
            )
        is_more_paid = conflict.first.kind == "payment" and is_higher(conflict)
        if is_more_paid:
            return _(
                "A booked payment never grows. If the second is right, the difference becomes a "
                "payment of its own beside the first, of the same member."
            )
        return _(
            "If the second is right, the difference is booked beside the first. What is booked "
            "already stays as it is."
        )

    @display(description=gettext_lazy("content"))
    def both(self, conflict: AmountConflict) -> str:
        return once(conflict, "both", lambda: _both(conflict))  # type: ignore[no-any-return]


def _back_to(object_id: str) -> HttpResponse:
    """Dialogs are posted by htmx: it follows this header, a redirect would end inside."""
    url = reverse("admin:payments_amountconflict_change", args=[object_id])
    return HttpResponse(headers={"HX-Redirect": url})


def _both(conflict: AmountConflict) -> str:
    def told(callback: Callback | None) -> dict[str, Any]:
        if callback is None:
            return {"callback": None, "payload": _("It did not come as a callback.")}
        kept = CallbackBody.objects.filter(
            callback_id=callback.pk, received_at=callback.received_at
        )
        sealed = kept.values_list("sealed", flat=True).first()
        # Masked for everybody: who has to read more opens the callback and says why.
        payload = shown_payload(sealed, received_at=callback.received_at)
        return {"callback": callback, "payload": payload}

    later = conflict.callback or (conflict.second.callback if conflict.second else None)
    context = {
        "first": told(conflict.first.callback),
        "second": told(later),
        "entry": getattr(conflict.first, "hand_entry", None),
    }
    return render_to_string("admin/payments/both.html", context)
