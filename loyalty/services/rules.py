"""Rule versions: a rule as it stands is frozen each time staff save it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from kit.conditions import Field, parse
from kit.conditions.tree import Group
from loyalty.conditions import PAYMENT
from loyalty.models import Rule, RuleVersion
from loyalty.rules.earning import Block, Terms

_MOST_REMEMBERED: Final = 5000


@dataclass(frozen=True, slots=True)
class Version:
    """A frozen rule, ready to judge with."""

    terms: Terms
    condition: Group
    starts_at: datetime
    ends_at: datetime | None
    is_enabled: bool
    effective_at: datetime
    fields: tuple[Field, ...]  # What the condition asks about.

    @property
    def is_private(self) -> bool:
        return any(field.is_private for field in self.fields)

    def holds_at(self, instant: datetime) -> bool:
        has_ended = self.ends_at is not None and instant >= self.ends_at
        return self.is_enabled and self.starts_at <= instant and not has_ended


_memory: dict[UUID, Version] = {}


def publish_rule(rule: Rule, *, now: datetime) -> RuleVersion | None:
    """Freeze `rule` as it stands; None if nothing changed since its newest version.

    The first version counts from the rule's start, which may lie in the past; later ones from now:
    a payment keeps the rules of the moment when it was paid.
    """
    with transaction.atomic():
        Rule.objects.select_for_update(no_key=True).get(pk=rule.pk)
        newest = rule.versions.order_by("-number").first()
        content = _content(rule)
        if newest is not None and newest.content == content:
            return None
        return RuleVersion.objects.create(
            rule=rule,
            number=newest.number + 1 if newest else 1,
            effective_at=now if newest else rule.starts_at,
            content=content,
        )


def all_versions() -> list[Version]:
    """Every version of every rule, oldest first. Versions are facts: what was read once stays as
    it was read, so a query for their keys is enough until staff publish another."""
    keys = list(RuleVersion.objects.order_by("rule_id", "number").values_list("pk", flat=True))
    missing = [key for key in keys if key not in _memory]
    if missing:
        if len(_memory) + len(missing) > _MOST_REMEMBERED:
            _memory.clear()
            missing = keys
        _memory.update(
            (row.pk, _version(row)) for row in RuleVersion.objects.filter(pk__in=missing)
        )
    return [_memory[key] for key in keys]


def versions_at(versions: Iterable[Version], instant: datetime) -> list[Version]:
    """The rules that counted at `instant`: of each the newest version effective by then."""
    newest: dict[int, Version] = {}
    for version in versions:
        if version.effective_at <= instant:
            newest[version.terms.rule] = version
    return [version for version in newest.values() if version.holds_at(instant)]


def by_id(versions: Iterable[Version]) -> dict[str, Version]:
    return {version.terms.version: version for version in versions}


def _content(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "name_zh_hant": rule.name_zh_hant,
        "name_zh_hans": rule.name_zh_hans,
        "kind": rule.kind,
        "priority": rule.priority,
        "condition": rule.condition,
        "category": rule.category.code if rule.category else "",
        "fixed_points": rule.fixed_points,
        "cap_per_day": rule.cap_per_day,
        "starts_at": rule.starts_at.isoformat(),
        "ends_at": rule.ends_at.isoformat() if rule.ends_at else None,
        "is_enabled": rule.is_enabled,
        "rates": [
            [rate.currency, str(rate.per_amount.normalize()), rate.points]
            for rate in rule.rates.order_by("currency")
        ],
    }


def _version(row: RuleVersion) -> Version:
    content = row.content
    ends_at = content["ends_at"]
    condition = parse(content["condition"], PAYMENT)
    return Version(
        terms=Terms(
            version=str(row.pk),
            rule=row.rule_id,
            kind=content["kind"],
            priority=content["priority"],
            blocks={c: Block(Decimal(per), points) for c, per, points in content["rates"]},
            category=content["category"],
            fixed_points=content["fixed_points"],
            cap_per_day=content["cap_per_day"],
        ),
        condition=condition,
        starts_at=datetime.fromisoformat(content["starts_at"]),
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        is_enabled=content["is_enabled"],
        effective_at=row.effective_at,
        fields=tuple(dict.fromkeys(rule.field for rule in condition.rules())),
    )
