"""The admin of relays: where an account's posts go on to, and what became of each."""

from typing import Any, Final
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from kit.admin import (
    BaseStacked,
    FactAdmin,
    PeriodFilter,
    RelatedFilter,
    action,
    also_save,
    display,
)
from kit.correspondence_admin import (
    STATE_LABELS,
    HandOverFilter,
    LogOfTries,
    standing_in_words,
    state_of,
)
from kit.outward import Refused, check_url, in_words
from kit.scope import Scoping
from payments.models import Relay, RelayedPost
from payments.services.relay import pass_on_again, revive

RESEND: Final = "payments.resend_relayedpost"


class RelayForm(forms.ModelForm[Relay]):
    class Meta:
        model = Relay
        fields = ["url", "is_enabled", "answers", "when_down"]

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            target = check_url(url)
        except Refused as problem:
            raise forms.ValidationError(in_words(problem.trouble)) from problem
        if target.host == urlsplit(str(settings.PUBLIC_URL)).hostname and (
            target.path.startswith("/callbacks/")
        ):
            raise forms.ValidationError(
                _("This is an address of ours: posts would go round in a circle.")
            )
        return url

    def save(self, commit: bool = True) -> Any:
        if {"url", "is_enabled"} & set(self.changed_data):
            also_save(self, *revive(self.instance))
        return super().save(commit=commit)


class RelayInline(BaseStacked):
    model = Relay
    form = RelayForm
    max_num = 1
    add_words = gettext_lazy("Pass posts on to another address")
    verbose_name = gettext_lazy("Relay")
    verbose_name_plural = gettext_lazy("Pass posts on to a shop that is set up already")
    fields = ["url", "is_enabled", "answers", "when_down", "standing"]
    readonly_fields = ["standing"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "url":
            kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"inputmode": "url"})
            kwargs["help_text"] = _(
                "Where the platform posted before. Genuine posts go there unchanged, with the"
                " headers that sign them."
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @display(description=gettext_lazy("state"))
    def standing(self, relay: Relay) -> str:
        return standing_in_words(relay) if relay.pk else ""


@admin.register(RelayedPost)
class RelayedPostAdmin(LogOfTries, FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["received_at", "account", "callback", "shown_tries", "taken_at", "shown_state"]
    list_select_related = ["account", "callback"]
    list_filter = [HandOverFilter, ("account", RelatedFilter), ("received_at", PeriodFilter)]
    search_fields = ["callback__delivery_key__exact"]
    search_help_text = gettext_lazy("The whole delivery key")
    ordering = ["-id"]
    actions = ["pass_on"]
    when_empty = gettext_lazy(
        "No post was passed on yet. The page of an account says whether its posts go to another"
        " address too."
    )
    actions_detail = ["pass_one_on"]
    fields = [
        "account", "callback", "received_at", "taken_at", "state", "due_at", "shown_tries",
        "last_answers",
    ]  # fmt: skip
    readonly_fields = ["state", "shown_tries", "last_answers"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RelayedPost]:
        return super().get_queryset(request).defer("sealed")

    def has_resend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(RESEND)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Pass the selected posts on again"), permissions=["resend"])
    def pass_on(self, request: HttpRequest, queryset: QuerySet[RelayedPost]) -> None:
        count = pass_on_again(queryset, now=timezone.now())
        if not count:
            self.say(request, _("There is nothing to send again."), level=messages.INFO)
            return
        words = ngettext(
            "%(count)d post is passed on again.", "%(count)d posts are passed on again.", count
        )
        self.say(request, words % {"count": count})

    @action(description=gettext_lazy("Pass on again"), icon="replay", permissions=["resend"])
    def pass_one_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.pass_on(request, self.get_queryset(request).filter(pk=object_id))
        return redirect("admin:payments_relayedpost_change", object_id)

    @display(description=gettext_lazy("state"), label=STATE_LABELS)
    def shown_state(self, post: RelayedPost) -> tuple[str, str]:
        return state_of(post, was_taken=post.taken_at is not None)

    @display(description=gettext_lazy("state"))
    def state(self, post: RelayedPost) -> str:
        return self.shown_state(post)[1]
