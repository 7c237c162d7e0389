"""Payment accounts: their platform, its settings, and secrets that go in and never come out."""

import json
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from kit.admin import BaseAdmin, RelatedFilter, display
from kit.masking import DOTS
from kit.scope import Scoping, scope_of
from payments.models import Account
from payments.providers import all_providers
from payments.providers.base import Provider
from payments.services.accounts import callback_url, forget_accounts, secrets_of, set_secrets

MOST_SECRETS: Final = 5


def secret_tail(secret: str) -> str:
    """The last four characters, of a PEM block those before its closing line."""
    body = [line for line in secret.split("\n") if line.strip() and not line.startswith("-----")]
    return f"{DOTS}{body[-1].strip()[-4:]}" if body and len(body[-1].strip()) >= 12 else DOTS


def setting_name(provider: Provider, name: str) -> str:
    return f"{provider.code}__{name}"


class AccountForm(forms.ModelForm[Account]):
    new_secret = forms.CharField(
        label=gettext_lazy("New secret or key"),
        required=False,
        max_length=8000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off"}),
    )
    makes_secret = forms.BooleanField(
        label=gettext_lazy("Make a new signing secret"),
        required=False,
        help_text=gettext_lazy("It is shown once, after saving."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    removed_secrets = forms.MultipleChoiceField(
        label=gettext_lazy("Remove secrets"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = Account
        fields = ["provider", "name", "store", "is_enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for provider in all_providers().values():
            for setting in provider.settings:
                field = self.fields.get(setting_name(provider, setting.name))
                if field is not None:
                    field.initial = self.instance.settings.get(setting.name, "")
        if "removed_secrets" in self.fields:
            kept = enumerate(secrets_of(self.instance))
            removed: Any = self.fields["removed_secrets"]
            removed.choices = [(str(place), secret_tail(secret)) for place, secret in kept]
        own = all_providers().get(self.instance.provider)
        if own is not None and "new_secret" in self.fields:
            self.fields["new_secret"].label = own.secret_label
            self.fields["new_secret"].help_text = own.secret_help

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        code = cleaned.get("provider", self.instance.provider)
        provider = all_providers().get(code)
        if provider is None:
            return cleaned
        self._check_settings(provider, cleaned)
        self._check_secret(provider, cleaned)
        return cleaned

    def _check_settings(self, provider: Provider, cleaned: dict[str, Any]) -> None:
        for setting in provider.settings:
            name = setting_name(provider, setting.name)
            if setting.is_required and name in self.fields and not cleaned.get(name):
                self.add_error(name, _("This platform needs it."))

    def _check_secret(self, provider: Provider, cleaned: dict[str, Any]) -> None:
        secret = (cleaned.get("new_secret") or "").strip()
        kept = len(secrets_of(self.instance)) - len(cleaned.get("removed_secrets") or [])
        # Hidden for other platforms, the switch may still be on from the one chosen before.
        makes = provider.make_secret is not None and bool(cleaned.get("makes_secret"))
        if (secret or makes) and kept >= MOST_SECRETS:
            name = "new_secret" if secret else "makes_secret"
            self.add_error(name, _("Remove an old secret first: five are kept at most."))
        if makes and secret:
            self.add_error("makes_secret", _("Enter a secret or let one be made, not both."))
        if secret:
            try:
                provider.check_secret(secret)
            except ValueError as problem:
                self.add_error("new_secret", str(problem))

    def fill(self, account: Account) -> str:
        """Carry the settings and secrets over to `account`, newest secret first; returns the
        secret that was made, if one was."""
        cleaned = self.cleaned_data
        provider = all_providers().get(account.provider)
        if provider is not None:
            account.settings = {
                setting.name: cleaned[setting_name(provider, setting.name)].strip()
                for setting in provider.settings
                if cleaned.get(setting_name(provider, setting.name))
            }
        removed = set(cleaned.get("removed_secrets") or [])
        kept = [
            secret for place, secret in enumerate(secrets_of(account)) if str(place) not in removed
        ]
        makes = provider.make_secret if provider and cleaned.get("makes_secret") else None
        made = makes() if makes else ""
        added = made or (cleaned.get("new_secret") or "").strip()
        set_secrets(account, [added, *kept] if added and added not in kept else kept)
        return made


def _platforms() -> list[tuple[str, Any]]:
    return [(provider.code, provider.label) for provider in all_providers().values()]


class ProviderFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("platform")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(provider.code, str(provider.label)) for provider in all_providers().values()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(BaseAdmin):
    scope = Scoping(store="store", region="store__region")
    list_display = ["name", "platform", "store", "secret_count", "is_enabled"]
    list_select_related = ["store"]
    list_filter = [ProviderFilter, ("store", RelatedFilter), "is_enabled"]
    search_fields = ["name"]
    autocomplete_fields = ["store"]
    readonly_fields = ["platform", "callback_url", "secret_count"]

    @property
    def conditional_fields(self) -> dict[str, str]:
        makers = [row.code for row in all_providers().values() if row.make_secret]
        # A saved account has no field for its platform, and the switch only if that can do it.
        shown = f"typeof provider == 'undefined' || {json.dumps(makers)}.includes(provider)"
        return {**self._setting_conditions(), "makes_secret": shown}

    def _setting_conditions(self) -> dict[str, str]:
        return {
            setting_name(provider, setting.name): f"provider == '{provider.code}'"
            for provider in all_providers().values()
            for setting in provider.settings
        }

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        declared: dict[str, Any] = {
            setting_name(provider, setting.name): forms.CharField(
                label=setting.label,
                help_text=setting.help_text,
                required=False,
                widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
            )
            for provider in all_providers().values()
            for setting in provider.settings
        }
        if obj is None:
            choices = [("", _("Choose the platform")), *_platforms()]
            declared["provider"] = forms.ChoiceField(
                label=gettext_lazy("Platform"),
                choices=choices,
                widget=UnfoldAdminSelectWidget(choices=choices),
            )
        kwargs["form"] = type("AccountFormOfPlatforms", (AccountForm,), declared)
        form = super().get_form(request, obj, change=change, **kwargs)
        if "store" in form.base_fields:
            # An account of no store is one of all stores.
            form.base_fields["store"].required = not scope_of(request.user).sees_everything
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            asked = list(self._setting_conditions())
            return [
                (None, {"fields": ["provider", "name", "store", "is_enabled", *asked]}),
                (_("Secrets"), {"fields": ["makes_secret", "new_secret"]}),
            ]
        provider = all_providers().get(obj.provider)
        base = ["platform", "name", "store", "is_enabled"]
        if provider is None:
            return [(None, {"fields": base})]
        asked = [setting_name(provider, setting.name) for setting in provider.settings]
        secrets = ["secret_count"]
        if self.has_change_permission(request, obj):
            secrets += ["makes_secret"] if provider.make_secret else []
            secrets += ["new_secret", "removed_secrets"] if obj.secrets else ["new_secret"]
        return [
            (None, {"fields": [*base, *asked, "callback_url"]}),
            (_("Secrets"), {"fields": secrets}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = list(self.readonly_fields)
        if obj is not None and not self.has_change_permission(request, obj):
            shown += [name for name in self._setting_conditions() if name.startswith(obj.provider)]
        return shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = form.fill(obj)
        super().save_model(request, obj, form, change)
        forget_accounts()
        if made:
            words = _("Copy the signing secret now, it is not shown again: %(secret)s")
            self.say(request, words % {"secret": made}, level=messages.WARNING)

    @display(description=gettext_lazy("platform"), ordering="provider")
    def platform(self, account: Account) -> str:
        provider = all_providers().get(account.provider)
        return str(provider.label) if provider else account.provider

    @display(description=gettext_lazy("active secrets"))
    def secret_count(self, account: Account) -> str:
        tails = [secret_tail(secret) for secret in secrets_of(account)]
        return f"{len(tails)} ({', '.join(tails)})" if tails else "0"

    @display(description=gettext_lazy("callback URL"))
    def callback_url(self, account: Account) -> str:
        address = callback_url(account)
        return format_html('<code class="rg-copy">{}</code>', address)
