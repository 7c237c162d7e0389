"""Trees and verdicts in the reader's language: staff read sentences, never JSON."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from typing import Any

from django.utils.dates import MONTHS
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, pgettext

from kit.conditions.fields import Field, Kind, Operator, Registry, Shape, shape_of
from kit.conditions.matching import Leaf
from kit.conditions.tree import Group, Rule, Tree, parse
from kit.conditions.values import Value
from kit.conditions.words import words_for
from kit.money import Money


def sentence(tree: Tree, registry: Registry) -> str:
    """What the tree asks for, in the active language: “Amount ≥ HK$500.00 and Tier is Gold”."""
    group = parse(tree, registry)
    if not group.children:
        return pgettext("a condition that everything fulfils", "always")
    return _say_group(group)


def explain(leaf: Leaf, registry: Registry) -> str:
    """Why a rule decided against: “Amount ≥ HK$500.00 (it was HK$320.00)”."""
    rule = parse(
        {
            "combinator": "and",
            "rules": [{"field": leaf.field, "operator": leaf.operator, "value": leaf.value}],
        },
        registry,
    ).children[0]
    if not isinstance(rule, Rule):
        raise TypeError(leaf)
    said = _say_rule(rule)
    if leaf.is_negated:
        said = gettext("not: %(condition)s") % {"condition": said}
    if rule.field.is_private:
        return said
    seen = _say_seen(rule.field, leaf.seen)
    if seen:
        return gettext("%(condition)s (it was %(seen)s)") % {"condition": said, "seen": seen}
    return gettext("%(condition)s (it was not known)") % {"condition": said}


def _say_group(group: Group) -> str:
    parts = [
        _bracketed(child) if isinstance(child, Group) else _say_rule(child)
        for child in group.children
    ]
    pattern = (
        pgettext("two conditions", "%(first)s or %(second)s")
        if group.is_any
        else pgettext("two conditions", "%(first)s and %(second)s")
    )
    said = _joined(parts, pattern)
    if not group.is_negated:
        return said
    if group.is_any or len(parts) == 1:
        return pgettext("conditions", "none of (%(conditions)s)") % {"conditions": said}
    return pgettext("conditions", "not all of (%(conditions)s)") % {"conditions": said}


def _bracketed(group: Group) -> str:
    said = _say_group(group)
    if group.is_negated or len(group.children) == 1:
        return said
    return pgettext("conditions", "(%(conditions)s)") % {"conditions": said}


def _say_rule(rule: Rule) -> str:
    say = str(words_for(rule.field.kind, rule.operator).say)
    said = {"field": str(rule.field.label)}
    if rule.operator is Operator.BETWEEN:
        said["low"], said["high"] = (_say_value(rule.field, end) for end in rule.value)
    elif shape_of(rule.operator) is Shape.DAYS:
        said["value"] = number_format(rule.value)
    elif shape_of(rule.operator) is Shape.MANY:
        said["value"] = _say_many(rule)
    elif rule.value is not None:
        said["value"] = _say_value(rule.field, rule.value)
    return say % said


def _say_many(rule: Rule) -> str:
    labels = _choice_labels(rule.field, rule.value)
    if rule.operator in (Operator.NOT_IN, Operator.CONTAINS_NONE):
        return _joined(labels, pgettext("two things of a list", "%(first)s, %(second)s"))
    return _joined(labels, pgettext("two alternatives", "%(first)s or %(second)s"))


def _choice_labels(field: Field, values: Iterable[Any]) -> list[str]:
    """By label; what is no longer offered goes by the value that was stored."""
    if field.kind is Kind.ANNIVERSARY:
        return [str(MONTHS[month]) for month in values]
    offered = field.labels()
    return [str(offered.get(value, value)) for value in values]


def _say_value(field: Field, value: Value) -> str:
    match value:
        case bool():
            return gettext("yes") if value else gettext("no")
        case Money():
            return value.display(get_language() or "en")
        case Decimal():
            return _say_number(field, value)
        case dt.date():
            return str(date_format(value, "DATE_FORMAT"))
    return pgettext("quoted text", "“%(text)s”") % {"text": value}


def _say_number(field: Field, value: Decimal) -> str:
    number = str(number_format(value, use_l10n=True, force_grouping=True))
    if not field.unit:
        return number
    return pgettext("a number and its unit", "%(number)s %(unit)s") % {
        "number": number,
        "unit": field.unit,
    }


def _say_seen(field: Field, seen: Any) -> str:
    """The value that a leaf kept as JSON; nothing for an unknown one."""
    if seen is None:
        return ""
    match field.kind:
        case Kind.CHOICE:
            return _choice_labels(field, [seen])[0]
        case Kind.SET:
            labels = _choice_labels(field, seen)
            comma = pgettext("two things of a list", "%(first)s, %(second)s")
            return _joined(labels, comma) if labels else gettext("empty")
        case Kind.ANNIVERSARY:
            # Any leap year will do: only day and month are said.
            day = dt.date(2000, seen // 100, seen % 100)
            return str(date_format(day, "MONTH_DAY_FORMAT"))
    return _say_value(field, _revived(field.kind, seen))


def _revived(kind: Kind, seen: Any) -> Any:
    match kind:
        case Kind.MONEY:
            return Money(Decimal(seen["amount"]), seen["currency"])
        case Kind.NUMBER:
            return Decimal(str(seen))
        case Kind.DATE | Kind.INSTANT:
            return dt.date.fromisoformat(seen)
    return seen


def _joined(parts: list[str], pattern: str) -> str:
    return reduce(lambda first, second: pattern % {"first": first, "second": second}, parts)
