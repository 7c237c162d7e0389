"""Cases: everything that settling one fact of each of many members needs, in a few queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Sum

from kit.bulk import is_any_of
from kit.money import Money
from loyalty.conditions import Origin, payment_facts, standing_facts
from loyalty.models import Award, CapUse, LotUse, Standing, Transfer
from loyalty.rules.periods import local_day
from loyalty.services.shop import Shop, shop_now
from members.conditions import member_facts
from members.models import Member
from members.persons import person_of, rows_of
from payments.models import Line, Rate, Transaction
from payments.selectors import brands_of
from payments.services.rates import rates_on

Kind = Transaction.Kind
CapKey = tuple[UUID, int, date]  # Member, rule and day.


@dataclass(slots=True)
class Case:
    """One due fact, the payment that it is or corrects, and what is known around it."""

    row: Transaction
    payment: Transaction
    standing: Standing
    rate: Rate | None = None
    award: Award | None = None  # Of the payment; a correction cannot do without.
    earlier: list[Transaction] = field(default_factory=list)  # Corrections settled before.
    earlier_awards: list[Award] = field(default_factory=list)
    lapsed: int = 0  # Points of this payment that lapsed.
    is_payment: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_payment = self.row.kind == Kind.PAYMENT

    @property
    def member_id(self) -> UUID:
        """Whose fact it is: mostly the one who stands for it."""
        assert self.row.member_id is not None
        return self.row.member_id

    @property
    def owner_id(self) -> UUID | None:
        """Whose points these are, if another member stands for them."""
        return None if self.member_id == self.standing.pk else self.member_id

    @property
    def net(self) -> int:
        """Points that the payment stands for now, those that lapsed unclaimed taken as gone."""
        if self.award is None:
            return 0
        return self.award.points + sum(a.points - a.forgiven for a in self.earlier_awards)

    @property
    def forgiven(self) -> int:
        return sum(award.forgiven for award in self.earlier_awards)

    @property
    def award_ids(self) -> frozenset[UUID]:
        """The awards whose lots hold this payment's points."""
        own = [self.award] if self.award else []
        return frozenset(award.pk for award in (*own, *self.earlier_awards))


@dataclass(slots=True)
class Docket:
    """The cases of one round, with what they share."""

    shop: Shop
    now: datetime
    cases: list[Case]
    amounts_by_category: Mapping[UUID, Mapping[str, Decimal]]
    line_totals: Mapping[UUID, Decimal]
    categories_of_goods: Mapping[UUID, Mapping[str, Sequence[str]]]  # By transaction and product.
    cap_uses: dict[CapKey, CapUse]
    caps_used: Mapping[CapKey, int]  # By person, whoever of the merged used them.
    brands: Mapping[UUID, frozenset[str]]  # By payment, if any rule asks about them.


def gather(
    rows: Sequence[Transaction], standings: Mapping[UUID, Standing], *, now: datetime
) -> Docket:
    """The round's cases; `rows` hold at most one fact of each person, all locked."""
    shop = shop_now()
    _find_originals(rows)
    _find_survivors(rows)
    _place(rows, shop)
    tiers = {tier.pk: tier for tier in shop.tiers}
    for standing in standings.values():
        standing.relate(tier=tiers[standing.tier_id] if standing.tier_id else None)
    cases = [
        Case(row=row, payment=row.original or row, standing=standings[row.member.person_id])
        for row in rows
        if row.member is not None
    ]
    _pin_rates(cases, shop)
    _recall_awards(cases)
    cap_uses, caps_used = _cap_uses(cases, shop)
    amounts, totals, goods = _amounts_by_category(cases, shop)
    return Docket(
        shop=shop,
        now=now,
        cases=cases,
        amounts_by_category=amounts,
        line_totals=totals,
        categories_of_goods=goods,
        cap_uses=cap_uses,
        caps_used=caps_used,
        brands=_brands(cases, shop),
    )


def _find_originals(rows: Iterable[Transaction]) -> None:
    """Give corrections the payments that they correct; without corrections it costs nothing."""
    corrections = [row for row in rows if row.original_id]
    if not corrections:
        return
    payments = Transaction.objects.in_bulk({row.original_id for row in corrections})
    for row in corrections:
        row.original = payments[row.original_id]


def _find_survivors(rows: Iterable[Transaction]) -> None:
    """Rules ask about whoever stands for a merged member; without merged ones it costs nothing."""
    merged = [row.member for row in rows if row.member and row.member.merged_into_id]
    if not merged:
        return
    survivors = Member.objects.defer("name").in_bulk({member.merged_into_id for member in merged})
    for member in merged:
        if member.merged_into_id:
            member.merged_into = survivors[member.merged_into_id]


def _place(rows: Sequence[Transaction], shop: Shop) -> None:
    """Give payments and their members their stores and regions: there are few of them, and a join
    would make each anew for every row."""
    for row in rows:
        row.relate(store=shop.stores[row.store_id] if row.store_id else None)
        if row.member is not None:
            member = person_of(row.member)
            home = member.home_store_id
            member.relate(
                region=shop.regions[member.region_id],
                home_store=shop.stores[home] if home else None,
            )


