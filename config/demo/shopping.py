"""A year of shopping as a plan: who pays what, where and when, and what comes back. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from config.demo.catalogue import ITEMS, SHELVES, Item, price_in
from config.demo.merchant import ONLINE, STORES, ZONE, currency_of, stores_of
from config.demo.people import Person
from payments.providers.base import Clue, Kind, NoticeLine

TILL: Final = "standard"
STRIPE: Final = "stripe"
ALIPAY: Final = "alipay"

_METHODS: Final = {
    "HK": ("octopus", "octopus", "visa", "mastercard", "fps", "wechat_pay", "cash"),
    "TW": ("line_pay", "visa", "mastercard", "cash", "jkopay"),
    "CN": ("wechat_pay", "wechat_pay", "unionpay"),
    "SG": ("paynow", "visa", "mastercard", "grabpay"),
}
# Monday to Sunday, and the hours from ten in the morning on.
_WEEKDAYS: Final = (8, 8, 9, 9, 12, 18, 17)
_HOURS: Final = (3, 5, 9, 9, 6, 8, 9, 9, 10, 9, 6)

_LUNAR_NEW_YEAR: Final = (
    *(date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6)),
    *(date(2028, 1, 26), date(2029, 2, 13), date(2030, 2, 3), date(2031, 1, 23)),
)
_MID_AUTUMN: Final = (
    *(date(2024, 9, 17), date(2025, 10, 6), date(2026, 9, 25), date(2027, 9, 15)),
    *(date(2028, 10, 3), date(2029, 9, 22), date(2030, 9, 12), date(2031, 10, 1)),
)


@dataclass(frozen=True, slots=True)
class Deal:
    """One effect on money as the demo plans it, before it takes the form of its channel."""

    kind: Kind
    at: datetime
    channel: str
    ref: str
    effect_ref: str
    amount: Decimal
    currency: str
    store: str = ""
    method: str = ""
    member_code: str = ""
    clues: tuple[Clue, ...] = ()
    lines: tuple[NoticeLine, ...] = ()
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class Linking:
    """A late wallet turns out to be this person's."""

    at: datetime
    person: Person


@dataclass(slots=True)
class Shopping:
    deals: list[Deal] = field(default_factory=list)
    linkings: list[Linking] = field(default_factory=list)


