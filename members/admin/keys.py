"""The admin of API keys: made and rotated, shown once, otherwise only narrowed or switched off."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from kit.admin import BaseAdmin, RelatedFilter, action, display
from kit.scope import HEADQUARTERS
from members.keys import make_key, rotate_key
from members.models import ApiKey

_OVERLAPS: Final = [
    (0, gettext_lazy("It ends at once")),
    (1, gettext_lazy("1 hour")),
    (24, gettext_lazy("1 day")),
    (7 * 24, gettext_lazy("7 days")),
    (30 * 24, gettext_lazy("30 days")),
]


class RotateDialog(BaseDialogForm):  # type: ignore[misc]
    hours = forms.TypedChoiceField(
        label=gettext_lazy("The present secret works for"),
        choices=_OVERLAPS,
        coerce=int,
        initial=24,
        widget=UnfoldAdminSelectWidget(choices=_OVERLAPS),
    )


class ApiKeyForm(forms.ModelForm[ApiKey]):
    class Meta:
        model = ApiKey
        fields = [
            "name",
            "scopes",
            "store",
            "is_enabled",
            "expires_at",
            "addresses",
            "requests_per_minute",
        ]

    def clean_addresses(self) -> list[str]:
        found = []
        for typed in self.cleaned_data.get("addresses") or []:
            try:
                network = ip_network(typed.strip(), strict=False)
            except ValueError as problem:
                raise forms.ValidationError(
                    _("“%(value)s” is no IP address. Write 203.0.113.7 or 203.0.113.0/24."),
                    params={"value": typed[:50]},
                ) from problem
            alone = network.prefixlen == network.max_prefixlen
            found.append(str(network.network_address if alone else network))
        return found

    def clean_requests_per_minute(self) -> int | None:
        number: int | None = self.cleaned_data.get("requests_per_minute")
        if number == 0:
            raise forms.ValidationError(
                _("Enter 1 or more. To stop the key, switch it off instead.")
            )
        return number


@admin.register(ApiKey)
class ApiKeyAdmin(BaseAdmin):
    scope = HEADQUARTERS
    form = ApiKeyForm
    list_display = [
        "name",
        "prefix",
        "store",
        "is_enabled",
        "expires_at",
        "created_at",
        "last_used_on",
    ]
    list_filter = ["is_enabled", ("store", RelatedFilter)]
    search_fields = ["name", "prefix"]
    autocomplete_fields = ["store"]
    actions_detail = ["rotate"]
    fieldsets = [
        (None, {"fields": ["name", "scopes", "store", "is_enabled"]}),
        (gettext_lazy("Limits"), {
            "fields": ["expires_at", "addresses", "requests_per_minute"],
        }),
        (gettext_lazy("State"), {
            "fields": ["prefix", "created_at", "last_used_on", "old_until"],
        }),
    ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        made = ["prefix", "created_at", "last_used_on", "old_until"]
        return made if obj is None else ["shown_scopes", "store", *made]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets[:-1]
        return [
            (None, {"fields": ["name", "shown_scopes", "store", "is_enabled"]}),
            *self.fieldsets[1:],
        ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "scopes":
            return forms.MultipleChoiceField(
                label=capfirst(db_field.verbose_name),
                choices=ApiKey.Scope.choices,
                widget=UnfoldAdminCheckboxSelectMultipleWidget(),
            )
        if db_field.name == "addresses":
            return SimpleArrayField(
                forms.CharField(max_length=43),
                label=capfirst(db_field.verbose_name),
                help_text=db_field.help_text,
                required=False,
                max_length=50,
                widget=UnfoldAdminTextInputWidget(),
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key, plain = make_key(
            obj.name,
            scopes=obj.scopes,
            store=obj.store,
            is_enabled=obj.is_enabled,
            expires_at=obj.expires_at,
            addresses=obj.addresses,
            requests_per_minute=obj.requests_per_minute,
        )
        obj.pk, obj.prefix, obj._state.adding = key.pk, key.prefix, False
        self._show_once(request, plain)

    @display(description=gettext_lazy("scopes"))
    def shown_scopes(self, key: ApiKey) -> str:
        words = dict(ApiKey.Scope.choices)
        return _(", ").join(str(words.get(scope, scope)) for scope in key.scopes)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Coupon uses name it; switch it off instead.

    @action(
        description=gettext_lazy("Rotate"),
        icon="autorenew",
        permissions=["change"],
        dialog={
            "title": gettext_lazy("Make a new secret for this key?"),
            "description": gettext_lazy(
                "The new secret is shown once. Until the present one ends, both work; what was"
                " left of an earlier rotation ends now."
            ),
            "form_class": RotateDialog,
            "form_submit_text": gettext_lazy("Make a new secret"),
        },
    )
    def rotate(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        key: ApiKey | None = self.get_object(request, object_id)
        if key is None:
            raise PermissionDenied
        overlap = timedelta(hours=form.cleaned_data["hours"])
        plain = rotate_key(key, overlap=overlap, now=timezone.now())
        self.log_change(request, key, _("A new secret was made."))
        self._show_once(request, plain)
        url = reverse("admin:members_apikey_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": url})

    def _show_once(self, request: HttpRequest, plain: str) -> None:
        words = _("Copy the key now, it is not shown again: %(key)s")
        self.say(request, words % {"key": plain}, level=messages.WARNING)
