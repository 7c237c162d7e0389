"""What staff may ask about: fields, their operators, and one registry for each subject."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from enum import StrEnum
from functools import cache, partial
from typing import Any, Final, TypeAlias

from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.utils.functional import Promise

Label: TypeAlias = str | Promise


class Kind(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    ANNIVERSARY = "anniversary"
    SET = "set"


class Operator(StrEnum):
    """Names follow react-querybuilder where it has one, so that its editor could replace ours."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    BETWEEN = "between"
    CONTAINS = "contains"
    LACKS = "doesNotContain"
    BEGINS = "beginsWith"
    IN = "in"
    NOT_IN = "notIn"
    CONTAINS_ANY = "containsAny"
    CONTAINS_NONE = "containsNone"
    IN_LAST = "inLast"
    BEFORE_LAST = "beforeLast"
    IN_NEXT = "inNext"
    TODAY = "today"
    THIS_MONTH = "thisMonth"
    IN_MONTH = "inMonth"
    IS_EMPTY = "null"
    IS_FILLED = "notNull"


class Shape(StrEnum):
    """How many values an operator takes; the editor follows from it and the field's kind."""

    NOTHING = "nothing"
    ONE = "one"
    PAIR = "pair"
    MANY = "many"
    DAYS = "days"


_SHAPES: Final = {
    Operator.BETWEEN: Shape.PAIR,
    Operator.IN: Shape.MANY,
    Operator.NOT_IN: Shape.MANY,
    Operator.CONTAINS_ANY: Shape.MANY,
    Operator.CONTAINS_NONE: Shape.MANY,
    Operator.IN_MONTH: Shape.MANY,
    Operator.IN_LAST: Shape.DAYS,
    Operator.BEFORE_LAST: Shape.DAYS,
    Operator.IN_NEXT: Shape.DAYS,
    Operator.TODAY: Shape.NOTHING,
    Operator.THIS_MONTH: Shape.NOTHING,
    Operator.IS_EMPTY: Shape.NOTHING,
    Operator.IS_FILLED: Shape.NOTHING,
}


def shape_of(operator: Operator) -> Shape:
    return _SHAPES.get(operator, Shape.ONE)


_ORDER: Final = (
    Operator.AT_LEAST,
    Operator.MORE,
    Operator.AT_MOST,
    Operator.LESS,
    Operator.BETWEEN,
    Operator.EQUAL,
)
_DAYS: Final = (*_ORDER, Operator.IN_LAST, Operator.BEFORE_LAST, Operator.IN_NEXT)
EMPTINESS: Final = (Operator.IS_EMPTY, Operator.IS_FILLED)
OPERATORS: Final[Mapping[Kind, tuple[Operator, ...]]] = {
    Kind.TEXT: (
        Operator.EQUAL,
        Operator.NOT_EQUAL,
        Operator.CONTAINS,
        Operator.LACKS,
        Operator.BEGINS,
    ),
    Kind.CHOICE: (Operator.IN, Operator.NOT_IN),
    Kind.NUMBER: (*_ORDER, Operator.NOT_EQUAL),
    Kind.MONEY: (*_ORDER, Operator.NOT_EQUAL),
    Kind.BOOLEAN: (Operator.EQUAL,),
    Kind.DATE: _DAYS,
    Kind.INSTANT: _DAYS,
    Kind.ANNIVERSARY: (
        Operator.TODAY,
        Operator.THIS_MONTH,
        Operator.IN_NEXT,
        Operator.IN_MONTH,
    ),
    Kind.SET: (Operator.CONTAINS_ANY, Operator.CONTAINS_NONE),
}


@dataclass(frozen=True, slots=True)
class MoneyColumns:
    """Where amount and currency are stored; leave `currency` out if all rows share the one
    that the field's `currencies` names."""

    amount: str | Combinable
    currency: str | Combinable | None = None


@dataclass(frozen=True, slots=True)
class RelatedRows:
    """A set kept as rows that name theirs by OuterRef: `lambda: Tag.objects.filter(member=…)`.

    Asked by EXISTS, because a join would count a member once for each row.
    """

    rows: Callable[[], QuerySet[Any]]
    path: str


Query: TypeAlias = str | Combinable | MoneyColumns | RelatedRows


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that staff may ask about.

    `fact` reads it from the facts (`facts[name]` if not given); None means unknown. `query` is
    where rows have it, None if only facts do. A `set` queried by path must be an ArrayField.
    `is_optional` offers "is empty" too; `is_private` keeps the value seen out of verdicts.
    """

    name: str
    label: Label
    kind: Kind
    _: KW_ONLY
    query: Query | None = None
    fact: Callable[[Mapping[str, Any]], Any] | None = None
    choices: Callable[[], Iterable[tuple[Any, Label]]] = tuple
    currencies: Callable[[], Sequence[str]] = tuple
    unit: Label = ""
    only_operators: tuple[Operator, ...] = ()
    is_optional: bool = False
    is_private: bool = False

    @property
    def operators(self) -> tuple[Operator, ...]:
        usual = self.only_operators or OPERATORS[self.kind]
        return (*usual, *EMPTINESS) if self.is_optional else usual

    def read(self, facts: Mapping[str, Any]) -> Any:
        return facts[self.name] if self.fact is None else self.fact(facts)

    def labels(self) -> dict[str, Label]:
        """The choices by value; values are text on the way through JSON, whatever they were."""
        return {str(value): label for value, label in self.choices()}


def _listed(choices: Callable[[], Iterable[tuple[Any, Label]]]) -> list[tuple[Any, Label]]:
    return list(choices())


class Registry:
    """The fields of one subject. Apps add to it in their `conditions.py`, found at start-up.

    What it `includes` is read each time, so fields that an app higher up registers later count.
    """

    def __init__(
        self,
        name: str,
        *,
        label: Label = "",
        includes: Iterable["Registry"] = (),
        is_for_queries: bool = False,
    ) -> None:
        self.name = name
        self.label = label
        self._includes = tuple(includes)
        self._own: dict[str, Field] = {}
        self._is_for_queries = is_for_queries

    def register(self, *fields: Field) -> None:
        for field in fields:
            if self.find(field.name) is not None:
                raise ValueError(f"{self.name} has a field {field.name!r} already.")
            self._own[field.name] = field

    def find(self, name: str) -> Field | None:
        """The field of that name, or None; own fields before included ones."""
        return next((field for _, field in self.grouped() if field.name == name), None)

    def grouped(self) -> Iterator[tuple[Label, Field]]:
        """Each field with the label of the subject that it belongs to."""
        for field in self._own.values():
            if self._shows(field):
                yield self.label, field
        for other in self._includes:
            for label, field in other.grouped():
                if self._shows(field):
                    yield label, field

    def remembering(self) -> "Registry":
        """The same fields, each of which reads its choices once: for a page of many sentences."""
        copy = Registry(self.name, label=self.label, is_for_queries=self._is_for_queries)
        for _, field in self.grouped():
            choices = cache(partial(_listed, field.choices))
            copy._own.setdefault(field.name, replace(field, choices=choices))
        return copy

    def _shows(self, field: Field) -> bool:
        return field.query is not None or not self._is_for_queries
