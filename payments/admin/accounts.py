"""Payment accounts: their platform, its settings, and secrets that go in and never come out."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget

from kit.admin import BaseAdmin, RelatedFilter, also_save, display
from kit.scope import Scoping, scope_of
from payments.admin.account_form import (
    AccountForm,
    fields_of_platforms,
    part_name,
    secret_name,
    seen_in_words,
    setting_name,
)
from payments.admin.account_pages import AccountPages
from payments.admin.relay import RelayInline
from payments.models import Account
from payments.providers import all_providers
from payments.services.accounts import BY_FILE, callback_url, forget_accounts, secrets_of
from payments.services.secrets import look_at


def _platforms() -> list[tuple[str, Any]]:
    return [(provider.code, provider.label) for provider in all_providers().values()]


def _setting_names() -> dict[str, str]:
    """Field of a setting → code of its platform."""
    return {
        setting_name(provider, setting.name): provider.code
        for provider in all_providers().values()
        for setting in provider.settings
    }


def _part_names() -> dict[str, str]:
    """Field of a part of a secret → code of its platform."""
    return {
        part_name(provider, part.name): provider.code
        for provider in all_providers().values()
        for part in provider.secret_parts
    }


def _whole_secret_names() -> dict[str, str]:
    """Field of a secret that is one text → code of its platform."""
    rows = all_providers().values()
    return {secret_name(row): row.code for row in rows if not row.secret_parts}


def _shown_for(codes: list[str]) -> str:
    return f"typeof provider == 'undefined' || {json.dumps(codes)}.includes(provider)"


class ProviderFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("platform")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(provider.code, str(provider.label)) for provider in all_providers().values()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(AccountPages, BaseAdmin):
    scope = Scoping(store="store", region="store__region")
    list_display = ["name", "platform", "store", "secret_count", "is_enabled"]
    list_select_related = ["store"]
    list_filter = [ProviderFilter, ("store", RelatedFilter), "is_enabled"]
    search_fields = ["name"]
    autocomplete_fields = ["store"]
    readonly_fields = ["platform", "callback_url", "secret_count", "active_secrets"]
    inlines = [RelayInline]

    @property
    def conditional_fields(self) -> dict[str, str]:
        makers = [row.code for row in all_providers().values() if row.make_secret]
        return {
            **self._conditions(_setting_names()),
            **self._conditions(_part_names()),
            "makes_secret": _shown_for(makers),
            **self._conditions(_whole_secret_names()),
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Payments and posts keep their account: it can be switched off."""
        if obj is not None and (obj.transaction_set.exists() or obj.callback_set.exists()):
            return False
        return bool(super().has_delete_permission(request, obj))

    def _conditions(self, names: dict[str, str]) -> dict[str, str]:
        """A saved account has no field for its platform, and only fields of its own."""
        return {
            name: f"typeof provider == 'undefined' || provider == '{code}'"
            for name, code in names.items()
        }

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        declared: dict[str, Any] = fields_of_platforms()
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
            asked = list(_setting_names())
            secrets = [*_whole_secret_names(), *_part_names()]
            return [
                (None, {"fields": ["provider", "name", "store", "is_enabled", *asked]}),
                (_("Secrets"), {"fields": ["makes_secret", *secrets]}),
            ]
        provider = all_providers().get(obj.provider)
        base = ["platform", "name", "store", "is_enabled", "order_wait_seconds"]
        if provider is None:
            return [(None, {"fields": base})]
        asked = [setting_name(provider, setting.name) for setting in provider.settings]
        secrets = ["active_secrets"]
        if self.has_change_permission(request, obj):
            secrets += ["makes_secret"] if provider.make_secret else []
            parts = [part_name(provider, part.name) for part in provider.secret_parts]
            secrets += parts or ["new_secret"]
            secrets += ["removed_secrets"] if secrets_of(obj) else []
        return [
            (None, {"fields": [*base, *asked, "callback_url"]}),
            (_("Secrets"), {"fields": secrets}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = list(self.readonly_fields)
        if obj is not None and not self.has_change_permission(request, obj):
            shown += [name for name, code in _setting_names().items() if code == obj.provider]
        return shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:  # Its fields page writes settings too, and each adds to what is there.
            held = Account.objects.select_for_update(no_key=True)
            obj.refresh_from_db(fields=["settings", "secrets"], from_queryset=held)
        made = form.fill(obj)
        also_save(form, "settings", "secrets")
        super().save_model(request, obj, form, change)
        forget_accounts()
        if made:
            words = _("Copy the signing secret now, it is not shown again: %(secret)s")
            self.say(request, words % {"secret": made}, level=messages.WARNING)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        forget_accounts()  # The relay is saved after the account.

    @display(description=gettext_lazy("platform"), ordering="provider")
    def platform(self, account: Account) -> str:
        provider = all_providers().get(account.provider)
        return str(provider.label if provider else BY_FILE.get(account.provider, account.provider))

    @display(description=gettext_lazy("active secrets"))
    def secret_count(self, account: Account) -> str:
        return str(len(secrets_of(account)))

    @display(description=gettext_lazy("active secrets"))
    def active_secrets(self, account: Account) -> str:
        """What kind each of them is; the newest stands first."""
        provider = all_providers().get(account.provider)
        secrets = secrets_of(account) if provider else ()
        if provider is None or not secrets:
            return _("None: the account refuses everything.")
        seen = [look_at(provider, secret) for secret in secrets]
        rows = ((seen_in_words(each), each.problem) for each in seen)
        return format_html_join(mark_safe("<br>"), "{} {}", rows)

    @display(description=gettext_lazy("callback URL"))
    def callback_url(self, account: Account) -> str:
        address = callback_url(account)
        return format_html('<code class="rg-copy">{}</code>', address)
