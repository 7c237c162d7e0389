"""What platforms sent: callbacks, conflicts and refused posts, in words and masked."""

from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import NOTHING, FactAdmin, PeriodFilter, RelatedFilter, action, display, once
from kit.scope import Scoping
from kit.wording import said_in_words
from kit.work import IS_DUE, IS_PARKED, REPAIR
from payments.admin.payloads import Unmasking, shown_payload
from payments.models import Account, Callback, CallbackBody, Conflict, Disclosure, Rejection
from payments.providers.base import Reason
from payments.services.conflicts import CONFLICT
from payments.services.replay import replay_callbacks, replay_rejections
from payments.wording import outcome_in_words, refusal_in_words, state_in_words

REPLAY = "payments.replay_callback"
# Nothing but a person brings these on.
DEAD: Final = (REPAIR, CONFLICT)


def _body_of(callback: Callback) -> CallbackBody | None:
    return CallbackBody.objects.filter(
        callback_id=callback.pk, received_at=callback.received_at
    ).first()


class WorkFilter(DropdownFilter):  # type: ignore[misc]
    """Done, due, parked, or parked until somebody mends it."""

    title = gettext_lazy("state")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("done", _("done")),
            ("due", _("due")),
            ("parked", _("waiting")),
            ("dead", _("dead letter")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "done":
            return queryset.filter(due_at__isnull=True)
        if self.value() == "due":
            return queryset.filter(IS_DUE)
        if self.value() == "parked":
            return queryset.filter(IS_PARKED)
        if self.value() == "dead":
            return queryset.filter(IS_PARKED, waiting_for__in=DEAD)
        return queryset


@admin.register(Callback)
class CallbackAdmin(Unmasking, FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["received_at", "account", "delivery_key", "shown_outcome", "shown_state"]
    list_select_related = ["account"]
    list_filter = [
        WorkFilter,
        ("account", RelatedFilter),
        ("received_at", PeriodFilter),
    ]
    search_fields = ["delivery_key__exact"]
    search_help_text = gettext_lazy("The whole delivery key")
    ordering = ["-received_at"]
    actions = ["replay"]
    actions_detail = ["replay_one", "unmask"]
    subject = Disclosure.Subject.CALLBACK
    when_empty = gettext_lazy(
        "Nothing has come in yet. Add a payment account, and enter its callback URL at the"
        " platform."
    )
    fields = [
        "account",
        "delivery_key",
        "received_at",
        "shown_outcome",
        "shown_state",
        "attempts",
        "shown_error",
        "conflicts",
        "payload",
    ]
    readonly_fields = ["shown_outcome", "shown_state", "shown_error", "conflicts", "payload"]
    export_fields = ["received_at", "account__name", "delivery_key", "outcome", "waiting_for"]

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(REPLAY)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Replay the selected callbacks"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Callback]) -> None:
        count, gone = replay_callbacks(queryset, now=timezone.now())
        words = ngettext(
            "%(count)d callback will be read again.",
            "%(count)d callbacks will be read again.",
            count,
        )
        self.say(request, words % {"count": count})
        if gone:
            words = ngettext(
                "%(count)d cannot be: its content was deleted, for it is older than content is"
                " kept.",
                "%(count)d cannot be: their content was deleted, for they are older than content"
                " is kept.",
                gone,
            )
            self.say(request, words % {"count": gone}, level=messages.WARNING)

    @action(description=gettext_lazy("Replay"), icon="replay", permissions=["replay"])
    def replay_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.replay(request, self.get_queryset(request).filter(pk=object_id))
        return redirect("admin:payments_callback_change", object_id)

    @display(description=gettext_lazy("outcome"))
    def shown_outcome(self, callback: Callback) -> str:
        return outcome_in_words(callback.outcome)

    @display(description=gettext_lazy("state"))
    def shown_state(self, callback: Callback) -> str:
        return state_in_words(is_done=callback.is_done, waiting_for=callback.waiting_for)

    @display(description=gettext_lazy("conflicts"))
    def conflicts(self, callback: Callback) -> int:
        return int(once(callback, "conflicts", callback.conflict_set.count))

    @display(description=gettext_lazy("content"))
    def payload(self, callback: Callback) -> str:
        return shown_payload(self.sealed_of(callback), received_at=callback.received_at)

    def sealed_of(self, row: Callback) -> Any:
        body = once(row, "body", lambda: _body_of(row))
        return body.sealed if body else None

    def account_of(self, row: Callback) -> Account:
        return row.account


@admin.register(Conflict)
class ConflictAdmin(Unmasking, FactAdmin):
    scope = Scoping(store="callback__account__store", region="callback__account__store__region")
    list_display = ["received_at", "account", "callback"]
    list_select_related = ["callback__account"]
    list_filter = [("received_at", PeriodFilter)]
    search_fields = ["callback__delivery_key__exact"]
    ordering = ["-id"]
    actions_detail = ["unmask"]
    subject = Disclosure.Subject.CONFLICT
    when_empty = gettext_lazy("No post came twice with different contents.")
    fields = ["callback", "received_at", "payload"]
    readonly_fields = ["payload"]

    @display(description=gettext_lazy("account"))
    def account(self, conflict: Conflict) -> str:
        return str(conflict.callback.account)

    @display(description=gettext_lazy("content"))
    def payload(self, conflict: Conflict) -> str:
        return shown_payload(conflict.sealed, received_at=conflict.received_at)

    def account_of(self, row: Conflict) -> Account:
        return row.callback.account


class RefusalFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason.value, refusal_in_words(reason)) for reason in Reason]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(Rejection)
class RejectionAdmin(Unmasking, FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["received_at", "account", "shown_reason", "shown_detail"]
    list_select_related = ["account"]
    list_filter = [RefusalFilter, ("account", RelatedFilter)]
    search_fields = ["detail"]
    ordering = ["-received_at"]
    actions = ["replay"]
    actions_detail = ["replay_one", "unmask"]
    subject = Disclosure.Subject.REJECTION
    when_empty = gettext_lazy("No post was refused.")
    fields = ["account", "received_at", "shown_reason", "shown_detail", "payload"]
    readonly_fields = ["shown_reason", "shown_detail", "payload"]

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(REPLAY)) and self.is_in_scope(request, obj)

    @action(
        description=gettext_lazy("Check the selected posts again and take in the genuine ones"),
        permissions=["replay"],
    )
    def replay(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> None:
        taken, refused = replay_rejections(queryset)
        if taken:
            words = ngettext(
                "%(count)d post turned out genuine and was taken in.",
                "%(count)d posts turned out genuine and were taken in.",
                taken,
            )
            self.say(request, words % {"count": taken})
        if refused:
            words = ngettext(
                "%(count)d post stays refused.", "%(count)d posts stay refused.", refused
            )
            self.say(request, words % {"count": refused}, level=messages.WARNING)

    @action(description=gettext_lazy("Replay"), icon="replay", permissions=["replay"])
    def replay_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What is taken in is a callback from then on, and its place here is empty."""
        rows = self.get_queryset(request).filter(pk=object_id)
        self.replay(request, rows)
        if rows.exists():
            return redirect("admin:payments_rejection_change", object_id)
        return redirect("admin:payments_rejection_changelist")

    @display(description=gettext_lazy("reason"))
    def shown_reason(self, rejection: Rejection) -> str:
        return refusal_in_words(rejection.reason)

    @display(description=gettext_lazy("detail"))
    def shown_detail(self, rejection: Rejection) -> str:
        return said_in_words(rejection.detail) or NOTHING

    @display(description=gettext_lazy("content"))
    def payload(self, rejection: Rejection) -> str:
        return shown_payload(rejection.sealed, received_at=rejection.received_at)

    def account_of(self, row: Rejection) -> Account:
        return row.account
