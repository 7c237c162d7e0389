"""The one base of every admin class: scoped by store and region, light on queries, exportable."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_name
from django import forms
from django.apps import AppConfig
from django.conf import settings
from django.contrib import admin, messages
from django.core.checks import CheckMessage, Error, register
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.timezone import make_aware
from django.utils.translation import get_language
from import_export.admin import ExportMixin
from import_export.resources import modelresource_factory
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display as unfold_display

from kit.actions import action
from kit.scope import Scoping, scope_of
from kit.spreadsheets import SafeCSV, SafeXLSX

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as UnfoldAdmin
    from django.contrib.admin import StackedInline as UnfoldStacked
    from django.contrib.admin import TabularInline as UnfoldTabular
    from django.contrib.admin.views.main import ChangeList as AnyChangeList

    AnyAdmin = UnfoldAdmin[Any]
    AnyStacked = UnfoldStacked[Any, Any]
    AnyTabular = UnfoldTabular[Any, Any]
else:
    from unfold.admin import ModelAdmin as AnyAdmin
    from unfold.admin import StackedInline as AnyStacked
    from unfold.admin import TabularInline as AnyTabular
    from unfold.views import ChangeList as AnyChangeList

SEE_PERSONAL_DATA: Final = "members.see_personal_data"
EXPORT_ROWS: Final = "members.export_rows"
MOST_COUNTED: Final = 10_000
PAGE_ROWS: Final = 25
NOTHING: Final = "–"  # Where there is nothing to show.

Method = TypeVar("Method", bound=Callable[..., Any])


def display(**options: Any) -> Callable[[Method], Method]:
    """A column: Unfold's decorator with types."""
    return cast("Callable[[Method], Method]", unfold_display(**options))


def may_see_personal_data(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(SEE_PERSONAL_DATA))


def is_masked(row: Any) -> bool:
    """Whether the page of `row` is shown to somebody who may not read personal data."""
    return not getattr(row, "viewer_sees_personal_data", False)


def once(row: Any, name: str, read: Callable[[], Any]) -> Any:
    """What `read` gives, read once for each row: Unfold asks for a column again and again."""
    kept = row.__dict__.setdefault("_read_once", {})
    if name not in kept:
        kept[name] = read()
    return kept[name]


def plain(figure: Decimal | None) -> str:
    """`1,200.5`, not `1200.5000`: a list shows the figure and not its column."""
    if figure is None:
        return NOTHING
    return str(number_format(f"{figure.normalize():f}", use_l10n=True, force_grouping=True))


class PlainDecimalField(forms.DecimalField):
    """`800`, not `800.0000`: a form shows the figure and not its column."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than MOST_COUNTED: a million rows open as fast as a few."""

    template_name = "admin/parts/pages.html"

    @property
    def is_capped(self) -> bool:
        return bool(self.count >= MOST_COUNTED)

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        return rows.order_by()[:MOST_COUNTED].count()


class PlainChangeList(AnyChangeList):
    """A list that is neither filtered nor searched needs no "show all" beside its title."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


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


class RelatedFilter(RelatedDropdownFilter):  # type: ignore[misc]
    """A filter by a related row that offers only rows within the scope of who asks."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[Any, str]]:
        related = model_admin.admin_site._registry.get(field.remote_field.model)
        if related is None:
            return []
        return [(row.pk, str(row)) for row in related.get_queryset(request)[:500]]


