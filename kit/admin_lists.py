"""Lists of the admin: counted no further than anybody reads, filtered within a scope, and found by
a whole number or code on an index."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import ForeignKey, Model, Q, QuerySet, UniqueConstraint
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter

from kit.ids import normal_code
from kit.scope import NOTHING

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList as AnyChangeList
else:
    from unfold.views import ChangeList as AnyChangeList

MOST_COUNTED: Final = 10_000
_MOST_BEHIND: Final = 1_000  # Related rows with one number, or rows that an index begins with.


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


# Search


def is_whole(search_fields: Sequence[str]) -> bool:
    """Whether a list is searched by whole values only (`code__exact`)."""
    return bool(search_fields) and all(name.endswith("__exact") for name in search_fields)


def found_by(model: type[Model], search_fields: Iterable[str], term: str) -> Q:
    """Rows of `model` with the whole `term` in one of these fields. A field named `code` holds a
    code of ours, which is found however it is typed.

    Each look-up stands on an index: a value of another table is looked for there first, for no
    index spans two tables.
    """
    text = term.strip()
    found = Q()
    for name in search_fields:
        *path, column, _exact = name.split("__")
        value = normal_code(text) if column == "code" else text
        found |= _found(model, [*path, column], value)
    return found if text else NOTHING


def _found(model: type[Model], path: Sequence[str], value: str) -> Q:
    name, *behind = path
    if not behind:
        return Q(**{name: value}) & _beginning_of_its_index(model, name)
    related: Any = model._meta.get_field(name).related_model
    rows = related._base_manager.filter(_found(related, behind, value))
    return Q(**{f"{name}__in": list(rows.values_list("pk", flat=True)[:_MOST_BEHIND])})


def _beginning_of_its_index(model: type[Model], column: str) -> Q:
    """Where the unique key of `column` begins with one of few rows, such as the payment account
    of a delivery key: all of these rows."""
    keys = [one.fields for one in model._meta.constraints if isinstance(one, UniqueConstraint)]
    for first, second, *_others in (key for key in keys if len(key) > 1):
        field = model._meta.get_field(first)
        if second == column and isinstance(field, ForeignKey):
            rows = field.related_model._base_manager.values_list("pk", flat=True)
            few = list(rows[: _MOST_BEHIND + 1])
            return Q(**{f"{first}__in": few}) if len(few) <= _MOST_BEHIND else Q()
    return Q()
