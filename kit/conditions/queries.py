"""The compiler for the database: the same tree as a Q, of which no part is ever NULL."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db.models import DateField, DateTimeField, DecimalField, Exists, F, Q, TextField
from django.db.models import Value as Literal
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, ExtractDay, ExtractMonth
from django.db.models.lookups import (
    Contains,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    StartsWith,
)
from django.utils.translation import gettext as _

from kit.conditions.days import Clock, day_range, month_day_ranges
from kit.conditions.errors import NotQueryableError
from kit.conditions.fields import (
    EMPTINESS,
    Kind,
    MoneyColumns,
    Operator,
    Registry,
    RelatedRows,
)
from kit.conditions.tree import Group, Rule, Tree, parse

_NEVER: Final = Q(pk__in=())


def to_q(tree: Tree, registry: Registry, *, now: dt.datetime, zone: dt.tzinfo) -> Q:
    """The rows that fulfil the tree; raises NotQueryableError for a field that only facts have."""
    return _compile(parse(tree, registry), Clock(now, zone))


def _compile(node: Group | Rule, clock: Clock) -> Q:
    if isinstance(node, Group):
        parts = [_compile(child, clock) for child in node.children]
        connector = Q.OR if node.is_any else Q.AND
        return Q(*parts, _connector=connector, _negated=node.is_negated)
    if node.field.query is None:
        raise NotQueryableError(
            _("“%(field)s” is known only while one case is judged. Pick another field.")
            % {"field": node.field.label}
        )
    if node.field.kind is Kind.SET:
        return _set(node)
    if node.operator in EMPTINESS:
        return _emptiness(node)
    return _known(node) & _KINDS[node.field.kind](node, clock)


def _column(rule: Rule) -> Combinable:
    query = rule.field.query
    if isinstance(query, MoneyColumns):
        query = query.amount
    if isinstance(query, str):
        return F(query)
    if isinstance(query, Combinable):
        return query
    raise TypeError(f"{rule.field.name} cannot be queried by {query!r}.")


def _currency(rule: Rule) -> Combinable | None:
    query = rule.field.query
    stored = query.currency if isinstance(query, MoneyColumns) else None
    return F(stored) if isinstance(stored, str) else stored


def _is_known(column: Combinable) -> Q:
    return Q(IsNull(column, False))  # noqa: FBT003 - Django takes it by position.


def _known(rule: Rule) -> Q:
    """Whether there is a value; with it, NOT turns what is unknown from false to true."""
    known = _is_known(_column(rule))
    currency = _currency(rule)
    if currency is not None:
        known &= _is_known(currency)
    if rule.field.kind in (Kind.TEXT, Kind.CHOICE):
        return known & ~Q(Exact(Cast(_column(rule), TextField()), Literal("")))
    return known


def _emptiness(rule: Rule) -> Q:
    known = _known(rule)
    return ~known if rule.operator is Operator.IS_EMPTY else known


_LOOKUPS: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.EQUAL: Exact,
    Operator.LESS: LessThan,
    Operator.AT_MOST: LessThanOrEqual,
    Operator.MORE: GreaterThan,
    Operator.AT_LEAST: GreaterThanOrEqual,
    Operator.CONTAINS: Contains,
    Operator.BEGINS: StartsWith,
    Operator.IN: In,
}
_OPPOSITES: Final = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.LACKS: Operator.CONTAINS,
    Operator.NOT_IN: Operator.IN,
}


def _compare(column: Combinable, operator: Operator, value: Any) -> Q:
    if operator in _OPPOSITES:
        return ~_compare(column, _OPPOSITES[operator], value)
    if operator is Operator.BETWEEN:
        low, high = value
        return _compare(column, Operator.AT_LEAST, low) & _compare(column, Operator.AT_MOST, high)
    return Q(_LOOKUPS[operator](column, value))


def _plain(rule: Rule, _clock: Clock) -> Q:
    return _compare(_column(rule), rule.operator, rule.value)


def _number(rule: Rule, _clock: Clock) -> Q:
    return _compare(_column(rule), rule.operator, _decimals(rule.value))


def _decimals(value: Any) -> Any:
    """As decimals of their own: an integer column would cut off what follows the point."""
    if isinstance(value, tuple):
        return tuple(map(_decimals, value))
    return Literal(value, output_field=DecimalField())


def _money(rule: Rule, _clock: Clock) -> Q:
    ends = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    amounts = tuple(end.amount for end in ends)
    against = amounts if rule.operator is Operator.BETWEEN else amounts[0]
    same_amount = _compare(_column(rule), rule.operator, _decimals(against))
    code = ends[0].currency
    currency = _currency(rule)
    if currency is not None:
        return Q(Exact(currency, Literal(code))) & same_amount
    return same_amount if code in rule.field.currencies()[:1] else _NEVER


def _days(rule: Rule, clock: Clock) -> Q:
    start, end = day_range(rule.operator, rule.value, clock.today)
    bounds = Q()
    if start is not None:
        bounds &= Q(GreaterThanOrEqual(_column(rule), _bound(rule, start, clock)))
    if end is not None:
        bounds &= Q(LessThan(_column(rule), _bound(rule, end, clock)))
    return bounds


def _bound(rule: Rule, day: dt.date, clock: Clock) -> Literal:
    """Instants are compared with the start of a day, which an index on them can answer."""
    if rule.field.kind is Kind.INSTANT:
        return Literal(clock.start_of(day), output_field=DateTimeField())
    return Literal(day, output_field=DateField())


class _InZoneIfInstant:
    """A column is known to hold dates or instants only now; a plain date has no zone."""

    def resolve_expression(self, *args: Any, **options: Any) -> Any:
        resolved = super().resolve_expression(*args, **options)  # type: ignore[misc]
        if not isinstance(resolved.lhs.output_field, DateTimeField):
            resolved.tzinfo = None
        return resolved


class _MonthOf(_InZoneIfInstant, ExtractMonth):
    pass


class _DayOf(_InZoneIfInstant, ExtractDay):
    pass


def _anniversary(rule: Rule, clock: Clock) -> Q:
    column = _column(rule)
    place = _MonthOf(column, tzinfo=clock.zone) * 100 + _DayOf(column, tzinfo=clock.zone)
    ranges = month_day_ranges(rule.operator, rule.value, clock.today)
    return Q(*(_compare(place, Operator.BETWEEN, ends) for ends in ranges), _connector=Q.OR)


_KINDS: Final[Mapping[Kind, Callable[[Rule, Clock], Q]]] = {
    Kind.TEXT: _plain,
    Kind.CHOICE: _plain,
    Kind.BOOLEAN: _plain,
    Kind.NUMBER: _number,
    Kind.MONEY: _money,
    Kind.DATE: _days,
    Kind.INSTANT: _days,
    Kind.ANNIVERSARY: _anniversary,
}


def _set(rule: Rule) -> Q:
    query = rule.field.query
    if isinstance(query, RelatedRows):
        return _set_of_rows(rule, query)
    if not isinstance(query, str):
        raise TypeError(f"{rule.field.name}: a set is queried by path or by RelatedRows.")
    known = Q(**{f"{query}__isnull": False})
    filled = known & ~Q(**{f"{query}__len": 0})
    if rule.operator in EMPTINESS:
        return ~filled if rule.operator is Operator.IS_EMPTY else filled
    overlaps = Q(**{f"{query}__overlap": list(rule.value)})
    return known & (overlaps if rule.operator is Operator.CONTAINS_ANY else ~overlaps)


def _set_of_rows(rule: Rule, related: RelatedRows) -> Q:
    rows = related.rows()
    if rule.operator in EMPTINESS:
        filled = Q(Exists(rows))
        return ~filled if rule.operator is Operator.IS_EMPTY else filled
    found = Q(Exists(rows.filter(**{f"{related.path}__in": rule.value})))
    return found if rule.operator is Operator.CONTAINS_ANY else ~found
