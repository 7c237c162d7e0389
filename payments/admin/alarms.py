"""Silence alarms: which accounts fell silent, and who has seen it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import FactAdmin, PeriodFilter, RelatedFilter, action, display
from kit.scope import Scoping
from payments.models import Alarm
from payments.services.silence import mark_seen, zone_of

SEE = "payments.see_alarm"


class OpenFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("silent", _("still silent")), ("over", _("over"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() in {"silent", "over"}:
            return queryset.filter(closed_at__isnull=self.value() == "silent")
        return queryset


@admin.register(Alarm)
class AlarmAdmin(FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = [
        "opened_at", "account", "silent_since", "silence", "shown_expected", "shown_state",
        "seen_by",
    ]  # fmt: skip
    list_select_related = ["account", "seen_by"]
    list_filter = [OpenFilter, ("account", RelatedFilter), ("opened_at", PeriodFilter)]
    ordering = ["-opened_at"]
    actions = ["see"]
    when_empty = gettext_lazy("No account has fallen silent against its own rhythm.")
    actions_detail = ["see_one"]
    fields = [
        "account", "state_in_words", "silent_since", "silence", "shown_expected", "opened_at",
        "closed_at", "to_reconcile", "seen_at", "seen_by", "mailed_at", "what_to_do",
    ]  # fmt: skip
    readonly_fields = [
        "state_in_words", "silence", "shown_expected", "to_reconcile", "what_to_do",
    ]  # fmt: skip
    export_fields = ["account__name", "silent_since", "opened_at", "closed_at", "expected"]

    def has_see_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(SEE)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("Mark as seen"), permissions=["see"])
    def see(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> None:
        rows = Alarm.objects.filter(pk__in=queryset.order_by().values("pk"))
        count = mark_seen(rows, user=request.user, now=timezone.now())
        words = ngettext(
            "%(count)d alarm is marked as seen.", "%(count)d alarms are marked as seen.", count
        )
        self.say(request, words % {"count": count})

    @action(description=gettext_lazy("Mark as seen"), icon="done", permissions=["see"])
    def see_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.see(request, self.get_queryset(request).filter(pk=object_id))
        return redirect("admin:payments_alarm_change", object_id)

    @display(description=gettext_lazy("silent for"))
    def silence(self, alarm: Alarm) -> str:
        return timesince(alarm.silent_since, alarm.closed_at or timezone.now())

    @display(description=gettext_lazy("posts expected meanwhile"), ordering="expected")
    def shown_expected(self, alarm: Alarm) -> str:
        return f"{alarm.expected:,.0f}"

    @display(description=gettext_lazy("state"), label={"silent": "danger", "over": "success"})
    def shown_state(self, alarm: Alarm) -> tuple[str, str]:
        return ("over", _("over")) if alarm.closed_at else ("silent", _("still silent"))

    @display(description=gettext_lazy("state"))
    def state_in_words(self, alarm: Alarm) -> str:
        return self.shown_state(alarm)[1]

    @display(description=gettext_lazy("to reconcile"))
    def to_reconcile(self, alarm: Alarm) -> str:
        if alarm.closed_at is None:
            return ""
        zone = zone_of(alarm.account)
        moments = (alarm.silent_since, alarm.closed_at)
        since, until = (date_format(at.astimezone(zone), "DATETIME_FORMAT") for at in moments)
        return _(
            "Reconcile the hours between %(since)s and %(until)s: their payments and refunds may"
            " be missing here. A settlement file of these days shows which."
        ) % {"since": since, "until": until}

    @display(description=gettext_lazy("what to do"))
    def what_to_do(self, alarm: Alarm) -> str:
        return _(
            "Look at the refused posts of the account first: if they grow, its secret was changed"
            " at the platform. If nothing comes at all, compare the callback URL in the"
            " platform's settings with the account's, and look at the platform's status page. If"
            " the shop was closed, enter its opening hours or closed days."
        )
