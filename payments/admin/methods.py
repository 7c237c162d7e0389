"""Payment methods: their local names, where they are taken, and filters that speak of them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from kit.admin import SettingsAdmin, action, display
from kit.checking import known_countries
from kit.money import known_currencies
from kit.scope import EVERYBODY
from payments.models import PaymentMethod


class MethodForm(forms.ModelForm[PaymentMethod]):
    class Meta:
        model = PaymentMethod
        fields = [
            "code", "kind", "name", "name_zh_hant", "name_zh_hans", "is_offered", "order",
            "payer_countries", "regions", "currencies",
        ]  # fmt: skip
        labels = {"order": gettext_lazy("Sort order")}

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).strip().lower()

    def clean_payer_countries(self) -> list[str]:
        codes = [code.upper() for code in self.cleaned_data["payer_countries"] or []]
        unknown = sorted(set(codes) - known_countries())
        if unknown:
            raise forms.ValidationError(
                _("“%(value)s” is not a country. Write its two letters, as in HK.")
                % {"value": unknown[0]}
            )
        return codes

    def clean_currencies(self) -> list[str]:
        codes = [code.upper() for code in self.cleaned_data["currencies"] or []]
        unknown = sorted(set(codes) - known_currencies())
        if unknown:
            raise forms.ValidationError(
                _("“%(value)s” is not a currency. Write its three letters, as in HKD.")
                % {"value": unknown[0]}
            )
        return codes


@admin.register(PaymentMethod)
class PaymentMethodAdmin(SettingsAdmin):
    scope = EVERYBODY
    form = MethodForm
    list_display = ["shown_name", "code", "kind", "payers", "is_offered", "place"]
    list_filter = ["is_offered", ("kind", ChoicesDropdownFilter)]
    search_fields = ["code", "name", "name_zh_hant", "name_zh_hans"]
    actions = ["offer", "withdraw"]
    fieldsets = [
        (None, {"fields": ["code", "kind", "name", "name_zh_hant", "name_zh_hans"]}),
        (gettext_lazy("At the checkout"), {
            "fields": ["is_offered", "order", "payer_countries", "regions", "currencies"],
        }),
    ]  # fmt: skip
    export_fields = ["code", "name", "name_zh_hant", "name_zh_hans", "kind", "is_offered"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Transactions name it.

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A few codes fit in a line, and a few regions need no two boxes."""
        if db_field.name in {"payer_countries", "currencies"}:
            kwargs["widget"] = UnfoldAdminTextInputWidget()
        if db_field.name == "regions":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @action(description=gettext_lazy("Offer at the checkout"), permissions=["change"])
    def offer(self, request: HttpRequest, queryset: Any) -> None:
        queryset.update(is_offered=True)
        self.say(request, _("Members are offered these ways to pay."))

    @action(description=gettext_lazy("Offer no more"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: Any) -> None:
        queryset.update(is_offered=False)
        self.say(request, _("Members are not offered these ways to pay any more."))

    @display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, method: PaymentMethod) -> str:
        return str(method)

    @display(description=gettext_lazy("Sort order"), ordering="order")
    def place(self, method: PaymentMethod) -> int:
        return method.order

    @display(description=gettext_lazy("countries of its payers"))
    def payers(self, method: PaymentMethod) -> str:
        return ", ".join(method.payer_countries) or _("everywhere")


class MethodFilter(DropdownFilter):  # type: ignore[misc]
    """By payment method, in local names."""

    title = gettext_lazy("payment method")
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(method.code, str(method)) for method in PaymentMethod.objects.all()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(method=self.value()) if self.value() else queryset


def names_of_methods() -> dict[str, str]:
    """The local name of each code; there are few of them."""
    return {method.code: str(method) for method in PaymentMethod.objects.all()}
