"""Awards: what each case earns or takes back, with every rule's verdict."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from kit.conditions import matches
from kit.money import Money
from kit.said import Explained
from loyalty.conditions import PAYMENT
from loyalty.models import Award, CapUse
from loyalty.rules.earning import CATEGORY, Basket, Candidate, Earning, earn
from loyalty.rules.periods import local_day
from loyalty.rules.snapshots import freeze, thaw
from loyalty.services.cases import Case, Docket, Kind, facts_of, reporting
from loyalty.services.rules import Version, versions_at
from payments.models import Transaction
from payments.rules.remaining import counting, what_remains

# Beyond lies a till that counts cents as dollars; the ledger's columns end not far behind.
_MOST_POINTS: Final = 10**9
_LARGEST_BALANCE: Final = 2**31 - 1
_MOST_SPEND: Final = Decimal(10) ** 13


class CannotRule(Explained, ValueError):
    """The fault is in the fact itself: it is set aside for staff, and holds up nobody else."""


class MismatchedCurrency(CannotRule):
    """A refund in another currency than its payment: staff have to look."""


class AbsurdAmount(CannotRule):
    """More than anybody ever spent or earned in one payment."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """An award, and how far it moves the points that this payment stands for.

    `give` counts points to give (positive) or to take back (negative) in the ledger.
    """

    case: Case
    award: Award
    give: int


def rule_on(case: Case, docket: Docket) -> Ruling:
    """What the case's fact earns or takes back; raises CannotRule, and then nothing changed."""
    return _rule_on_payment(case, docket) if case.is_payment else _rule_on_correction(case, docket)


def _rule_on_payment(case: Case, docket: Docket) -> Ruling:
    facts = facts_of(case, docket)
    versions = versions_at(docket.shop.versions, case.payment.occurred_at)
    rate = case.rate.rate if case.rate else Decimal(1)
    day = local_day(case.payment.occurred_at, docket.shop.zone)
    frozen: dict[str, Any] = {
        "facts": freeze(_asked_about(facts, versions)),
        "verdicts": _verdicts_on_private_facts(facts, versions, docket),
        "rules": [version.terms.version for version in versions],
        "caps": _caps_left(case, versions, docket, day),
        "multiplier": str(case.standing.tier.multiplier if case.standing.tier else 1),
        "rate": str(rate),
        "on": day.isoformat(),
    }
    if any(version.terms.kind == CATEGORY for version in versions):
        # Where the goods were filed then; staff may file them elsewhere before a refund.
        frozen["categories"] = docket.categories_of_goods[case.payment.pk]
    earning = _earn(case, docket, frozen, money=case.payment.money, corrections=[])
    spend = reporting(case.payment.money, rate, docket.shop.currency).amount
    if (
        earning.points > _MOST_POINTS
        or case.standing.balance + earning.points > _LARGEST_BALANCE
        or spend > _MOST_SPEND
    ):
        raise AbsurdAmount(
            "%(points)s points of %(amount)s cannot be booked.",
            points=earning.points,
            amount=case.payment.money,
        )
    _use_caps(case, docket, earning.by_rule, frozen)
    award = Award.new(
        transaction_id=case.row.pk,
        member_id=case.member_id,
        points=earning.points,
        spend=spend,
        paid_at=case.payment.occurred_at,
        booked_at=docket.now,
        facts=frozen,
        why=list(earning.why),
    )
    return Ruling(case, award, give=earning.points)


def _rule_on_correction(case: Case, docket: Docket) -> Ruling:
    assert case.award is not None
    if case.row.currency != case.payment.currency:
        raise MismatchedCurrency(
            "It was paid in %(paid)s, but what takes it back is in %(back)s.",
            paid=case.payment.currency,
            back=case.row.currency,
        )
    frozen = case.award.facts
    corrections = [*case.earlier, case.row]
    before = _what_remains(case.payment, case.earlier)
    after = _what_remains(case.payment, corrections)
    earned_before = _earn(case, docket, frozen, money=before, corrections=case.earlier)
    earned_after = _earn(case, docket, frozen, money=after, corrections=corrections)
    _use_caps(
        case,
        docket,
        {
            rule: earned_after.by_rule.get(rule, 0) - earned_before.by_rule.get(rule, 0)
            for rule in earned_before.by_rule.keys() | earned_after.by_rule.keys()
        },
        frozen,
    )
    change = earned_after.points - case.net
    forgiven = _forgiven(case, change)
    rate, currency = Decimal(frozen["rate"]), docket.shop.currency
    spend = reporting(after, rate, currency) - reporting(before, rate, currency)
    award = Award.new(
        transaction_id=case.row.pk,
        member_id=case.member_id,
        points=change + forgiven,
        forgiven=forgiven,
        spend=spend.amount,
        paid_at=case.payment.occurred_at,
        booked_at=docket.now,
        why=list(earned_after.why),
    )
    return Ruling(case, award, give=award.points)