def plan_shopping(
    people: Sequence[Person], *, first: date, now: datetime, rng: Random
) -> Shopping:
    """Everything up to `now`, in order of time."""
    plan = Shopping()
    numbers = _Numbers()
    seed = rng.random()
    for person in people:
        # Each has dice of their own: what one does moves nobody else.
        own = Random(f"{seed}:{person.number}")  # noqa: S311 - dice, no secrets
        for at in _visits(person, first=first, now=now, rng=own):
            plan.deals.append(_visit(person, at, numbers, own))
        if person.late_wallet:
            _pay_unknown(person, plan, numbers, first=first, now=now, rng=own)
    plan.deals += _walk_ins(len(plan.deals) // 80, first=first, now=now, numbers=numbers, rng=rng)
    plan.deals += [
        back for deal in list(plan.deals) for back in _come_back(deal, rng) if back.at < now
    ]
    plan.deals.sort(key=lambda deal: (deal.at, deal.effect_ref))
    plan.linkings.sort(key=lambda linking: linking.at)
    return plan


def opening(day: date, rng: Random) -> datetime:
    """Some moment of the day when shops are open; all zones of the demo are Hong Kong's."""
    hour = rng.choices(range(10, 21), _HOURS)[0]
    clock = time(hour, rng.randint(0, 59), rng.randint(0, 59))
    return datetime.combine(day, clock, ZoneInfo(ZONE))


def basket(
    shelves: Sequence[str], *, fullness: float, currency: str, rng: Random
) -> list[NoticeLine]:
    """One to five lines, mostly from the favourite `shelves`; one basket in ten at a tenth off."""
    count = min(1 + int(rng.expovariate(1 / (0.9 * fullness))), 5)
    chosen: dict[str, Item] = {}
    for _ in range(count):
        item = _pick(shelves, rng)
        chosen[item.sku] = item
    share = Decimal("0.9") if rng.random() < 0.1 else Decimal(1)
    return [_line(item, currency, share, rng) for item in chosen.values()]


def total_of(lines: Iterable[NoticeLine]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


class _Numbers:
    """Running numbers of receipts, orders and payments."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last += 1
        return self._last


def _visits(person: Person, *, first: date, now: datetime, rng: Random) -> Iterator[datetime]:
    habit, today = person.habit, now.astimezone(ZoneInfo(ZONE)).date()
    joined = person.joined_at.astimezone(ZoneInfo(ZONE)).date()
    day = joined if joined >= first else first + timedelta(days=_gap(habit.gap_days, rng) // 2)
    ends = today
    if habit.lapses:
        ends = day + timedelta(days=int((today - day).days * rng.uniform(0.15, 0.75)))
    elif habit.most_visits == 1 and joined < first:
        day = first + timedelta(days=rng.randint(0, max((today - first).days, 1)))
    for _ in range(habit.most_visits):
        if day > ends:
            return
        at = max(opening(day, rng), person.joined_at + timedelta(minutes=2))
        if at >= now:
            return
        yield at
        day = _busy_day(day + timedelta(days=_gap(habit.gap_days, rng)), habit.gap_days, rng)


def _gap(mean: int, rng: Random) -> int:
    return max(2, round(rng.gammavariate(2.2, mean / 2.2)))


def _busy_day(day: date, mean: int, rng: Random) -> date:
    """A day near `day`, rather a weekend or before a festival."""
    reach = min(6, mean // 5)
    near = [day + timedelta(days=offset) for offset in range(1 - reach, reach + 1)] or [day]
    return rng.choices(near, [_bustle(one) for one in near])[0]


@cache
def _bustle(day: date) -> float:
    weight = float(_WEEKDAYS[day.weekday()])
    if any(0 < (feast - day).days <= 18 for feast in _LUNAR_NEW_YEAR):
        weight *= 2.2
    if any(0 < (feast - day).days <= 14 for feast in _MID_AUTUMN):
        weight *= 1.9
    if (day.month, day.day) in {(11, 11), (6, 18), (12, 12)}:
        weight *= 2.5
    if day.month == 12 and 10 <= day.day <= 24:
        weight *= 1.6
    return weight


def _visit(person: Person, at: datetime, numbers: _Numbers, rng: Random) -> Deal:
    store, channel = _place(person, rng)
    region = STORES[store][0]
    is_visitor_online = store == ONLINE and person.region == "SG" and rng.random() < 0.3
    currency = "USD" if is_visitor_online else currency_of(region)
    lines = basket(person.favourites, fullness=person.habit.fullness, currency=currency, rng=rng)
    clues = _clues(person, channel)
    says_code = not clues or rng.random() < 0.6
    deal = _deal(at, channel, numbers.next(), lines=lines, currency=currency)
    return replace(
        deal,
        store=store,
        method=rng.choice(_METHODS[region]) if channel == TILL else _method(channel),
        member_code=person.code if says_code else "",
        clues=clues if channel != TILL or not says_code else (),
    )


def _place(person: Person, rng: Random) -> tuple[str, str]:
    dice = rng.random()
    if dice < 0.1 and "stripe_customer" in person.signs:
        return ONLINE, STRIPE
    store = person.store
    if dice < 0.22:
        store = rng.choice(stores_of(person.region))
    elif dice < 0.25:
        store = rng.choice([code for code in STORES if code != ONLINE])
    likes_alipay = 0.55 if STORES[store][0] == "CN" else 0.2
    if "alipay_buyer" in person.signs and STORES[store][0] == "CN" and rng.random() < likes_alipay:
        return store, ALIPAY
    return store, TILL


def _method(channel: str) -> str:
    return "card" if channel == STRIPE else "alipay"


def _clues(person: Person, channel: str) -> tuple[Clue, ...]:
    kinds = {
        TILL: ("wallet",),
        STRIPE: ("stripe_customer", "stripe_card"),
        ALIPAY: ("alipay_buyer",),
    }
    return tuple(Clue(kind, person.signs[kind]) for kind in kinds[channel] if kind in person.signs)


def _deal(
    at: datetime, channel: str, number: int, *, lines: Sequence[NoticeLine], currency: str
) -> Deal:
    prefix = {
        TILL: f"T-{number:07d}",
        STRIPE: f"pi_Demo{number:07d}",
        ALIPAY: f"{at:%Y%m%d}22001{number:015d}",
    }[channel]
    return Deal(
        kind=Kind.PAYMENT,
        at=at,
        channel=channel,
        ref=prefix,
        effect_ref=prefix,
        amount=total_of(lines),
        currency=currency,
        lines=tuple(lines) if channel == TILL else (),
        order_ref=f"W{number:07d}" if channel == STRIPE else "",
    )


def _pick(shelves: Sequence[str], rng: Random) -> Item:
    shelf = rng.choice(shelves) if rng.random() < 0.65 else _any_shelf(rng)
    items = _BY_SHELF[shelf]
    # Dear things sell seldom.
    return rng.choices(items, [1 / math.sqrt(float(item.price)) for item in items])[0]


def _any_shelf(rng: Random) -> str:
    return rng.choices(list(_BY_SHELF), _SHELF_WEIGHTS)[0]


_BY_SHELF: Final = {
    shelf.code: [item for item in ITEMS if item.shelf == shelf.code]
    for shelf in SHELVES
    if shelf.weight
}
_SHELF_WEIGHTS: Final = [shelf.weight for shelf in SHELVES if shelf.weight]


def _line(item: Item, currency: str, share: Decimal, rng: Random) -> NoticeLine:
    quantity = Decimal(rng.choices((1, 2, 3), (84, 13, 3))[0])
    amount = (price_in(item, currency) * quantity * share).quantize(Decimal("0.01"))
    return NoticeLine(sku=item.sku, quantity=quantity, amount=amount)


def _pay_unknown(
    person: Person, plan: Shopping, numbers: _Numbers, *, first: date, now: datetime, rng: Random
) -> None:
    """Payments of a wallet that is linked later, or never."""
    start = max(person.joined_at, datetime.combine(first, time(10), ZoneInfo(ZONE)))
    span = max((now - start).days, 1)
    days = sorted(rng.randint(0, span) for _ in range(rng.randint(1, 3)))
    for days_later in days:
        at = opening((start + timedelta(days=days_later)).date(), rng)
        if not start < at < now:
            continue
        currency = currency_of(person.region)
        lines = basket(person.favourites, fullness=1, currency=currency, rng=rng)
        deal = _deal(at, TILL, numbers.next(), lines=lines, currency=currency)
        clues = (Clue("wallet", person.late_wallet),)
        plan.deals.append(replace(deal, store=person.store, method="octopus", clues=clues))
    linked_at = start + timedelta(days=rng.randint(1, span * 2), hours=3)
    if linked_at < now:
        plan.linkings.append(Linking(linked_at, person))


def _walk_ins(
    number: int, *, first: date, now: datetime, numbers: _Numbers, rng: Random
) -> Iterator[Deal]:
    """People whom nobody knows: some wallets come again, many leave no sign at all."""
    days = [first + timedelta(days=n) for n in range((now.date() - first).days + 1)]
    shelves = list(_BY_SHELF)
    for day in rng.choices(days, [_bustle(day) for day in days], k=number):
        at = opening(day, rng)
        if at >= now:
            continue
        store = rng.choice([code for code in STORES if code != ONLINE])
        region = STORES[store][0]
        currency = currency_of(region)
        lines = basket(rng.sample(shelves, 2), fullness=0.8, currency=currency, rng=rng)
        wallet = f"wallet-guest-{rng.randint(1, number)}"
        yield replace(
            _deal(at, TILL, numbers.next(), lines=lines, currency=currency),
            store=store,
            method=rng.choice(_METHODS[region]),
            clues=(Clue("wallet", wallet),) if rng.random() < 0.5 else (),
        )


def _come_back(deal: Deal, rng: Random) -> Iterator[Deal]:
    """Refunds of one payment in twenty-five, and now and then a chargeback of a card."""
    dice = rng.random()
    later = deal.at + timedelta(days=rng.randint(1, 18), minutes=rng.randint(0, 300))
    if dice < 0.04:
        yield _refund(deal, later, rng)
    elif deal.channel == STRIPE and dice < 0.055:
        disputed = deal.at + timedelta(days=rng.randint(15, 40))
        dispute = f"dp_{deal.ref[3:]}"
        chargeback = replace(_bare(deal), kind=Kind.CHARGEBACK, at=disputed, effect_ref=dispute)
        yield chargeback
        if rng.random() < 0.4:
            won = disputed + timedelta(days=21)
            yield replace(chargeback, kind=Kind.REVERSAL, at=won)


def _refund(deal: Deal, at: datetime, rng: Random) -> Deal:
    """One line of several, or all of it; platforms that know no lines give back a third."""
    amount, lines = deal.amount, deal.lines
    if rng.random() < 0.6:
        if len(deal.lines) > 1:
            lines = (rng.choice(deal.lines),)
            amount = total_of(lines)
        elif not deal.lines:
            amount = (amount / 3).quantize(Decimal("0.01"))
    effect = {TILL: f"R-{deal.ref[2:]}", STRIPE: f"re_{deal.ref[3:]}", ALIPAY: "REFUND-1"}
    return replace(
        _bare(deal),
        kind=Kind.REFUND,
        at=at,
        effect_ref=effect[deal.channel],
        amount=amount,
        lines=lines,
    )


def _bare(deal: Deal) -> Deal:
    """The payment without the signs of its payer: what is taken back goes by the payment."""
    return replace(deal, member_code="", clues=(), lines=())
