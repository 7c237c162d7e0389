"""Earning rules as sentences, and tiers."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from kit.admin import BaseAdmin, BaseTabular, display, plain
from kit.condition_form import ConditionField
from kit.conditions import sentence
from kit.scope import EVERYBODY
from loyalty.conditions import PAYMENT
from loyalty.models import Rule, RuleRate, Tier
from loyalty.services.rules import publish_rule
from members.models import Programme
from payments.line_share import lines_in_words

_NAMES = ["name", "name_zh_hant", "name_zh_hans"]


class RuleForm(forms.ModelForm[Rule]):
    condition = ConditionField(registry=PAYMENT, label=gettext_lazy("Condition"))

    class Meta:
        model = Rule
        fields = [
            *_NAMES,
            "kind",
            "priority",
            "condition",
            "category",
            "fixed_points",
            "cap_per_day",
            "starts_at",
            "ends_at",
            "is_enabled",
        ]
        help_texts = {
            "is_enabled": gettext_lazy("Switched off, it gives nothing to payments from now on."),
            "starts_at": gettext_lazy("Payments made before earn nothing by this rule."),
            "fixed_points": gettext_lazy("For each payment that the rule fits."),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind")
        if kind == Rule.Kind.CATEGORY and not cleaned.get("category"):
            self.add_error("category", _("Choose the category whose lines earn extra points."))
        if kind == Rule.Kind.BONUS and not cleaned.get("fixed_points"):
            self.add_error("fixed_points", _("Say how many points the bonus gives."))
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("The end must lie after the start."))
        return cleaned


class RuleRateInline(BaseTabular):
    model = RuleRate
    fields = ["currency", "per_amount", "points"]


@admin.register(Rule)
class RuleAdmin(BaseAdmin):
    """Saving publishes a version: payments count by the version of their time."""

    scope = EVERYBODY
    form = RuleForm
    list_display = ["__str__", "kind", "shown_priority", "gives", "in_words", "is_enabled"]
    list_select_related = ["category"]
    list_filter = [("kind", ChoicesDropdownFilter), "is_enabled"]
    search_fields = _NAMES
    autocomplete_fields = ["category"]
    ordering = ["kind", "priority", "name"]
    inlines = [RuleRateInline]
    readonly_fields = ["gives", "in_words"]
    conditional_fields = {
        "priority": "kind == 'base'",
        "category": "kind == 'category'",
        "fixed_points": "kind == 'bonus'",
    }
    fieldsets = [
        (None, {"fields": [*_NAMES, "is_enabled"]}),
        (gettext_lazy("What it gives"), {
            "fields": ["kind", "category", "fixed_points", "cap_per_day"]
        }),
        (gettext_lazy("When it counts"), {
            "fields": ["condition", "starts_at", "ends_at", "priority"]
        }),
    ]  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A saved rule says first, in a sentence, what it does."""
        saved = (gettext_lazy("As saved"), {"fields": ["gives", "in_words"]})
        return self.fieldsets if obj is None else [saved, *self.fieldsets]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related("rates")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Rules about goods say how many sales tell of goods at all."""
        form = super().get_form(request, obj, change, **kwargs)
        for name in {"category", "condition"} & form.base_fields.keys():
            form.base_fields[name].help_text = lines_in_words(now=timezone.now())
        return form

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        version = publish_rule(form.instance, now=timezone.now())
        if version is not None:
            self.say(
                request,
                _("Version %(number)d counts for payments from now on.")
                % {"number": version.number},
            )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Awards name it; switch it off instead.

    @display(description=gettext_lazy("priority"), ordering="priority")
    def shown_priority(self, rule: Rule) -> str:
        return str(rule.priority) if rule.kind == Rule.Kind.BASE else "–"

    @display(description=gettext_lazy("gives"))
    def gives(self, rule: Rule) -> str:
        if rule.kind == Rule.Kind.BONUS:
            return _("%(points)d points") % {"points": rule.fixed_points}
        rates = ", ".join(
            _("%(points)d per %(amount)s %(currency)s")
            % {
                "points": rate.points,
                "amount": f"{rate.per_amount.normalize():f}",
                "currency": rate.currency,
            }
            for rate in rule.rates.all()
        )
        return f"{rule.category}: {rates}" if rule.category else rates

    @display(description=gettext_lazy("condition"))
    def in_words(self, rule: Rule) -> str:
        return sentence(rule.condition, PAYMENT)


@admin.register(Tier)
class TierAdmin(BaseAdmin):
    scope = EVERYBODY
    list_display = ["rank", "__str__", "shown_threshold", "shown_multiplier"]
    search_fields = ["code", *_NAMES]
    fields = ["code", *_NAMES, "rank", "threshold", "multiplier"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        rows: QuerySet[Tier] = super().get_queryset(request)
        return rows.annotate(counts_in=Subquery(Programme.objects.values("currency")[:1]))

    @display(description=gettext_lazy("points multiplier"), ordering="multiplier")
    def shown_multiplier(self, tier: Tier) -> str:
        return f"× {plain(tier.multiplier)}"

    @display(description=gettext_lazy("spend in 12 months"), ordering="threshold")
    def shown_threshold(self, tier: Tier) -> str:
        currency: str = tier.counts_in  # type: ignore[attr-defined]
        return f"{currency} {plain(tier.threshold)}"
