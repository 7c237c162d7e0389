"""Random histories with merges at random points: the books are those of separate histories."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loyalty.models import Standing, Tier
from loyalty.rules.periods import a_year_before, lapse_instant
from loyalty.services.expire import expire_lots
from loyalty.services.points import CannotAdjust, adjust_points
from loyalty.services.settle import settle_members
from loyalty.services.tiers import review_tiers
from members.models import Member, Programme
from members.selectors import newest_consent
from members.services.consents import set_consent
from members.services.merging import CannotMerge
from payments.providers.base import Clue, Kind
from tests import build
from tests.build import NOON
from tests.people.bookkeeper import Bookkeeper, Paid
from tests.people.cast import Stand, book, books_are_clean, merge, stand_of, unmerge

pytestmark = pytest.mark.django_db

# Each step asks the database: making a failure shorter would take longer than reading it.
_FAST: Any = {
    "deadline": None,
    "suppress_health_check": [*HealthCheck],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "print_blob": True,
}
MEMBERS = "abc"
who = st.sampled_from(MEMBERS)
STEPS = st.one_of(
    st.tuples(st.just("pay"), who, st.integers(100, 20000), st.sampled_from([0, 0, 3, 40, 370])),
    st.tuples(st.just("pay"), who, st.integers(100, 20000), st.just(0)),
    st.tuples(st.just("take"), st.integers(0, 40), st.sampled_from([1, 3, 5, 10, 13])),
    st.tuples(st.just("adjust"), who, st.sampled_from([-90, -40, -7, 5, 60])),
    st.tuples(st.just("wait"), st.integers(1, 25)),
    st.tuples(st.just("lapse")),
    st.tuples(st.just("review")),
    st.tuples(st.just("say"), who, st.booleans()),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("unmerge"), who),
)


class History:
    """One history, told to the product and to the bookkeeper."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.now = NOON - timedelta(days=350)
        self.members = {
            name: build.member(wallet=f"{tag}{name}", now=self.now) for name in MEMBERS
        }
        self.books = Bookkeeper()
        self.waiting: list[Any] = []

    def step(self, name: str, *given: Any) -> None:
        self.now += timedelta(seconds=7)
        getattr(self, name)(*given)

    def pay(self, member: str, cents: int, days_ago: int) -> None:
        self.settle()
        ref, amount = f"{self.tag}-{len(self.books.paid)}", Decimal(cents) / 100
        at = self.now - timedelta(days=days_ago)
        clues = (Clue("wallet", f"{self.tag}{member}"),)
        book(Kind.PAYMENT, ref, ref, amount, now=self.now, occurred_at=at, clues=clues)
        paid = Paid(member, amount, at)
        self.waiting.append(lambda: self.books.pay(ref, paid, now=self.now, end=self.end()))

    def take(self, number: int, tenths: int) -> None:
        self.settle()
        if not self.books.paid:
            return
        ref = list(self.books.paid)[number % len(self.books.paid)]
        amount = max(round(self.books.paid[ref].amount * tenths / 10, 2), Decimal("0.01"))
        book(Kind.REFUND, ref, f"{ref}-{self.now.isoformat()}", amount, now=self.now)
        self.waiting.append(lambda: self.take_back(ref, amount))

    def take_back(self, ref: str, amount: Decimal) -> None:
        """What lapsed by now is gone before anything is taken, of all for whom somebody stands."""
        person = self.books.person(self.books.paid[ref].owner)
        self.books.lapse(self.now, self.books.members(person))
        self.books.take(ref, amount)

    def settle(self) -> None:
        """At most one fact waits, so that no two lots are of the same moment."""
        self.now += timedelta(seconds=7)
        while settle_members(now=self.now, limit=500):
            pass
        for book_it in self.waiting:
            book_it()
        self.waiting.clear()

    def adjust(self, member: str, points: int) -> None:
        self.settle()
        self.now += timedelta(seconds=7)
        self.lapse()
        row = Member.objects.get(pk=self.members[member].pk)
        try:
            adjust_points(row, points=points, reason="By hand", actor=None, now=self.now)
        except CannotAdjust:
            assert self.books.adjust(member, points, self.now, self.end()) is False
        else:
            assert self.books.adjust(member, points, self.now, self.end()) is True

    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    def lapse(self) -> None:
        expire_lots(now=self.now)
        self.books.lapse(self.now)

    def review(self) -> None:
        review_tiers(now=self.now)

    def say(self, member: str, word: bool) -> None:
        row = Member.objects.get(pk=self.members[member].pk)
        set_consent(row, is_granted=word, source="page", now=self.now)
        self.books.say(member, word, self.now)

    def merge(self, member: str, survivor: str) -> None:
        self.lapse()
        is_free = not {member, survivor} & self.books.into.keys() and member != survivor
        try:
            merge(self.members[member], self.members[survivor], now=self.now)
        except CannotMerge:
            assert not is_free
        else:
            assert is_free
            self.books.merge(member, survivor, self.now)

    def unmerge(self, member: str) -> None:
        self.lapse()
        try:
            unmerge(self.members[member], now=self.now)
        except CannotMerge:
            assert member not in self.books.into
        else:
            self.books.unmerge(member, self.now)

    def end(self) -> Any:
        programme = Programme.current()
        return lapse_instant(self.now, months=programme.points_valid_months, zone=_zone())

    def check(self) -> None:
        for name, member in self.members.items():
            row = Standing.objects.filter(pk=member.pk).first() or Standing()
            assert (name, row.balance) == (name, self.books.balance(name))
            consent = newest_consent(member)
            word = consent.is_granted if consent else None
            assert (name, word) == (name, self.books.word(name))

    def check_all(self) -> None:
        """Also what is left in which lots, and what counts for the tier."""
        self.settle()
        self.lapse()
        self.review()
        self.check()
        for name, member in self.members.items():
            stand, own = stand_of(member), self.books.members(name)
            lots = [lot for each in own for lot in self.books.lots[each] if lot.left]
            assert stand.lots == tuple(sorted((lot.left, lot.start, lot.end) for lot in lots))
            if stand.payments:
                since = a_year_before(self.now, zone=_zone())
                assert stand.spend == self.books.spend(name, since)
            assert stand.payments == self.books.payments(name)
        assert books_are_clean()


