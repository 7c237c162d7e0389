"""What a payment earns: pure arithmetic over blocks, categories, caps and a tier's multiplier.

    base      of the rules for the whole payment that fit, the one with the lowest priority number:
              full blocks of the amount × points
    category  each rule adds full blocks of what its category's lines come to × points
    tier      (base + category) × multiplier, rounded down, once
    bonus     each adds its fixed points; a multiplier does not touch them

A rule's cap cuts its own points, before the multiplier. A refund runs the same sums again over
what remains of the payment, with the rules, the multiplier and the caps of then: the difference is
what the refund takes back, so parts always add up to the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

APPLIED: Final = "applied"
REFUSED: Final = "refused"

BASE: Final = "base"
CATEGORY: Final = "category"
BONUS: Final = "bonus"


@dataclass(frozen=True, slots=True)
class Block:
    """`points` for every full `per_amount`."""

    per_amount: Decimal
    points: int

    def points_for(self, amount: Decimal) -> int:
        return int(amount // self.per_amount) * self.points if amount > 0 else 0


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of a rule, as far as the arithmetic needs it."""

    version: str
    rule: int
    kind: str
    priority: int
    blocks: Mapping[str, Block]
    category: str
    fixed_points: int
    cap_per_day: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule with its verdict on the payment: refused with a reason, or good for what it gives."""

    terms: Terms
    refusal: Mapping[str, Any] | None = None
    cap_left: int | None = None


@dataclass(frozen=True, slots=True)
class Basket:
    """What is (still) paid: in its own currency, and in the programme's for rules that have no
    block for the own one. `categories` holds each category's part, its ancestors' included."""

    amount: Decimal
    currency: str
    reporting_rate: Decimal
    reporting_currency: str
    categories: Mapping[str, Decimal] = field(default_factory=dict)
    multiplier: Decimal = Decimal(1)

    def block_amount(self, terms: Terms) -> tuple[Block, Decimal] | None:
        """The block that counts and the factor into its currency; None if the rule has neither."""
        if self.currency in terms.blocks:
            return terms.blocks[self.currency], Decimal(1)
        if self.reporting_currency in terms.blocks:
            return terms.blocks[self.reporting_currency], self.reporting_rate
        return None


@dataclass(frozen=True, slots=True)
class Earning:
    """`points` in all; `why` has a row for every rule; `by_rule` what each capped rule used up."""

    points: int
    why: tuple[Mapping[str, Any], ...]
    by_rule: Mapping[int, int]


def earn(basket: Basket, candidates: Sequence[Candidate]) -> Earning:
    why: list[Mapping[str, Any]] = []
    by_rule: dict[int, int] = {}
    sums = dict.fromkeys((BASE, CATEGORY, BONUS), 0)
    has_base = False
    for candidate in sorted(candidates, key=_order):
        terms = candidate.terms
        if candidate.refusal is not None:
            why.append(_refused(terms, **candidate.refusal))
            continue
        if terms.kind == BASE and has_base:
            why.append(_refused(terms, reason="another_rule_came_first"))
            continue
        wanted = _points_of(terms, basket)
        if wanted is None:
            why.append(_refused(terms, reason="no_rate_for_currency"))
            continue
        has_base = has_base or terms.kind == BASE
        points = wanted if candidate.cap_left is None else min(wanted, candidate.cap_left)
        sums[terms.kind] += points
        by_rule[terms.rule] = points
        why.append(_applied(terms, points=points, wanted=wanted))
    scaled = _scaled(sums[BASE] + sums[CATEGORY], basket.multiplier)
    if scaled != sums[BASE] + sums[CATEGORY]:
        extra = scaled - sums[BASE] - sums[CATEGORY]
        why.append({"outcome": APPLIED, "reason": "tier", "points": extra})
    return Earning(points=scaled + sums[BONUS], why=tuple(why), by_rule=by_rule)


def _order(candidate: Candidate) -> tuple[int, int, int]:
    kinds = (BASE, CATEGORY, BONUS)
    return (kinds.index(candidate.terms.kind), candidate.terms.priority, candidate.terms.rule)


def _points_of(terms: Terms, basket: Basket) -> int | None:
    if terms.kind == BONUS:
        return terms.fixed_points if basket.amount > 0 else 0
    found = basket.block_amount(terms)
    if found is None:
        return None
    block, factor = found
    part = (
        basket.amount if terms.kind == BASE else basket.categories.get(terms.category, Decimal(0))
    )
    return block.points_for(part * factor)


def _scaled(points: int, multiplier: Decimal) -> int:
    return int((points * multiplier).to_integral_value(ROUND_DOWN))


def _applied(terms: Terms, *, points: int, wanted: int) -> Mapping[str, Any]:
    row: dict[str, Any] = {"outcome": APPLIED, "rule": terms.version, "points": points}
    return row if points == wanted else {**row, "reason": "cap", "wanted": wanted}


def _refused(terms: Terms, **refusal: Any) -> Mapping[str, Any]:
    return {"outcome": REFUSED, "rule": terms.version, **refusal}
