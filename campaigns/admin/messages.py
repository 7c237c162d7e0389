"""Messages and decisions: what was meant to go out, and what became of it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns.channels.eml import read_eml
from campaigns.models import Decision, Message
from campaigns.services.deliver import confirm_sent, send_again
from campaigns.wording import reason_in_words
from kit.admin import FactAdmin, PeriodFilter, RelatedFilter, action, display, is_masked
from members.admin.members import OF_MEMBER


@admin.register(Message)
class MessageAdmin(FactAdmin):
    """Subjects and texts hold names, so lists show neither."""

    scope = OF_MEMBER
    list_display = ["queued_at", "campaign", "member", "language", "shown_state", "shown_reason"]
    list_select_related = ["member", "decision__campaign"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("decision__campaign", RelatedFilter),
        ("queued_at", PeriodFilter),
    ]
    search_fields = ["member__code__exact"]
    search_help_text = gettext_lazy("The whole member number")
    ordering = ["-queued_at"]
    actions = ["confirm_sent", "send_again"]
    fields = [
        "campaign",
        "member",
        "shown_channel",
        "language",
        "state",
        "shown_reason",
        "queued_at",
        "sending_at",
        "sent_at",
        "shown_error",
        "as_sent",
    ]
    readonly_fields = ["campaign", "shown_channel", "shown_reason", "shown_error", "as_sent"]
    export_fields = ["queued_at", "member__code", "channel", "language", "state", "reason"]

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("campaigns.run_campaign"))

    @action(description=gettext_lazy("Send those again that are in doubt"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Staff asked the member, or would rather send twice than not at all."""
        count = send_again(queryset, now=timezone.now())
        words = ngettext(
            "%(count)d message is sent again.", "%(count)d messages are sent again.", count
        )
        self.say(request, words % {"count": count})

    @action(description=gettext_lazy("It was sent (only those in doubt)"), permissions=["send"])
    def confirm_sent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Staff found out that the member has it."""
        count = confirm_sent(queryset)
        words = ngettext(
            "%(count)d message counts as sent.", "%(count)d messages count as sent.", count
        )
        self.say(request, words % {"count": count})

    @display(description=gettext_lazy("campaign"), ordering="decision__campaign")
    def campaign(self, message: Message) -> str:
        return str(message.decision.campaign)

    @display(
        description=gettext_lazy("state"),
        label={
            "sent": "success",
            "withheld": "warning",
            "failed": "danger",
            "unknown": "danger",
            "queued": "info",
            "sending": "info",
        },
    )
    def shown_state(self, message: Message) -> tuple[str, str]:
        return message.state, str(message.get_state_display())

    @display(description=gettext_lazy("channel"))
    def shown_channel(self, message: Message) -> str:
        return message.channel_in_words()

    @display(description=gettext_lazy("reason"))
    def shown_reason(self, message: Message) -> str:
        return reason_in_words(message.reason) if message.reason else ""

    @display(description=gettext_lazy("as it was sent"))
    def as_sent(self, message: Message) -> str:
        if is_masked(message):
            return _("You need the right to see personal data to read it.")
        mail = read_eml(message.pk)
        html = mail.get_body(("html", "plain")) if mail else None
        context = {
            "message": message,
            "headers": [(name, mail[name]) for name in _SHOWN_HEADERS if mail[name]]
            if mail
            else [],
            "html": html.get_content() if html else "",
        }
        return render_to_string("admin/campaigns/mail.html", context)


_SHOWN_HEADERS = ["From", "To", "Subject", "Date", "List-Unsubscribe-Post"]


@admin.register(Decision)
class DecisionAdmin(FactAdmin):
    scope = OF_MEMBER
    list_display = ["decided_at", "campaign", "member", "coupon"]
    list_select_related = ["campaign", "member", "coupon"]
    list_filter = [("campaign", RelatedFilter), ("decided_at", PeriodFilter)]
    search_fields = ["member__code__exact"]
    ordering = ["-id"]
    fields = ["campaign", "member", "coupon", "occurrence", "decided_at"]
    export_fields = ["decided_at", "campaign__name", "member__code", "coupon__code"]
