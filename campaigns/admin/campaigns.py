"""Campaigns: edited, previewed in each language, started and paused after a question."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminRadioSelectWidget

from campaigns.admin.numbers import numbers_of
from campaigns.conditions import registry_for
from campaigns.models import Campaign, CampaignText
from campaigns.services.running import (
    CampaignIncomplete,
    missing_of,
    pause_campaign,
    start_campaign,
)
from campaigns.services.silence import count_silent
from campaigns.services.texts import BadText, preview_texts, validate_text
from campaigns.wording import trigger_in_words
from kit.admin import BaseAdmin, BaseStacked, action, display, once
from kit.condition_form import ConditionField
from kit.conditions import ConditionError, sentence
from kit.scope import EVERYBODY
from members.models import LANGUAGES
from payments.line_share import lines_in_words

_NAMES = ["name", "name_zh_hant", "name_zh_hans"]
RUN = "campaigns.run_campaign"


class TextForm(forms.ModelForm[CampaignText]):
    class Meta:
        model = CampaignText
        fields = ["language", "subject", "body"]

    def clean_subject(self) -> str:
        return self._checked("subject")

    def clean_body(self) -> str:
        return self._checked("body")

    def _checked(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        try:
            validate_text(text)
        except BadText as problem:
            raise forms.ValidationError(str(problem)) from problem
        return text


class TextInline(BaseStacked):
    model = CampaignText
    form = TextForm
    fields = ["language", "subject", "body"]
    max_num = len(LANGUAGES)


class StartForm(forms.Form):
    """Whether those already silent count: staff must choose, neither answer is assumed."""

    include_silent = forms.ChoiceField(
        label=gettext_lazy("Members who are silent already"),
        choices=[
            ("no", gettext_lazy("leave out: only who falls silent from now on")),
            ("yes", gettext_lazy("include them, as the daily cap allows")),
        ],
        widget=UnfoldAdminRadioSelectWidget(),
    )


@admin.register(Campaign)
class CampaignAdmin(BaseAdmin):
    scope = EVERYBODY
    list_display = ["__str__", "when", "in_words", "shown_state", "started_at", "reached"]
    list_select_related = ["tier", "coupon_type"]
    list_filter = [("state", ChoicesDropdownFilter), ("trigger", ChoicesDropdownFilter)]
    search_fields = _NAMES
    autocomplete_fields = ["coupon_type", "tier"]
    inlines = [TextInline]
    actions_detail = ["start", "pause"]
    change_form_outer_before_template = "admin/campaigns/numbers.html"
    readonly_fields = ["state", "started_at", "still_missing", "preview"]
    conditional_fields = {
        "tier": "trigger == 'tier_reached'",
        "amount": "trigger == 'large_ticket'",
        "currency": "trigger == 'large_ticket'",
        "silent_days": "trigger == 'silence'",
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.annotate(decided=Count("decisions")).prefetch_related("texts")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        when = {"fields": ["trigger", "tier", "amount", "currency", "silent_days"]}
        limits = {"fields": ["daily_cap", "freshness_hours"]}
        if obj is None:
            return [
                (None, {"fields": _NAMES}),
                (_("When"), when),
                (_("Offer"), {"fields": ["coupon_type"]}),
                (_("Limits"), limits),
            ]
        return [
            (None, {"fields": [*_NAMES, "state", "started_at"]}),
            (_("When"), when),
            (_("Who gets it"), {"fields": ["condition"]}),
            (_("Offer"), {"fields": ["coupon_type"]}),
            (_("Limits"), limits),
            (_("Before it runs"), {"fields": ["still_missing", "preview"]}),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        campaign = self.shown(request, object_id)
        if campaign is not None and campaign.started_at:
            extra["numbers"] = numbers_of(campaign, request)
        return super().change_view(request, object_id, form_url, extra)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """What a condition may ask about depends on the trigger, so it is asked afterwards."""
        if obj is not None:
            registry = registry_for(obj.trigger)
            asks_about_goods = registry.find("categories") is not None
            condition = ConditionField(
                registry=registry,
                label=gettext_lazy("Condition"),
                help_text=lines_in_words(now=timezone.now()) if asks_about_goods else "",
            )
            kwargs["form"] = type("CampaignForm", (forms.ModelForm,), {"condition": condition})
        return super().get_form(request, obj, change=change, **kwargs)

    def has_start_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_run(request, obj) and not self.is_running(request, obj)

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_run(request, obj) and self.is_running(request, obj)

    def may_run(self, request: HttpRequest, obj: Any) -> bool:
        return bool(request.user.has_perm(RUN)) and self.is_in_scope(request, obj)

    def is_running(self, request: HttpRequest, obj: Any) -> bool:
        campaign = obj if isinstance(obj, Campaign) else self.shown(request, str(obj))
        return campaign is not None and campaign.state == Campaign.State.RUNNING

    def why_late(self, request: HttpRequest, row: Campaign, name: str) -> str:
        if not self.may_run(request, row):
            return ""
        is_running = row.state == Campaign.State.RUNNING
        return {
            "start": _("The campaign is running already.") if is_running else "",
            "pause": "" if is_running else _("The campaign is not running."),
        }.get(name, "")

    def shown(self, request: HttpRequest, object_id: str) -> Campaign | None:
        """As it is when the page begins: the buttons and the figures above it ask for it too."""
        found: Campaign | None = self.known(request, object_id)
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Its decisions name it; pause it instead.

    @action(
        description=gettext_lazy("Start …"),
        icon="play_arrow",
        url_path="start",
        permissions=["start"],
    )
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.campaign_or_refuse(request, object_id)
        is_silence = campaign.trigger == Campaign.Trigger.SILENCE
        form = StartForm(request.POST or None) if is_silence else forms.Form(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self.ask(request, campaign, form, **_start_question(campaign))
        include_silent = form.cleaned_data.get("include_silent") == "yes"
        try:
            start_campaign(campaign, include_silent=include_silent, now=timezone.now())
        except CampaignIncomplete as incomplete:
            for problem in incomplete.problems:
                self.say(request, problem, level=messages.ERROR)
        else:
            self.say(request, _("The campaign is running."))
        return redirect("admin:campaigns_campaign_change", object_id)

    @action(
        description=gettext_lazy("Pause …"), icon="pause", url_path="pause", permissions=["pause"]
    )
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.campaign_or_refuse(request, object_id)
        form = forms.Form(request.POST or None)
        if request.method != "POST":
            explanation = _("Nobody is reached any more; messages that are queued wait.")
            return self.ask(
                request,
                campaign,
                form,
                title=_("Pause this campaign?"),
                explanation=explanation,
                submit_words=_("Pause"),
            )
        pause_campaign(campaign)
        self.say(request, _("The campaign is paused."))
        return redirect("admin:campaigns_campaign_change", object_id)

    def ask(
        self, request: HttpRequest, campaign: Campaign, form: forms.Form, **words: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **words,
            "subtitle": str(campaign),
            "form": form,
            "back": "admin:campaigns_campaign_changelist",
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def campaign_or_refuse(self, request: HttpRequest, object_id: str) -> Campaign:
        campaign: Campaign | None = self.get_object(request, object_id)
        if campaign is None:
            raise PermissionDenied
        return campaign

    @display(description=gettext_lazy("trigger"), ordering="trigger")
    def when(self, campaign: Campaign) -> str:
        return trigger_in_words(campaign)

    @display(description=gettext_lazy("condition"))
    def in_words(self, campaign: Campaign) -> str:
        try:
            return sentence(campaign.condition, registry_for(campaign.trigger))
        except ConditionError as problem:
            return str(problem.message)

    @display(
        description=gettext_lazy("state"),
        label={"draft": "info", "running": "success", "paused": "warning"},
    )
    def shown_state(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.state, str(campaign.get_state_display())

    @display(description=gettext_lazy("reached"), ordering="decided")
    def reached(self, campaign: Campaign) -> int:
        return int(campaign.decided)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("still missing"))
    def still_missing(self, campaign: Campaign) -> str:
        problems = once(campaign, "missing", lambda: missing_of(campaign))
        return render_to_string("admin/campaigns/missing.html", {"problems": problems})

    @display(description=gettext_lazy("preview"))
    def preview(self, campaign: Campaign) -> str:
        now = timezone.now()
        previews = once(
            campaign,
            "previews",
            lambda: [(label, *_written(campaign, code, now)) for code, label in LANGUAGES],
        )
        return render_to_string("admin/campaigns/preview.html", {"previews": previews})


def _written(campaign: Campaign, language: str, now: Any) -> tuple[Any, str]:
    """The message as a reader of `language` would get it, or what keeps it from being written."""
    try:
        written = preview_texts(campaign, language, now=now)
    except BadText as problem:
        return None, str(problem)
    return (written, "") if written else (None, _("No text fits this language yet."))


def _start_question(campaign: Campaign) -> dict[str, Any]:
    words: dict[str, Callable[[], str]] = {
        Campaign.Trigger.SILENCE: lambda: (
            _("It would reach %(count)d members who are silent now.")
            % {"count": count_silent(campaign, timezone.now())}
        ),
    }
    say = words.get(
        campaign.trigger, lambda: _("It would reach 0 members now: it reacts to what comes.")
    )
    problems = missing_of(campaign)
    return {
        "title": _("Start this campaign?"),
        "explanation": say() if not problems else " ".join(problems),
        "cap": campaign.daily_cap,
        "submit_words": _("Start"),
    }