def _zone() -> Any:
    return ZoneInfo(Programme.current().zone)


def _shop() -> None:
    """Made once: what an example writes is rolled back, and the shop is kept in memory."""
    if Tier.objects.exists():
        return
    build.programme(points_valid_months=1, tier_kept_days=5)
    build.tiers(basic="0", silver="150", gold="400")
    Tier.objects.update(multiplier=1)
    build.earning_rule()
    build.account()


@settings(max_examples=25, **_FAST)
@given(steps=st.lists(STEPS, min_size=8, max_size=40))
def test_whatever_is_merged_and_parted_the_books_are_those_of_separate_histories(
    steps: list[Any],
) -> None:
    _shop()
    with transaction.atomic():
        history = History("w")

        for name, *given_ in steps:
            history.step(name, *given_)
            if name in {"merge", "unmerge"}:
                assert books_are_clean()
            if not history.waiting:
                history.check()
        for name in list(history.books.into):
            history.step("unmerge", name)
        history.check_all()

        transaction.set_rollback(True)


@settings(max_examples=15, **_FAST)
@given(before=st.lists(STEPS, max_size=12), during=st.lists(STEPS, max_size=20))
def test_after_a_merge_and_its_end_all_is_as_if_it_had_never_been(
    before: list[Any], during: list[Any]
) -> None:
    """Told twice: with a merge in between, and without. By hand only points of the survivor move:
    what is taken from both has no place in two separate histories."""
    _shop()
    stands = []
    for is_merged in (True, False):
        with transaction.atomic():
            history = History("w")
            _tell(history, before)
            history.step(*(("merge", "b", "a") if is_merged else ("lapse",)))
            _tell(history, [_by_survivor(step) for step in during])
            history.step(*(("unmerge", "b") if is_merged else ("lapse",)))
            review_tiers(now=history.now)
            stands.append([_without_tier(stand_of(history.members[name])) for name in "ab"])
            transaction.set_rollback(True)

    assert stands[0] == stands[1]


def _tell(history: History, steps: list[Any]) -> None:
    for name, *given_ in steps:
        if name not in {"merge", "unmerge"}:
            history.step(name, *given_)
    history.settle()


def _by_survivor(step: Any) -> Any:
    return ("adjust", "a", abs(step[2])) if step[0] == "adjust" else step


def _without_tier(stand: Stand) -> Stand:
    """Tiers follow a rule of their own: see test_unmerging."""
    return replace(stand, tier="")
