"""The compiler for memory: facts in, verdict out; no database, no clock, no settings."""

import datetime as dt
import operator as compare
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kit.conditions.days import Clock, day_range, month_day, month_day_ranges
from kit.conditions.fields import Field, Kind, Operator, Registry
from kit.conditions.tree import Group, Rule, Tree, parse
from kit.conditions.values import Value, write_value
from kit.money import Money


@dataclass(frozen=True, slots=True)
class Leaf:
    """A rule that decided against, as JSON-able facts: store it, `explain` it to anyone later.

    `is_negated`: it held where it should not. `seen` is None for unknown and for private fields.
    """

    field: str
    operator: str
    value: Any
    seen: Any
    is_negated: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "operator": self.operator,
            "value": self.value,
            "seen": self.seen,
            "is_negated": self.is_negated,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    is_match: bool
    failed: tuple[Leaf, ...] = ()


_YES: Final = Verdict(is_match=True)


def matches(
    tree: Tree,
    facts: Mapping[str, Any],
    registry: Registry,
    *,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> Verdict:
    """Whether the facts fulfil the tree, and if not, which rules decided that.

    Parse the tree once with `parse` if many facts are to be judged.
    """
    judge = _Judge(facts, Clock(now, zone))
    group = parse(tree, registry)
    if judge.holds(group):
        return _YES
    return Verdict(is_match=False, failed=tuple(judge.blame(group, wanted=True)))


@dataclass(slots=True)  # Not frozen: one is made for every payment and rule.
class _Judge:
    facts: Mapping[str, Any]
    clock: Clock

    def holds(self, node: Group | Rule) -> bool:
        if isinstance(node, Rule):
            return _rule_holds(node, self._seen(node.field), self.clock)
        combine = any if node.is_any else all
        held = not node.children or combine(self.holds(child) for child in node.children)
        return held != node.is_negated

    def blame(self, node: Group | Rule, *, wanted: bool) -> list[Leaf]:
        """The rules that would have to turn for `node`, which is not, to become as `wanted`."""
        if isinstance(node, Rule):
            return [self._leaf(node, is_negated=not wanted)]
        wanted = wanted != node.is_negated
        return [
            leaf
            for child in node.children
            if self.holds(child) != wanted
            for leaf in self.blame(child, wanted=wanted)
        ]

    def _seen(self, field: Field) -> Any:
        return _known(field, field.read(self.facts), self.clock)

    def _leaf(self, rule: Rule, *, is_negated: bool) -> Leaf:
        seen = None if rule.field.is_private else self._seen(rule.field)
        if isinstance(seen, dt.datetime):
            seen = self.clock.day_of(seen)
        return Leaf(
            field=rule.field.name,
            operator=rule.operator.value,
            value=write_value(rule.value),
            seen=sorted(seen) if isinstance(seen, frozenset) else write_value(seen),
            is_negated=is_negated,
        )


def _known(field: Field, fact: Any, clock: Clock) -> Any:
    """The fact as rules compare it; blank text is as unknown as None."""
    if fact is None:
        return None
    match field.kind:
        case Kind.TEXT | Kind.CHOICE:
            return str(fact) or None
        case Kind.SET:
            return frozenset(map(str, fact))
        case Kind.ANNIVERSARY:
            return month_day(clock.day_of(fact) if isinstance(fact, dt.datetime) else fact)
    return fact


def _rule_holds(rule: Rule, seen: Any, clock: Clock) -> bool:
    is_empty = not seen if rule.field.kind is Kind.SET else seen is None
    if rule.operator is Operator.IS_EMPTY:
        return is_empty
    if rule.operator is Operator.IS_FILLED:
        return not is_empty
    if seen is None:
        return False
    return _KINDS.get(rule.field.kind, _compares)(rule, seen, clock)


_COMPARISONS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: compare.eq,
    Operator.NOT_EQUAL: compare.ne,
    Operator.LESS: compare.lt,
    Operator.AT_MOST: compare.le,
    Operator.MORE: compare.gt,
    Operator.AT_LEAST: compare.ge,
    Operator.BETWEEN: lambda seen, ends: bool(ends[0] <= seen <= ends[1]),
    Operator.CONTAINS: compare.contains,
    Operator.LACKS: lambda seen, part: part not in seen,
    Operator.BEGINS: str.startswith,
    Operator.IN: lambda seen, offered: seen in offered,
    Operator.NOT_IN: lambda seen, offered: seen not in offered,
    Operator.CONTAINS_ANY: lambda seen, offered: not seen.isdisjoint(offered),
    Operator.CONTAINS_NONE: lambda seen, offered: seen.isdisjoint(offered),
}


def _compares(rule: Rule, seen: Any, _clock: Clock) -> bool:
    return _COMPARISONS[rule.operator](seen, rule.value)


def _money_compares(rule: Rule, seen: Money, _clock: Clock) -> bool:
    """Amounts in another currency are not comparable, so no operator holds for them."""
    value: Value = rule.value
    ends: tuple[Money, ...] = value if isinstance(value, tuple) else (value,)
    if seen.currency != ends[0].currency:
        return False
    amounts = tuple(end.amount for end in ends)
    against = amounts if rule.operator is Operator.BETWEEN else amounts[0]
    return _COMPARISONS[rule.operator](seen.amount, against)


def _falls_within(rule: Rule, seen: Any, clock: Clock) -> bool:
    start, end = day_range(rule.operator, rule.value, clock.today)
    if rule.field.kind is Kind.INSTANT:
        first = start and clock.start_of(start)
        last = end and clock.start_of(end)
        return (first is None or first <= seen) and (last is None or seen < last)
    return (start is None or start <= seen) and (end is None or seen < end)


def _comes_round(rule: Rule, seen: int, clock: Clock) -> bool:
    ranges = month_day_ranges(rule.operator, rule.value, clock.today)
    return any(low <= seen <= high for low, high in ranges)


_KINDS: Final[Mapping[Kind, Callable[[Rule, Any, Clock], bool]]] = {
    Kind.MONEY: _money_compares,
    Kind.DATE: _falls_within,
    Kind.INSTANT: _falls_within,
    Kind.ANNIVERSARY: _comes_round,
}
