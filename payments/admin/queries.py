"""What platforms are asked about, what they said, and what waits for staff."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kit.admin import NOTHING, FactAdmin, RelatedFilter, action, display
from kit.scope import Scoping
from payments.admin.callbacks import REPLAY, WorkFilter
from payments.models import Query, Transaction
from payments.services.queries import ask_again, ask_platform, can_be_asked
from payments.wording import error_in_words, outcome_in_words, state_in_words


class AsksPlatform:
    """For the admin of transactions: ask the platform about this payment again."""

    get_object: Any
    known: Any
    is_in_scope: Any
    say: Any

    def has_ask_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None or not request.user.has_perm(REPLAY):
            return False
        row = obj if isinstance(obj, Transaction) else self.known(request, obj)
        return row is not None and can_be_asked(row.account.provider)

    @action(
        description=gettext_lazy("Ask the platform again"),
        icon="contact_support",
        url_path="ask-platform",
        permissions=["ask"],
    )
    def ask_platform(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        ask_platform(row.account, row.payment_ref, now=timezone.now())
        self.say(request, _("The platform is asked; what is new will be booked within a minute."))
        return redirect("admin:payments_transaction_change", object_id)


@admin.register(Query)
class QueryAdmin(FactAdmin):
    """No fact, but nothing of it is typed by hand either."""

    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["reference", "account", "shown_outcome", "shown_state", "asked_at", "attempts"]
    list_select_related = ["account"]
    list_filter = [WorkFilter, ("account", RelatedFilter)]
    search_fields = ["reference__exact", "order_ref__exact"]
    search_help_text = gettext_lazy("The whole payment reference or order number")
    ordering = ["-first_at"]
    actions = ["ask_again"]
    when_empty = gettext_lazy(
        "No platform was asked yet. Some, such as LINE Pay and PayMe, only hint at a payment; then"
        " we ask them what it was."
    )
    actions_detail = ["ask_again_one"]
    fields = [
        "reference",
        "account",
        "order_ref",
        "shown_outcome",
        "shown_state",
        "shown_error",
        "hints",
        "is_wanted",
        "first_at",
        "asked_at",
        "attempts",
        "callback",
    ]
    readonly_fields = ["shown_outcome", "shown_state", "shown_error"]

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(REPLAY)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Ask the platform again"), permissions=["replay"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Query]) -> None:
        count = ask_again(queryset, now=timezone.now())
        words = ngettext(
            "The platform is asked about %(count)d payment again.",
            "The platform is asked about %(count)d payments again.",
            count,
        )
        self.say(request, words % {"count": count})

    @action(
        description=gettext_lazy("Ask the platform again"), icon="replay", permissions=["replay"]
    )
    def ask_again_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.ask_again(request, self.get_queryset(request).filter(pk=object_id))
        return redirect("admin:payments_query_change", object_id)

    @display(description=gettext_lazy("answer"))
    def shown_outcome(self, query: Query) -> str:
        return outcome_in_words(query.outcome) if query.outcome else _("No answer yet")

    @display(description=gettext_lazy("error"))
    def shown_error(self, query: Query) -> str:
        """Of an answer that is not the last one, what it says."""
        return error_in_words(query.error) or NOTHING

    @display(description=gettext_lazy("state"))
    def shown_state(self, query: Query) -> str:
        return state_in_words(is_done=query.is_done, waiting_for=query.waiting_for)
