"""Every rule's verdict on a payment in words for staff: what counted, what did not, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from kit.conditions import ConditionError, Leaf, explain
from loyalty.conditions import PAYMENT
from loyalty.models import Award, RuleVersion
from loyalty.rules.earning import APPLIED
from loyalty.wording import name_then


@dataclass(frozen=True, slots=True)
class WhyRow:
    rule: str
    points: int
    words: str
    counted: bool


def why_rows(award: Award) -> list[WhyRow]:
    """One row for each rule that was looked at, and one for the tier; one query for the names."""
    return why_rows_of([award])[award.pk]


def why_rows_of(awards: Iterable[Award]) -> dict[UUID, list[WhyRow]]:
    """The rows of several awards, by award; one query for all names."""
    listed = list(awards)
    wanted = {row["rule"] for award in listed for row in award.why if row.get("rule")}
    versions = {str(row.pk): row for row in RuleVersion.objects.filter(pk__in=wanted)}
    return {award.pk: [_row(row, versions) for row in award.why] for award in listed}


def _row(row: Mapping[str, Any], versions: Mapping[str, RuleVersion]) -> WhyRow:
    version = versions.get(row.get("rule", ""))
    name = name_then(version.content) if version else _("Tier multiplier")
    counted = row["outcome"] == APPLIED
    return WhyRow(name, row.get("points", 0), _words(row), counted)


def _words(row: Mapping[str, Any]) -> str:
    reason = row.get("reason", "")
    if reason == "cap":
        return _("Cut from %(wanted)d by the daily cap.") % {"wanted": row["wanted"]}
    if reason == "tier":
        return _("The member's tier multiplies the points.")
    if reason == "another_rule_came_first":
        return _("Another rule for the whole payment came first.")
    if reason == "no_rate_for_currency":
        return _("The rule gives nothing for this currency.")
    if reason == "condition":
        return _("Not fulfilled: %(conditions)s") % {"conditions": _failed(row.get("failed", []))}
    return _("Counted.") if row["outcome"] == APPLIED else reason


def _failed(leaves: Iterable[Mapping[str, Any]]) -> str:
    said = []
    for leaf in leaves:
        try:
            said.append(explain(Leaf(**leaf), PAYMENT))
        except ConditionError:  # A field of then that no longer exists.
            said.append(str(leaf["field"]))
    return "; ".join(said)