class PeriodFilter(RangeDateTimeFilter):  # type: ignore[misc]
    """From and to: a day is enough, its first and last moment are meant then."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ends = (("from", "gte", "00:00:00"), ("to", "lte", "23:59:59.999999"))
        for end, comparison, moment in ends:
            name = f"{self.parameter_name}_{end}"
            day, time = (self.used_parameters.get(f"{name}_{part}") for part in "01")
            instant = _instant(f"{day} {time or moment}") if day else None
            if instant is not None:
                asked = {f"{self.parameter_name}__{comparison}": instant}
                queryset = queryset.filter(**asked)
        return queryset


def _instant(typed: str) -> datetime | None:
    """None for what is no moment, such as the 31st of February."""
    try:
        instant = parse_datetime(typed)
    except ValueError:
        return None
    return make_aware(instant) if instant else None


class BaseAdmin(ScopedFields, ExportMixin, AnyAdmin):  # type: ignore[misc]
    """Every admin class of the product. `scope` must be named; a system check looks."""

    scope: ClassVar[Scoping | None] = None
    export_fields: ClassVar[Sequence[str]] = ()  # None named: the list cannot be exported.
    personal_fields: ClassVar[Sequence[str]] = ()  # Read-only, or masked, without the permission.
    has_history: ClassVar[bool] = True
    when_empty: ClassVar[Any] = ""  # Said where there is no row yet.

    list_select_related: ClassVar[Any] = True
    list_per_page = PAGE_ROWS
    show_full_result_count = False
    paginator = CappedPaginator
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True
    formats = [SafeXLSX, SafeCSV]
    export_form_class = ExportForm

    # Scope

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        scoping = self.scope or Scoping()
        return super().get_queryset(request).filter(scoping.rows(scope_of(request.user)))

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Nobody filters by what they may not read: a list tells it as well as a page does."""
        hidden = () if request and may_see_personal_data(request) else self.personal_fields
        is_shown = lookup.partition("__")[0] not in hidden
        return is_shown and super().lookup_allowed(lookup, value, request)

    def is_in_scope(self, request: HttpRequest, row: Any) -> bool:
        """Django hands over a row, Unfold's actions only its key: both are looked up."""
        key = getattr(row, "pk", row)
        if row is None or key is None or scope_of(request.user).sees_everything:
            return True
        return self.get_object(request, str(key)) is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who does not see every store adds nothing that counts in all of them, such as a key."""
        is_for_all = self.scope is None or self.scope.is_headquarters
        sees_enough = not is_for_all or scope_of(request.user).sees_everything
        return bool(super().has_add_permission(request)) and sees_enough

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request)) and self.is_in_scope(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request)) and self.is_in_scope(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request)) and self.is_in_scope(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """The row, if it is in scope; it remembers whether its viewer may read personal data."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.viewer_sees_personal_data = may_see_personal_data(request)
        return row

    # Page

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return PlainChangeList

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        extra = {"show_history": self.has_history, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, extra)

    # Export

    def has_export_permission(self, request: HttpRequest) -> bool:
        return (
            bool(self.export_fields)
            and bool(request.user.has_perm(EXPORT_ROWS))
            and self.has_view_permission(request)
        )

    def get_export_resource_classes(self, request: HttpRequest) -> list[Any]:
        hidden = () if may_see_personal_data(request) else self.personal_fields
        fields = [name for name in self.export_fields if name not in hidden]
        return [
            modelresource_factory(
                self.model, meta_options={"fields": fields, "export_order": fields}
            )
        ]

    def get_export_formats(self) -> list[Any]:
        return list(self.formats)

    # Actions

    def why_late(self, request: HttpRequest, row: Any, name: str) -> str:
        """Of the action `name`, which is refused: that somebody was faster, in a sentence."""
        return ""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once is never offered: settings are few, and facts stay."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return cast("dict[str, Any]", actions)

    def say(self, request: HttpRequest, sentence: str, *, level: int = messages.SUCCESS) -> None:
        self.message_user(request, sentence, level)


class FactAdmin(BaseAdmin):
    """Facts are looked at, searched and exported; the database refuses everything else."""

    warn_unsaved_form = False
    has_history = False  # They never change.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BaseTabular(ScopedFields, AnyTabular):
    extra = 0
    hide_title = True


class BaseStacked(ScopedFields, AnyStacked):
    extra = 0
    add_words: ClassVar[Any] = ""  # On its button, where there is never more than one.


class SettingsAdmin(BaseAdmin):
    """Rows that staff edit and whose history is Django's own log: kept short, without search."""

    show_full_result_count = True


@register()
def check_admin_base(
    app_configs: Sequence[AppConfig] | None, **_kwargs: Any
) -> list[CheckMessage]:
    """Every registered admin class stands on BaseAdmin, its inlines too, and names its scope."""
    found: list[CheckMessage] = []
    for model, model_admin in admin.site._registry.items():
        if not isinstance(model_admin, BaseAdmin):
            found.append(
                Error(
                    f"{type(model_admin).__name__} of {model._meta.label} is not on BaseAdmin.",
                    hint="Derive it from kit.admin.BaseAdmin, or nothing scopes its rows.",
                    obj=type(model_admin),
                    id="kit.E001",
                )
            )
            continue
        found += [
            Error(
                f"{inline.__name__} of {model._meta.label} is not on BaseTabular or BaseStacked.",
                hint="Derive it from one of them, or nothing scopes the rows that it offers.",
                obj=inline,
                id="kit.E001",
            )
            for inline in model_admin.inlines
            if not issubclass(inline, ScopedFields)
        ]
        if model_admin.scope is None:
            found.append(
                Error(
                    f"{type(model_admin).__name__} of {model._meta.label} names no scope.",
                    hint="Set scope to Scoping(...), kit.scope.EVERYBODY or HEADQUARTERS.",
                    obj=type(model_admin),
                    id="kit.E002",
                )
            )
    return found


__all__ = [
    "NOTHING",
    "BaseAdmin",
    "BaseStacked",
    "BaseTabular",
    "CappedPaginator",
    "FactAdmin",
    "PeriodFilter",
    "RelatedFilter",
    "SettingsAdmin",
    "action",
    "check_admin_base",
    "display",
    "is_masked",
    "may_see_personal_data",
    "once",
    "plain",
]
