"""Random histories through the public services; after each step the books must hold, and each
payment stand for exactly what is left of it."""

import random
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from kit.money import Money
from loyalty.models import Award
from loyalty.services.books import verify_books
from loyalty.services.expire import expire_lots
from loyalty.services.points import CannotAdjust, adjust_points
from loyalty.services.rules import publish_rule
from loyalty.services.settle import settle_members
from loyalty.services.tiers import review_tiers
from payments.models import Transaction
from payments.providers.base import Clue, Kind, Notice
from payments.services.linking import link_transactions
from payments.services.sales import book_sales
from tests import build

pytestmark = pytest.mark.django_db
_STEPS = 45
_PER = Decimal(7)
_CENT = Decimal("0.01")


class History:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = datetime(2024, 1, 15, 4, tzinfo=build.NOON.tzinfo)
        build.programme(points_valid_months=self.dice.choice([0, 1, 3]), tier_kept_days=5)
        build.tiers(basic="0", silver="300", gold="900")
        self.rule = build.earning_rule(rates={"HKD": (str(_PER), 3)})
        self.members = [build.member(wallet=f"w{n}", now=self.now) for n in range(2)]
        self.paid: dict[str, Decimal] = {}
        self.taken = 0

    def step(self) -> None:
        steps = [self.pay] * 2 + [self.take] * 3 + [self.wait, self.wait_for_month, self.adjust]
        self.dice.choice([*steps, self.expire, self.review, self.link, self.edit, self.early])()

    def pay(self) -> None:
        ref = f"p{len(self.paid)}"
        self.paid[ref] = self.dice.randrange(1, 30000) * _CENT
        wallet = self.dice.choice(["w0", "w1", "w1", "nobody"])
        ago = timedelta(days=self.dice.choice([0, 0, 1, 40, 370]))
        clues = (Clue("wallet", wallet),)
        self.book(Kind.PAYMENT, ref, ref, self.paid[ref], occurred_at=self.now - ago, clues=clues)

    def take(self) -> None:
        if self.paid:
            ref = self.dice.choice(list(self.paid))
            self.take_of(ref, self.paid[ref])

    def early(self) -> None:
        """A refund before its payment, which may never come."""
        self.take_of(f"p{len(self.paid)}", Decimal(100))

    def take_of(self, ref: str, amount: Decimal) -> None:
        kind = self.dice.choice([Kind.REFUND, Kind.REFUND, Kind.CHARGEBACK, Kind.REVERSAL])
        part = (amount * self.dice.choice([1, 2, 3, 5, 10, 13]) / 10).quantize(_CENT)
        is_total = kind == Kind.REFUND and self.dice.random() < 0.4
        self.taken += 1
        for _ in range(self.dice.choice([1, 1, 2])):  # Some platforms say it twice.
            effect = f"{ref}-{self.taken}"
            self.book(kind, ref, effect, max(part, _CENT), is_total=is_total)

    def book(self, kind: Kind, ref: str, effect: str, amount: Decimal, **said: Any) -> None:
        said.setdefault("occurred_at", self.now)
        money = Money(amount, "HKD")
        notice = Notice(kind=kind, payment_ref=ref, effect_ref=effect, amount=money, **said)
        book_sales([notice], account=build.account(), source="api", now=self.now)

    def wait(self) -> None:
        self.now += timedelta(days=self.dice.randrange(1, 20))

    def wait_for_month(self) -> None:
        """To the very instant at which points lapse in Hong Kong, or one microsecond before."""
        month = (self.now.replace(day=1) + timedelta(days=32)).replace(day=1)
        edge = month.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=8)
        self.now = max(self.now, edge - timedelta(microseconds=self.dice.choice([0, 1])))

    def adjust(self) -> None:
        points, member = self.dice.choice([-40, -7, 5, 60]), self.dice.choice(self.members)
        with suppress(CannotAdjust):
            adjust_points(member, points=points, reason="A gift", actor=None, now=self.now)

    def expire(self) -> None:
        expire_lots(now=self.now)
        assert expire_lots(now=self.now) == 0

    def review(self) -> None:
        review_tiers(now=self.now)
        assert review_tiers(now=self.now) == 0

    def link(self) -> None:
        rows = Transaction.objects.filter(waiting_for="member", kind="payment")[:1]
        link_transactions(list(rows), self.members[0], now=self.now)

    def edit(self) -> None:
        self.rule.is_enabled = not self.rule.is_enabled
        self.rule.save()
        publish_rule(self.rule, now=self.now)

    def settle(self) -> None:
        while settle_members(now=self.now, limit=500):
            pass

    def check(self) -> None:
        assert [found for found in verify_books() if not found.is_clean] == []
        for award in Award.objects.filter(transaction__kind="payment"):
            assert _stands_for(award) == _should_stand_for(award)


def _stands_for(award: Award) -> int:
    later = Award.objects.filter(transaction__original=award.transaction_id)
    return award.points + sum(each.points - each.forgiven for each in later)


def _should_stand_for(award: Award) -> int:
    paid = award.transaction.amount
    sums = {"refund": Decimal(0), "chargeback": Decimal(0), "reversal": Decimal(0)}
    total = Decimal(0)
    for row in Transaction.objects.filter(original=award.transaction_id, due_at=None):
        if row.is_total:
            total = max(total, row.amount)
        else:
            sums[row.kind] += row.amount
    gone = max(sums["refund"], total) + sums["chargeback"] - sums["reversal"]
    left = min(max(paid - gone, Decimal(0)), paid)
    if not award.facts["rules"]:
        return 0
    return int(int(left // _PER) * 3 * Fraction(award.facts["multiplier"]))


@pytest.mark.parametrize("seed", range(5))
def test_the_books_hold_through_any_history(seed: int) -> None:
    history = History(seed)

    for _ in range(_STEPS):
        history.step()
        if history.dice.random() < 0.8:
            history.settle()
        history.check()
    history.now += timedelta(days=1)
    history.settle()

    history.check()