def facts_of(case: Case, docket: Docket) -> dict[str, Any]:
    """What rules may ask about a payment, at the moment of settling it."""
    payment, standing = case.payment, case.standing
    assert payment.member is not None
    zone = ZoneInfo(payment.store.region.zone) if payment.store else docket.shop.zone
    return {
        **member_facts(person_of(payment.member)),
        **standing_facts(standing, currency=docket.shop.currency),
        **payment_facts(
            payment.money,
            shop_time=payment.occurred_at.astimezone(zone),
            store=payment.store,
            method=payment.method,
            is_first_payment=standing.payments == 0,
            categories=docket.amounts_by_category[payment.pk].keys(),
            brands=docket.brands.get(payment.pk, frozenset()),
            origin=Origin(person_of(payment.member).region.country_code, payment.payer_country),
        ),
    }


def _pin_rates(cases: Iterable[Case], shop: Shop) -> None:
    """A payment takes the rate of its day, for good; what is taken back uses the payment's."""
    zone = shop.zone
    foreign = [case for case in cases if case.is_payment and case.row.currency != shop.currency]
    rates = rates_on((c.row.currency, local_day(c.row.occurred_at, zone)) for c in foreign)
    for case in foreign:
        case.rate = rates.get((case.row.currency, local_day(case.row.occurred_at, zone)))


def _recall_awards(cases: Iterable[Case]) -> None:
    corrected = {case.payment.pk: case for case in cases if not case.is_payment}
    if not corrected:
        return
    for award in Award.objects.filter(is_any_of("transaction_id", corrected)):
        corrected[award.transaction_id].award = award
    earlier = {
        row.pk: row for row in Transaction.objects.filter(is_any_of("original_id", corrected))
    }
    # By their keys: rows that were loaded along would hold each other, and outlive the batch.
    for award in Award.objects.filter(is_any_of("transaction_id", earlier)):
        row = earlier[award.transaction_id]
        assert row.original_id is not None
        case = corrected[row.original_id]
        case.earlier.append(row)
        case.earlier_awards.append(award)
    by_award = {pk: case for case in corrected.values() for pk in case.award_ids}
    lapsed = (
        LotUse.objects.filter(lot__award_id__in=by_award, transfer__kind=Transfer.Kind.EXPIRE)
        .values_list("lot__award_id")
        .annotate(points=Sum("points"))
    )
    for award_id, points in lapsed:
        by_award[award_id].lapsed += points


def _amounts_by_category(
    cases: Sequence[Case], shop: Shop
) -> tuple[
    Mapping[UUID, Mapping[str, Decimal]],
    Mapping[UUID, Decimal],
    Mapping[UUID, Mapping[str, Sequence[str]]],
]:
    """What each transaction's lines come to: by category (its ancestors' too), and in all; and the
    categories of each product, those of a correction as they were when its payment was settled.

    Lines that came with an order after the payment had earned count for nothing here: what it
    earned did not rest on them, and so a refund takes back without them too.
    """
    settled = {case.payment.pk for case in cases if case.award}
    then = {
        pk: case.award.facts.get("categories", {}) if case.award else {}
        for case in cases
        for row in (case.payment, case.row, *case.earlier)
        for pk in (row.pk, row.confirms_id)
        if pk is not None
    }
    lines = Line.objects.filter(is_any_of("transaction_id", then)).values_list(
        "transaction_id", "product_id", "product__category_id", "amount"
    )
    amounts: dict[UUID, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    totals: dict[UUID, Decimal] = defaultdict(Decimal)
    goods: dict[UUID, dict[str, Sequence[str]]] = defaultdict(dict)
    for transaction_id, product_id, category_id, amount in lines:
        if transaction_id in settled and str(product_id) not in then[transaction_id]:
            continue
        totals[transaction_id] += amount
        now = shop.ancestors.get(category_id, ())
        codes = then[transaction_id].get(str(product_id), now)
        goods[transaction_id][str(product_id)] = codes
        for code in codes:
            amounts[transaction_id][code] += amount
    return amounts, totals, goods


def _brands(cases: Iterable[Case], shop: Shop) -> Mapping[UUID, frozenset[str]]:
    if not any(field.name == "brands" for version in shop.versions for field in version.fields):
        return {}
    return brands_of(case.payment.pk for case in cases if case.is_payment)


def _cap_uses(
    cases: Sequence[Case], shop: Shop
) -> tuple[dict[CapKey, CapUse], Mapping[CapKey, int]]:
    """By the member whose payment used a cap, and their sums by person."""
    capped = {
        version.terms.rule for version in shop.versions if version.terms.cap_per_day is not None
    }
    if not capped:
        return {}, {}
    days = {_day_of(case, shop) for case in cases}
    persons = {case.standing.pk: case.standing.pk for case in cases}
    shared = [case.standing.pk for case in cases if case.standing.is_shared]
    for person, members in rows_of(shared).items() if shared else ():
        persons |= dict.fromkeys(members, person)
    rows = CapUse.objects.filter(is_any_of("member_id", persons), rule_id__in=capped, on__in=days)
    uses: dict[CapKey, CapUse] = {}
    sums: defaultdict[CapKey, int] = defaultdict(int)
    for row in rows:
        uses[row.member_id, row.rule_id, row.on] = row
        sums[persons[row.member_id], row.rule_id, row.on] += row.points
    return uses, sums


def _day_of(case: Case, shop: Shop) -> date:
    """The day whose cap the payment counts against; it stays, should the time zone change."""
    if case.award is not None:
        return date.fromisoformat(case.award.facts["on"])
    return local_day(case.payment.occurred_at, shop.zone)


def reporting(money: Money, rate: Decimal, currency: str) -> Money:
    return money if money.currency == currency else money.convert(rate, currency)
