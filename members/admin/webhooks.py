"""The admin of webhooks: endpoints, secrets shown once, and every delivery with its tries."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from kit.admin import (
    BaseAdmin,
    FactAdmin,
    PeriodFilter,
    RelatedFilter,
    action,
    also_save,
    display,
)
from kit.correspondence import DEAD
from kit.correspondence_admin import (
    MOST_SHOWN,
    STATE_LABELS,
    HandOverFilter,
    LogOfTries,
    attempts_table,
    standing_in_words,
    state_of,
)
from kit.crypto import CannotDecrypt
from kit.outward import Refused, check_url, in_words
from kit.scope import HEADQUARTERS
from members.models import Delivery, DeliveryAttempt, Endpoint
from members.services.announcing import forget_listeners
from members.services.webhooks import (
    active_secrets,
    new_endpoint_secret,
    resend,
    revive,
    send_test,
)

RESEND: Final = "members.resend_delivery"
_OVERLAPS: Final = [
    (0, gettext_lazy("It ends at once")),
    (1, gettext_lazy("1 hour")),
    (24, gettext_lazy("1 day")),
    (7 * 24, gettext_lazy("7 days")),
]


class RollDialog(BaseDialogForm):  # type: ignore[misc]
    hours = forms.TypedChoiceField(
        label=gettext_lazy("The present secret signs along for"),
        choices=_OVERLAPS,
        coerce=int,
        initial=24,
        widget=UnfoldAdminSelectWidget(choices=_OVERLAPS),
    )


class EndpointForm(forms.ModelForm[Endpoint]):
    class Meta:
        model = Endpoint
        fields = ["name", "url", "types", "region", "store", "is_enabled"]

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            check_url(url)
        except Refused as problem:
            raise forms.ValidationError(in_words(problem.trouble)) from problem
        return url


@admin.register(Endpoint)
class EndpointAdmin(BaseAdmin):
    scope = HEADQUARTERS
    form = EndpointForm
    list_display = ["name", "url", "shown_types", "shown_state", "last_good_at", "is_enabled"]
    list_select_related = False
    list_filter = ["is_enabled"]
    search_fields = ["name", "url"]
    autocomplete_fields = ["region", "store"]
    actions_detail = ["send_test", "show_deliveries", "resend_dead", "roll_secret"]
    readonly_fields = [
        "shown_state",
        "last_good_at",
        "shown_secrets",
        "shown_waiting",
        "last_answers",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        return super().get_queryset(request).defer("secrets")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["name", "url", "types", "region", "store", "is_enabled"]
        if obj is None:
            return [(None, {"fields": asked})]
        shown = ["shown_state", "last_good_at", "shown_waiting", "shown_secrets", "last_answers"]
        return [(None, {"fields": asked}), (_("State"), {"fields": shown})]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "types":
            return forms.MultipleChoiceField(
                label=capfirst(db_field.verbose_name),
                help_text=db_field.help_text,
                required=False,
                choices=[(kind.value, f"{kind.label} · {kind.value}") for kind in Endpoint.Type],
                widget=UnfoldAdminCheckboxSelectMultipleWidget(),
            )
        if db_field.name == "url":
            kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"inputmode": "url"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = "" if change else new_endpoint_secret(obj, now=timezone.now())
        if {"url", "is_enabled"} & set(form.changed_data):
            also_save(form, *revive(obj))
        super().save_model(request, obj, form, change)
        forget_listeners()
        if made:
            self._show_once(request, made)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Its log names it; switch it off instead.

    def has_resend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(RESEND)) and self.is_in_scope(request, obj)

    def has_resend_dead_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Offered only where something was given up: the head of the page is narrow."""
        hook = obj if isinstance(obj, Endpoint) else self.known(request, obj)
        dead = Delivery.objects.filter(endpoint=hook, waiting_for=DEAD)
        return hook is not None and self.has_resend_permission(request, hook) and dead.exists()

    def why_late(self, request: HttpRequest, row: Endpoint, name: str) -> str:
        may = name == "resend_dead" and self.has_resend_permission(request)
        return _("There is nothing to send again.") if may else ""

    @action(description=gettext_lazy("Send a test event"), icon="outbox", permissions=["change"])
    def send_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self._endpoint(request, object_id)
        try:
            tried = send_test(endpoint, now=timezone.now())
        except CannotDecrypt:
            words = _("Its secret cannot be opened any more. Make a new one.")
            self.say(request, words, level=messages.ERROR)
            return redirect("admin:members_endpoint_change", object_id)
        values = {"status": tried.status, "took": tried.milliseconds}
        if tried.is_good:
            words = _("The test event was taken: %(status)s after %(took)d ms.")
            self.say(request, words % values)
        elif tried.status is not None:
            words = _("The test event was not taken: the answer was %(status)s. It must be 2xx.")
            self.say(request, words % values, level=messages.ERROR)
        else:
            words = _("The test event was not taken. %(why)s")
            why = in_words(tried.trouble)
            self.say(request, words % {"why": why}, level=messages.ERROR)
        return redirect("admin:members_endpoint_change", object_id)

    @action(description=gettext_lazy("Deliveries"), icon="list", permissions=["view"])
    def show_deliveries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        url = reverse("admin:members_delivery_changelist")
        return redirect(f"{url}?endpoint__id__exact={int(object_id)}")

    @action(
        description=gettext_lazy("Send all again that were given up"),
        icon="replay",
        permissions=["resend_dead"],
    )
    def resend_dead(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self._endpoint(request, object_id)
        dead = Delivery.objects.filter(endpoint=endpoint, waiting_for=DEAD)
        say_resent(self, request, resend(dead, now=timezone.now()))
        return redirect("admin:members_endpoint_change", object_id)

    @action(
        description=gettext_lazy("New secret"),
        icon="autorenew",
        permissions=["change"],
        dialog={
            "title": gettext_lazy("Make a new signing secret?"),
            "description": gettext_lazy(
                "The new secret is shown once. Until the present one ends, every webhook is signed"
                " with both, so the receiver can change over without losing one."
            ),
            "form_class": RollDialog,
            "form_submit_text": gettext_lazy("Make a new secret"),
        },
    )
    def roll_secret(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        endpoint = self._endpoint(request, object_id)
        now, overlap = timezone.now(), timedelta(hours=form.cleaned_data["hours"])
        try:
            made = new_endpoint_secret(endpoint, now=now, overlap=overlap)
        except CannotDecrypt:
            endpoint.secrets = ""  # What cannot be opened signs nothing along.
            made = new_endpoint_secret(endpoint, now=now)
        changed = {"secrets"}
        if endpoint.stopped_for == Endpoint.Stop.NO_KEY:
            endpoint.is_enabled = True
            changed |= {"is_enabled", *revive(endpoint)}
        endpoint.save(update_fields=changed)
        forget_listeners()
        self.log_change(request, endpoint, _("A new secret was made."))
        self._show_once(request, made)
        url = reverse("admin:members_endpoint_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": url})

    def _endpoint(self, request: HttpRequest, object_id: str) -> Endpoint:
        endpoint: Endpoint | None = self.get_object(request, object_id)
        if endpoint is None:
            raise PermissionDenied
        return endpoint

    def _show_once(self, request: HttpRequest, secret: str) -> None:
        words = _("Copy the signing secret now, it is not shown again: %(secret)s")
        self.say(request, words % {"secret": secret}, level=messages.WARNING)

    @display(description=gettext_lazy("events"))
    def shown_types(self, endpoint: Endpoint) -> str:
        return ", ".join(endpoint.types) or _("all")

    @display(description=gettext_lazy("state"))
    def shown_state(self, endpoint: Endpoint) -> str:
        if endpoint.stopped_for:
            words = _("Switched off: %(why)s.")
            return words % {"why": endpoint.get_stopped_for_display()}
        return standing_in_words(endpoint)

    @display(description=gettext_lazy("signing secrets"))
    def shown_secrets(self, endpoint: Endpoint) -> str:
        try:
            secrets = active_secrets(endpoint, now=timezone.now())
        except CannotDecrypt:
            return _("Its secret cannot be opened any more. Make a new one.")
        rows = [(f"whsec_…{secret[-4:]}", _end_in_words(until)) for secret, until in secrets]
        return format_html_join(mark_safe("<br>"), "<code>{}</code> {}", rows)

    @display(description=gettext_lazy("to do"))
    def shown_waiting(self, endpoint: Endpoint) -> str:
        rows = Delivery.objects.filter(endpoint=endpoint, due_at__isnull=False)
        values = {
            "waiting": rows.filter(waiting_for="")[:10_000].count(),
            "dead": rows.filter(waiting_for=DEAD)[:10_000].count(),
        }
        return _("%(waiting)d wait, %(dead)d were given up.") % values

    @display(description=gettext_lazy("last answers"))
    def last_answers(self, endpoint: Endpoint) -> str:
        return attempts_table(
            DeliveryAttempt.objects.filter(delivery__endpoint=endpoint).order_by("-id")[
                :MOST_SHOWN
            ]
        )


def _end_in_words(until: datetime | None) -> str:
    if until is None:
        return _("signs until it is replaced")
    moment = date_format(timezone.localtime(until), "DATETIME_FORMAT")
    return _("signs along until %(moment)s") % {"moment": moment}


class TypeFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("event")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Endpoint.Type.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(LogOfTries, FactAdmin):
    scope = HEADQUARTERS
    list_display = ["queued_at", "endpoint", "type", "member", "shown_tries", "shown_state"]
    list_select_related = ["member"]
    list_filter = [
        HandOverFilter,
        ("endpoint", RelatedFilter),
        TypeFilter,
        ("queued_at", PeriodFilter),
    ]
    search_fields = ["key__exact", "member__code__exact"]
    search_help_text = gettext_lazy("The whole webhook-id or member number")
    when_empty = gettext_lazy(
        "Nothing was sent yet. Add an endpoint, and it is told of members' events."
    )
    ordering = ["-id"]
    actions = ["resend"]
    actions_detail = ["resend_one"]
    fields = [
        "endpoint",
        "type",
        "key",
        "member",
        "happened_at",
        "queued_at",
        "sent_at",
        "state",
        "due_at",
        "shown_tries",
        "data",
        "last_answers",
    ]
    readonly_fields = ["state", "shown_tries", "last_answers"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = super().get_queryset(request).select_related("endpoint")
        return rows.defer("endpoint__secrets")

    def has_resend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(RESEND)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Send the selected deliveries again"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        say_resent(self, request, resend(queryset, now=timezone.now()))

    @action(description=gettext_lazy("Send again"), icon="replay", permissions=["resend"])
    def resend_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.resend(request, self.get_queryset(request).filter(pk=object_id))
        return redirect("admin:members_delivery_change", object_id)

    @display(description=gettext_lazy("state"), label=STATE_LABELS)
    def shown_state(self, delivery: Delivery) -> tuple[str, str]:
        return state_of(delivery, was_taken=delivery.sent_at is not None)

    @display(description=gettext_lazy("state"))
    def state(self, delivery: Delivery) -> str:
        return self.shown_state(delivery)[1]


def say_resent(desk: BaseAdmin, request: HttpRequest, count: int) -> None:
    if not count:
        desk.say(request, _("There is nothing to send again."), level=messages.INFO)
        return
    words = ngettext(
        "%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", count
    )
    desk.say(request, words % {"count": count})
