"""Exchange rates: entered once, never changed; a new one resumes what waited for it."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kit.addresses import CallFailed, in_words
from kit.admin import FactAdmin, action, display
from kit.money import known_currencies
from kit.scope import EVERYBODY
from payments.imports.pages import RateImports
from payments.models import Rate
from payments.services.fetched_rates import fetch_rates, is_on
from payments.services.rates import (
    RateTaken,
    enter_rate,
    is_far_ahead,
    standing_rates,
    taken_in_words,
)
from payments.services.reference_rates import UnreadableRates


class RateForm(forms.ModelForm[Rate]):
    class Meta:
        model = Rate
        fields = ["currency", "valid_from", "rate"]
        help_texts = {
            "rate": gettext_lazy("How much of the programme's currency one unit is worth."),
        }

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].upper()
        if currency not in known_currencies():
            raise forms.ValidationError(
                _("%(currency)s is not a currency code. Write it as in HKD or CNY.")
                % {"currency": currency}
            )
        return currency

    def clean_valid_from(self) -> date:
        day: date = self.cleaned_data["valid_from"]
        if is_far_ahead(day, now=timezone.now()):
            raise forms.ValidationError(_("This day is more than a year ahead. Check the year."))
        return day

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        currency, day = given.get("currency"), given.get("valid_from")
        if currency and day and standing_rates([day]).filter(currency=currency).exists():
            raise forms.ValidationError({"valid_from": taken_in_words(currency, day)})
        return given


@admin.register(Rate)
class RateAdmin(RateImports, FactAdmin):
    scope = EVERYBODY
    list_display = ["currency", "valid_from", "shown_rate", "shown_source", "entered_at"]
    list_filter = ["currency"]
    search_fields = ["currency"]
    form = RateForm
    readonly_fields = ["shown_rate", "shown_source"]
    export_fields = ["currency", "valid_from", "rate", "quote_currency", "source", "entered_at"]
    actions_list = ["fetch_now"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Entered in three fields; looked at with where it came from."""
        if obj is None:
            return ["currency", "valid_from", "rate"]
        return ["currency", "valid_from", "shown_rate", "shown_source", "entered_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("payments.add_rate"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"valid_from": timezone.localdate(), **super().get_changeform_initial_data(request)}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except RateTaken as problem:  # Somebody entered it in this moment.
            self.say(request, str(problem), level=messages.ERROR)
            return redirect("admin:payments_rate_add")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        entered, resumed = enter_rate(
            currency=obj.currency,
            valid_from=obj.valid_from,
            rate=obj.rate,
            source="staff",
            now=timezone.now(),
        )
        obj.pk, obj._state.adding = entered.pk, False
        words = ngettext(
            "%(count)d transaction waited for this rate and goes on.",
            "%(count)d transactions waited for this rate and go on.",
            resumed,
        )
        self.say(request, words % {"count": resumed})

    def has_fetch_permission(self, request: HttpRequest) -> bool:
        return is_on() and self.has_add_permission(request)

    @action(
        description=gettext_lazy("Fetch today's rates"),
        icon="cloud_download",
        permissions=["fetch"],
    )
    def fetch_now(self, request: HttpRequest) -> HttpResponse:
        try:
            fetched = fetch_rates(now=timezone.now())
        except (CallFailed, UnreadableRates) as problem:
            why = in_words(problem.trouble) if isinstance(problem, CallFailed) else problem
            words = _("No rates were fetched: %(problem)s") % {"problem": why}
            self.say(request, words, level=messages.ERROR)
        else:
            assert fetched is not None
            words = _("%(new)d new rates, the newest of %(day)s. %(resumed)d payments go on.")
            day = date_format(fetched.newest, "DATE_FORMAT")
            self.say(
                request,
                words % {"new": fetched.entered, "day": day, "resumed": fetched.resumed},
            )
        return redirect("admin:payments_rate_changelist")

    @display(description=gettext_lazy("rate"), ordering="rate")
    def shown_rate(self, rate: Rate) -> str:
        return f"1 {rate.currency} = {rate.rate.normalize():f} {rate.quote_currency}"

    @display(description=gettext_lazy("source"), ordering="source")
    def shown_source(self, rate: Rate) -> str:
        return _("staff") if rate.source == "staff" else rate.source
