"""The one base of every admin class: scoped by store and region, light on queries, exportable."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from django.apps import AppConfig
from django.contrib import admin, messages
from django.core.checks import CheckMessage, Error, register
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from import_export.admin import ExportMixin
from import_export.resources import modelresource_factory
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display as unfold_display

from kit.actions import action
from kit.admin_forms import (
    NOTHING,
    OwnColumnsFormSet,
    PlainDecimalField,
    ScopedFields,
    also_save,
    saved_columns,
)
from kit.admin_lists import (
    CappedPaginator,
    PeriodFilter,
    PlainChangeList,
    RelatedFilter,
    found_by,
    is_whole,
)
from kit.scope import Scoping, scope_of
from kit.spreadsheets import SafeCSV, SafeXLSX

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as UnfoldAdmin
    from django.contrib.admin import StackedInline as UnfoldStacked
    from django.contrib.admin import TabularInline as UnfoldTabular

    AnyAdmin = UnfoldAdmin[Any]
    AnyStacked = UnfoldStacked[Any, Any]
    AnyTabular = UnfoldTabular[Any, Any]
else:
    from unfold.admin import ModelAdmin as AnyAdmin
    from unfold.admin import StackedInline as AnyStacked
    from unfold.admin import TabularInline as AnyTabular

SEE_PERSONAL_DATA: Final = "members.see_personal_data"
EXPORT_ROWS: Final = "members.export_rows"
PAGE_ROWS: Final = 25

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
        return self.known(request, key) is not None

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
        if from_field is None:
            self._found(request)[str(object_id)] = row
        return row

    def known(self, request: HttpRequest, key: Any) -> Any:
        """The row as this request read it last, if it is in scope: a page asks for a right after
        another. Who changes the row reads it anew, with `get_object`."""
        found = self._found(request)
        if str(key) not in found:
            self.get_object(request, str(key))
        return found[str(key)]

    def _found(self, request: HttpRequest) -> dict[str, Any]:
        return cast("dict[str, Any]", once(request, f"rows of {self.opts.label}", dict))

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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        fields = self.get_search_fields(request)
        if not search_term or not is_whole(fields):
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(found_by(self.model, fields, search_term)), False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Of a row that is there already only what the form is about: see `also_save`."""
        if change:
            obj.save(update_fields=saved_columns(form))
        else:
            super().save_model(request, obj, form, change)

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
    formset = OwnColumnsFormSet
    extra = 0
    hide_title = True


class BaseStacked(ScopedFields, AnyStacked):
    formset = OwnColumnsFormSet
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
    "PlainDecimalField",
    "RelatedFilter",
    "SettingsAdmin",
    "action",
    "also_save",
    "check_admin_base",
    "display",
    "is_masked",
    "may_see_personal_data",
    "once",
    "plain",
]
