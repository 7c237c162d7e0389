"""Forms of the admin: plain figures, choices within a scope, and a save that writes only what the
form is about."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_name
from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import get_language

if TYPE_CHECKING:
    from django.forms import BaseInlineFormSet

    AnyFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    from unfold.forms import PaginationInlineFormSet as AnyFormSet

NOTHING: Final = "–"  # Where there is nothing to show.


class PlainDecimalField(forms.DecimalField):
    """`800`, not `800.0000`: a form shows the figure and not its column."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def zone_in_words() -> str:
    """The zone in which forms are read and written, as in `Hong Kong Time`."""
    zone: str = settings.TIME_ZONE
    if "/" not in zone:
        return zone
    locale = Locale.parse((get_language() or "en").replace("-", "_"))
    return str(get_timezone_name(ZoneInfo(zone), locale=locale))


class ScopedFields:
    """Fields of forms and inlines: plain figures, instants with their zone, and related objects
    offered, and accepted, only within the scope of who asks."""

    admin_site: admin.AdminSite
    formfield_overrides: Any = {models.DecimalField: {"form_class": PlainDecimalField}}
    empty_value_display = NOTHING

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if isinstance(db_field, models.DateTimeField):
            words = [str(kwargs.get("help_text") or db_field.help_text), zone_in_words()]
            kwargs["help_text"] = " ".join(filter(None, words))
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]

    def get_field_queryset(
        self, db: str | None, db_field: models.Field[Any, Any], request: HttpRequest
    ) -> QuerySet[Any] | None:
        related = self.admin_site._registry.get(cast("Any", db_field).remote_field.model)
        if related is None:
            return super().get_field_queryset(db, db_field, request)  # type: ignore[misc,no-any-return]
        rows = related.get_queryset(request)
        return rows.using(db) if db else rows


# What a form saves


def also_save(form: Any, *columns: str) -> None:
    """Whoever sets more on a form's row than the form's own fields names it here."""
    form.also_saved = {*getattr(form, "also_saved", ()), *columns}


def saved_columns(form: Any) -> set[str]:
    """What a form of an existing row writes. The row was read before: what a service has written
    in its other columns meanwhile stays."""
    own = {name for name, field in form.fields.items() if not field.disabled}
    own &= form.cleaned_data.keys()
    columns = [field for field in form.instance._meta.concrete_fields if not field.primary_key]
    asked = {field.name for field in columns if field.name in own and field.editable}
    of_each_save = {field.name for field in columns if getattr(field, "auto_now", False)}
    return asked | of_each_save | set(getattr(form, "also_saved", ()))


class OwnColumnsFormSet(AnyFormSet):
    """The rows of an inline, saved in the same way."""

    def save_existing(self, form: Any, obj: Any, commit: bool = True) -> Any:  # noqa: FBT001, FBT002
        row = form.save(commit=False)
        if commit:
            row.save(update_fields=saved_columns(form))
            form.save_m2m()
        return row
