"""From JSON to a typed tree and back: every mistake has a name and says what to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from django.utils.translation import gettext as _

from kit.conditions.errors import (
    BadTreeError,
    ConditionError,
    NotQueryableError,
    TooDeepError,
    TooLargeError,
    UnknownFieldError,
    UnknownOperatorError,
    WrongValueError,
)
from kit.conditions.fields import Field, Kind, Operator, Registry, Shape, shape_of
from kit.conditions.values import Value, read_value, write_value

__all__ = [
    "ALWAYS",
    "BadTreeError",
    "ConditionError",
    "Group",
    "NotQueryableError",
    "Rule",
    "TooDeepError",
    "TooLargeError",
    "Tree",
    "UnknownFieldError",
    "UnknownOperatorError",
    "WrongValueError",
    "parse",
    "validate",
]

MAX_DEPTH: Final = 4
MAX_RULES: Final = 50
ALWAYS: Final[Mapping[str, Any]] = {"combinator": "and", "not": False, "rules": []}

_GROUP_KEYS: Final = {"combinator", "not", "rules", "id"}
_RULE_KEYS: Final = {"field", "operator", "value", "id"}


@dataclass(frozen=True, slots=True)
class Rule:
    field: Field
    operator: Operator
    value: Value

    def as_json(self) -> dict[str, Any]:
        return {
            "field": self.field.name,
            "operator": self.operator.value,
            "value": write_value(self.value),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """All (`is_any` false) or any of its children hold; `is_negated` turns that round."""

    is_any: bool
    is_negated: bool
    children: tuple["Group | Rule", ...]

    def rules(self) -> Iterator[Rule]:
        for child in self.children:
            if isinstance(child, Rule):
                yield child
            else:
                yield from child.rules()

    def as_json(self) -> dict[str, Any]:
        return {
            "combinator": "or" if self.is_any else "and",
            "not": self.is_negated,
            "rules": [child.as_json() for child in self.children],
        }


Tree: TypeAlias = Mapping[str, Any] | Group


def validate(tree: Tree, registry: Registry) -> dict[str, Any]:
    """The normal form of what was edited, to be saved; raises ConditionError.

    Only here are choices and currencies looked up: what is stored keeps working, and keeps
    saying what it says, after a tier or category that it names is gone.
    """
    group = parse(tree, registry)
    _check_offered(group, ())
    return group.as_json()


def parse(tree: Tree, registry: Registry) -> Group:
    """The typed tree, to be judged many times over; raises ConditionError."""
    if isinstance(tree, Group):
        return tree
    if not tree:
        tree = ALWAYS
    group = _read_group(tree, registry, ())
    if sum(1 for _rule in group.rules()) > MAX_RULES:
        raise TooLargeError(
            _("At most %(limit)d conditions fit. Remove some, or make two of it.")
            % {"limit": MAX_RULES}
        )
    if not group.children:
        return Group(is_any=False, is_negated=False, children=())
    return group


def _read_node(node: Any, registry: Registry, path: tuple[int, ...]) -> Group | Rule:
    if isinstance(node, Mapping) and "rules" in node:
        if len(path) >= MAX_DEPTH:
            raise TooDeepError(
                _("Groups can be nested %(limit)d deep. Move the inner conditions further up.")
                % {"limit": MAX_DEPTH},
                path=path,
            )
        group = _read_group(node, registry, path)
        if not group.children:
            raise BadTreeError(_("This group is empty. Add a condition or remove it."), path=path)
        return group
    return _read_rule(node, registry, path)


def _read_group(node: Any, registry: Registry, path: tuple[int, ...]) -> Group:
    if not isinstance(node, Mapping) or not set(node) <= _GROUP_KEYS:
        raise _unreadable(path)
    combinator, is_negated, rules = (
        node.get("combinator"),
        node.get("not", False),
        node.get("rules"),
    )
    if (
        combinator not in ("and", "or")
        or not isinstance(is_negated, bool)
        or not isinstance(rules, Sequence)
        or isinstance(rules, str)
    ):
        raise _unreadable(path)
    children = tuple(
        _read_node(child, registry, (*path, place)) for place, child in enumerate(rules)
    )
    return Group(is_any=combinator == "or", is_negated=is_negated, children=children)


def _read_rule(node: Any, registry: Registry, path: tuple[int, ...]) -> Rule:
    if not isinstance(node, Mapping) or not {"field", "operator"} <= set(node) <= _RULE_KEYS:
        raise _unreadable(path)
    field = registry.find(str(node["field"]))
    if field is None:
        raise UnknownFieldError(
            _("“%(field)s” cannot be used here. Pick another field.") % {"field": node["field"]},
            path=path,
        )
    names = {operator.value: operator for operator in field.operators}
    operator = names.get(str(node["operator"]))
    if operator is None:
        raise UnknownOperatorError(
            _("“%(field)s” cannot be compared that way. Pick another comparison.")
            % {"field": field.label},
            path=path,
        )
    try:
        return Rule(field, operator, read_value(field, operator, node.get("value")))
    except WrongValueError as problem:
        problem.path = path
        raise


def _check_offered(group: Group, path: tuple[int, ...]) -> None:
    for place, child in enumerate(group.children):
        here = (*path, place)
        if isinstance(child, Group):
            _check_offered(child, here)
        elif child.field.kind in (Kind.CHOICE, Kind.SET):
            _check_choices(child, here)
        elif child.field.kind is Kind.MONEY:
            _check_currency(child, here)


def _check_choices(rule: Rule, path: tuple[int, ...]) -> None:
    if shape_of(rule.operator) is not Shape.MANY:
        return
    offered = rule.field.labels()
    gone = [choice for choice in rule.value if choice not in offered]
    if gone:
        raise WrongValueError(
            _("“%(choice)s” is no longer offered for “%(field)s”. Choose again.")
            % {"choice": gone[0], "field": rule.field.label},
            path=path,
        )


def _check_currency(rule: Rule, path: tuple[int, ...]) -> None:
    shape = shape_of(rule.operator)
    if shape is Shape.NOTHING:
        return
    amount = rule.value[0] if shape is Shape.PAIR else rule.value
    offered = rule.field.currencies()
    if offered and amount.currency not in offered:
        raise WrongValueError(
            _("“%(field)s” is not kept in %(currency)s. Choose one of: %(offered)s.")
            % {
                "field": rule.field.label,
                "currency": amount.currency,
                "offered": ", ".join(offered),
            },
            path=path,
        )


def _unreadable(path: tuple[int, ...]) -> BadTreeError:
    return BadTreeError(_("This condition cannot be read. Remove it and add it again."), path=path)
