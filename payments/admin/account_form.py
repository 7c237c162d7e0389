"""The form of a payment account: settings of whichever platform, secrets that only go in."""

import json
from typing import Any, Final

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from kit.crypto import blind_index
from payments.models import Account
from payments.providers import all_providers
from payments.providers.base import Provider, SettingField
from payments.services.accounts import secrets_of, set_secrets
from payments.services.secrets import Seen, look_at

MOST_SECRETS: Final = 5


def setting_name(provider: Provider, name: str) -> str:
    return f"{provider.code}__{name}"


def part_name(provider: Provider, name: str) -> str:
    return f"{provider.code}__part__{name}"


def secret_name(provider: Provider) -> str:
    return f"{provider.code}__secret"


def _name_of(secret: str) -> str:
    """What the page calls it by: its place in the list may be another's by the time it is sent."""
    return blind_index("account secret", secret)[:16]


def seen_in_words(seen: Seen) -> str:
    if seen.expires_at is None:
        return seen.words
    day = date_format(seen.expires_at, "DATE_FORMAT")
    return _("%(secret)s, valid until %(day)s") % {"secret": seen.words, "day": day}


def fields_of_platforms() -> dict[str, forms.Field]:
    """Every platform's settings and parts of secrets; a form shows those of one platform."""
    found: dict[str, forms.Field] = {}
    for provider in all_providers().values():
        for setting in provider.settings:
            found[setting_name(provider, setting.name)] = _setting_field(setting)
        if not provider.secret_parts:
            found[secret_name(provider)] = _secret_field(
                provider.secret_label, provider.secret_help, widget=UnfoldAdminTextareaWidget
            )
        for place, part in enumerate(provider.secret_parts):
            # What is said of the whole set stands below its first part.
            said = [*([] if place else [str(provider.secret_help)]), str(part.help_text)]
            name = part_name(provider, part.name)
            found[name] = _secret_field(part.label, " ".join(filter(None, said)))
    return found


def _secret_field(
    label: Any, help_text: Any, widget: type[forms.Widget] = UnfoldAdminTextInputWidget
) -> forms.Field:
    attrs = {"autocomplete": "off", "spellcheck": "false", "rows": 3}
    if widget is UnfoldAdminTextInputWidget:
        del attrs["rows"]
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        max_length=8000,
        widget=widget(attrs=attrs),
    )


def _setting_field(setting: SettingField) -> forms.Field:
    if setting.choices:
        return forms.ChoiceField(
            label=setting.label,
            help_text=setting.help_text,
            choices=setting.choices,
            required=False,
            widget=UnfoldAdminSelectWidget(choices=setting.choices),
        )
    return forms.CharField(
        label=setting.label,
        help_text=setting.help_text,
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class AccountForm(forms.ModelForm[Account]):
    new_secret = forms.CharField(
        label=gettext_lazy("New secret or key"),
        required=False,
        max_length=8000,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}
        ),
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
        help_text=gettext_lazy(
            "Add the new one first, wait until the platform uses it, then remove the old one."
        ),
        error_messages={
            "invalid_choice": gettext_lazy("A secret that you chose was removed meanwhile.")
        },
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = Account
        fields = ["provider", "name", "store", "is_enabled", "order_wait_seconds"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "order_wait_seconds" in self.fields:
            self.fields["order_wait_seconds"].required = False
        own = all_providers().get(self.instance.provider)
        if own is not None:
            self._dress_for(own)

    def _dress_for(self, own: Provider) -> None:
        """The form of a saved account: its platform stands."""
        for setting in own.settings:
            field = self.fields.get(setting_name(own, setting.name))
            if field is not None:
                field.initial = self.instance.settings.get(setting.name, "")
                field.required = setting.is_required
        if "removed_secrets" in self.fields:
            removed: Any = self.fields["removed_secrets"]
            removed.choices = [
                (_name_of(secret), seen_in_words(look_at(own, secret)))
                for secret in secrets_of(self.instance)
            ]
        if "new_secret" in self.fields:
            self.fields["new_secret"].label = own.secret_label
            self.fields["new_secret"].help_text = own.secret_help

    def clean_order_wait_seconds(self) -> int:
        return self.cleaned_data["order_wait_seconds"] or 0

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        code = cleaned.get("provider", self.instance.provider)
        provider = all_providers().get(code)
        if provider is None:
            return cleaned
        self._check_settings(provider, cleaned)
        if provider.secret_parts:
            self._join_parts(provider, cleaned)
        elif cleaned.get(secret_name(provider)):
            cleaned["new_secret"] = cleaned[secret_name(provider)]
        self._check_secret(provider, cleaned)
        return cleaned

    def _check_settings(self, provider: Provider, cleaned: dict[str, Any]) -> None:
        for setting in provider.settings:
            name = setting_name(provider, setting.name)
            is_missing = name in self.fields and not cleaned.get(name)
            if setting.is_required and is_missing and name not in self.errors:
                self.add_error(name, _("This platform needs it."))

    def _join_parts(self, provider: Provider, cleaned: dict[str, Any]) -> None:
        """The parts as one secret; half of a set is no secret."""
        named = {part.name: part_name(provider, part.name) for part in provider.secret_parts}
        given = {name: (cleaned.get(field) or "").strip() for name, field in named.items()}
        if not any(given.values()):
            cleaned["new_secret"] = ""
            return
        for part in provider.secret_parts:
            if part.is_required and not given[part.name]:
                self.add_error(named[part.name], _("This belongs to the set too."))
        cleaned["new_secret"] = json.dumps(given)

    def _check_secret(self, provider: Provider, cleaned: dict[str, Any]) -> None:
        secret = (cleaned.get("new_secret") or "").strip()
        kept = len(secrets_of(self.instance)) - len(cleaned.get("removed_secrets") or [])
        parts = [part_name(provider, part.name) for part in provider.secret_parts]
        name = parts[0] if parts else "new_secret"
        if not parts and cleaned.get(secret_name(provider)):
            name = secret_name(provider)
        # Hidden for other platforms, the switch may still be on from the one chosen before.
        makes = provider.make_secret is not None and bool(cleaned.get("makes_secret"))
        if (secret or makes) and kept >= MOST_SECRETS:
            words = _("Remove an old secret first: five are kept at most.")
            self.add_error(name if secret else "makes_secret", words)
        if makes and secret:
            self.add_error("makes_secret", _("Enter a secret or let one be made, not both."))
        if secret and not any(part in self.errors for part in parts):
            try:
                provider.check_secret(secret)
            except ValueError as problem:
                self.add_error(name, str(problem))

    def fill(self, account: Account) -> str:
        """Carry the settings and secrets over to `account`, newest secret first; returns the
        secret that was made, if one was."""
        cleaned = self.cleaned_data
        provider = all_providers().get(account.provider)
        if provider is not None:
            # What a page of its own sets up, such as an inlet's recipe, stays.
            names = {setting.name for setting in provider.settings}
            others = {name: kept for name, kept in account.settings.items() if name not in names}
            account.settings = others | {
                setting.name: cleaned[setting_name(provider, setting.name)].strip()
                for setting in provider.settings
                if cleaned.get(setting_name(provider, setting.name))
            }
        removed = cleaned.get("removed_secrets") or []
        kept = [secret for secret in secrets_of(account) if _name_of(secret) not in removed]
        makes = provider.make_secret if provider and cleaned.get("makes_secret") else None
        made = makes() if makes else ""
        added = made or (cleaned.get("new_secret") or "").strip()
        set_secrets(account, [added, *kept] if added and added not in kept else kept)
        return made