def _forgiven(case: Case, change: int) -> int:
    """Points that lapsed are never taken back: they are forgiven, and a reversal, which gives
    points back, first makes up for what was forgiven."""
    if change < 0:
        return min(-change, max(case.lapsed - case.forgiven, 0))
    return -min(change, case.forgiven)


def _what_remains(payment: Transaction, corrections: list[Transaction]) -> Money:
    return Money(what_remains(payment.amount, corrections), payment.currency)


def _earn(
    case: Case,
    docket: Docket,
    frozen: Mapping[str, Any],
    *,
    money: Money,
    corrections: list[Transaction],
) -> Earning:
    """The same sums for a payment and for what is left of it, by the facts of then."""
    facts = thaw(frozen["facts"])
    if "amount" in facts:
        facts["amount"] = money
    candidates = []
    for version in (docket.shop.versions_by_id[number] for number in frozen["rules"]):
        terms = version.terms
        refusal = _refusal(version, facts, frozen["verdicts"], docket)
        candidates.append(Candidate(terms, refusal, frozen["caps"].get(str(terms.rule))))
    counted = case.payment.that_earns(money).amount
    basket = Basket(
        amount=counted,
        currency=money.currency,
        reporting_rate=Decimal(frozen["rate"]),
        reporting_currency=docket.shop.currency,
        categories=_categories_left(case.payment, corrections, counted, docket),
        multiplier=Decimal(frozen["multiplier"]),
    )
    return earn(basket, candidates)


def _categories_left(
    payment: Transaction, corrections: list[Transaction], left: Decimal, docket: Docket
) -> Mapping[str, Decimal]:
    """What is left of each category's lines: less the lines taken back, and of refunds without
    lines each category bears its share. Of what was taken back by lines, and came back without
    them, each category has its share again."""
    bought = docket.amounts_by_category[payment.pk]
    gone: defaultdict[str, Decimal] = defaultdict(Decimal)
    by_lines = Decimal(0)
    for row in counting(corrections):
        sign = -1 if row.kind == Kind.REVERSAL else 1
        lines = _whose_lines(row, docket)
        by_lines += sign * docket.line_totals.get(lines, Decimal(0))
        for code, amount in docket.amounts_by_category.get(lines, {}).items():
            gone[code] += sign * amount
    whole = payment.amount - by_lines
    if left > whole and by_lines > 0:
        stays, share = 1 - (left - whole) / by_lines, Decimal(1)
    else:
        stays, share = Decimal(1), left / whole if whole > 0 else Decimal(0)
    return {
        code: max(amount - gone[code] * stays, Decimal(0)) * min(share, Decimal(1))
        for code, amount in bought.items()
    }


def _whose_lines(row: Transaction, docket: Docket) -> UUID:
    """Its own; without any, those of the entry by hand that it tells again."""
    if row.confirms_id is not None and row.pk not in docket.line_totals:
        return row.confirms_id
    return row.pk


def _refusal(
    version: Version, facts: Mapping[str, Any], verdicts: Mapping[str, Any], docket: Docket
) -> Mapping[str, Any] | None:
    kept = verdicts.get(version.terms.version)
    if kept is not None:
        return None if kept is True else kept
    if not version.condition.children:
        return None
    verdict = matches(version.condition, facts, PAYMENT, now=docket.now, zone=docket.shop.zone)
    if verdict.is_match:
        return None
    return {"reason": "condition", "failed": [leaf.as_json() for leaf in verdict.failed]}


def _asked_about(facts: Mapping[str, Any], versions: list[Version]) -> dict[str, Any]:
    """Of all facts those that a rule asks about, and never a private one: awards are kept."""
    fields = {field.name: field for version in versions for field in version.fields}
    return {name: facts[name] for name, field in fields.items() if not field.is_private}


def _verdicts_on_private_facts(
    facts: Mapping[str, Any], versions: list[Version], docket: Docket
) -> dict[str, Any]:
    """A rule that asks about something private, such as a birthday, is judged once, for good."""
    return {
        version.terms.version: _refusal(version, facts, {}, docket) or True
        for version in versions
        if version.is_private
    }


def _caps_left(case: Case, versions: list[Version], docket: Docket, day: date) -> dict[str, int]:
    left = {}
    for version in versions:
        cap = version.terms.cap_per_day
        if cap is not None:
            used = docket.caps_used.get((case.standing.pk, version.terms.rule, day), 0)
            left[str(version.terms.rule)] = max(cap - used, 0)
    return left


def _use_caps(
    case: Case, docket: Docket, by_rule: Mapping[int, int], frozen: Mapping[str, Any]
) -> None:
    """Only rules that were capped when the payment was settled: a refund gives back to the cap
    what its payment took of it, and nothing where a cap came later."""
    day = date.fromisoformat(frozen["on"])
    for rule, points in by_rule.items():
        if str(rule) in frozen["caps"] and points:
            owner = case.member_id
            use = docket.cap_uses.setdefault(
                (owner, rule, day), CapUse.new(member_id=owner, rule_id=rule, on=day)
            )
            use.points += points
