"""The books of each platform against a table that was written by hand.

One payment, two refunds in part, a chargeback of the rest and its reversal, in each of the 120
orders and in two of the platform's currencies; every message comes again after the next one, and
once more at the end. The amounts do not divide, and points are spent before anything comes back.
What a platform does not report is entered by staff. A second format is played in each fifth order.

Currencies that the table does not know yet go by the same sums in `by_formula`, which has to agree
with the table wherever there is one: whoever adds a platform need not work them out.
"""

import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from itertools import permutations
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q, Sum

from kit.money import Money, exponent
from loyalty.models import Award, LotUse, Standing, Transfer
from loyalty.services.books import verify_books
from loyalty.services.points import adjust_points
from loyalty.services.settle import settle_members
from members.models import Member
from payments.models import AmountConflict, Callback, Transaction
from payments.providers.base import ANSWER, Inbound, Kind, Outcome, Verified
from payments.selectors import left_of
from payments.services.accounts import known_account
from payments.services.linking import link_transactions
from payments.services.rates import enter_rate
from payments.services.receive import receive, store
from payments.services.refunds import TooMuch, Wanted, refund_payment
from payments.services.translate import translate_callbacks
from tests import build
from tests.build import NOON
from tests.payments.providers.example import (
    SHOP,
    Correction,
    Example,
    Sale,
    all_examples,
    all_formats,
)

pytestmark = pytest.mark.django_db

STEPS: Final = ("pay", "first", "second", "charge", "return")
ORDERS: Final = tuple(permutations(STEPS))
PER: Final = ("7", 3)  # Three points for every full HKD 7.
SPENT: Final = 30
WAITS_FOR_MEMBER: Final = Q(waiting_for="member", kind=Kind.PAYMENT)


@dataclass(frozen=True)
class Told:
    """What is sent and what the books must say of it: worked out by hand, see the comments."""

    paid: str
    refunds: tuple[str, str]
    charged_back: str
    rate: str  # HKD for one.
    earned: int
    left: str
    points_left: int
    spend: str  # What is left, in HKD.


TABLE: Final = {
    # 95.95 / 7 = 13.7 → 13 × 3; 95.95 - 31.98 - 31.99 = 31.98, 31.98 / 7 = 4.5 → 4 × 3
    "HKD": Told("95.95", ("31.98", "31.99"), "31.98", "1", 39, "31.98", 12, "31.98"),
    # 104.230485 / 7 = 14.8; 31.98 × 1.0863 = 34.739874, / 7 = 4.9
    "CNY": Told("95.95", ("31.98", "31.99"), "31.98", "1.0863", 42, "31.98", 12, "34.74"),
    # 746.999535 / 7 = 106.7; 31.98 × 7.7853 = 248.973894, / 7 = 35.5
    "USD": Told("95.95", ("31.98", "31.99"), "31.98", "7.7853", 318, "31.98", 105, "248.97"),
    # 856.267395 / 7 = 122.3; 31.98 × 8.9241 = 285.392718, / 7 = 40.7
    "EUR": Told("95.95", ("31.98", "31.99"), "31.98", "8.9241", 366, "31.98", 120, "285.39"),
    # 568.187115 / 7 = 81.1; 31.98 × 5.9217 = 189.375966, / 7 = 27.05
    "SGD": Told("95.95", ("31.98", "31.99"), "31.98", "5.9217", 243, "31.98", 81, "189.38"),
    # 238.131645 / 7 = 34.01; 331.98 × 0.2391 = 79.376418, / 7 = 11.3
    "THB": Told("995.95", ("331.98", "331.99"), "331.98", "0.2391", 102, "331.98", 33, "79.38"),
    # 243.7 / 7 = 34.8; 333 × 0.2437 = 81.1521, / 7 = 11.5
    "TWD": Told("1000", ("333", "334"), "333", "0.2437", 102, "333", 33, "81.15"),
    # 513.0513 / 7 = 73.2; 3334 × 0.0513 = 171.0342, / 7 = 24.4
    "JPY": Told("10001", ("3333", "3334"), "3334", "0.0513", 219, "3334", 72, "171.03"),
    # 493 / 7 = 70.4; 333333 × 0.000493 = 164.333169, / 7 = 23.4
    "IDR": Told(
        "1000000", ("333333", "333334"), "333333", "0.000493", 210, "333333", 69, "164.33"
    ),
}
# Of currencies without cents, with cents, and with thousandths: paid, refunds, charged back, rate.
AMOUNTS: Final = {
    0: ("10001", ("3333", "3334"), "3334", "0.0719"),
    2: ("995.95", ("331.98", "331.99"), "331.98", "1.7719"),
    3: ("95.955", ("31.982", "31.983"), "31.990", "25.4119"),
}


def told_in(currency: str) -> Told:
    return TABLE.get(currency) or by_formula(*AMOUNTS[min(exponent(currency), 3)])


def by_formula(paid: str, refunds: tuple[str, str], charged_back: str, rate: str) -> Told:
    """The sums of the table, for amounts that nobody worked out by hand."""
    per, points = int(PER[0]), PER[1]
    left = Decimal(paid) - Decimal(refunds[0]) - Decimal(refunds[1])
    worth, rest = Decimal(paid) * Decimal(rate), left * Decimal(rate)
    return Told(
        paid,
        refunds,
        charged_back,
        rate,
        earned=int(worth // per) * points,
        left=str(left),
        points_left=int(rest // per) * points,
        spend=str(rest.quantize(Decimal("0.01"), ROUND_HALF_UP)),
    )


@pytest.fixture(autouse=True)
def _rules() -> None:
    build.programme()
    build.earning_rule(rates={"HKD": PER})
    named = {currency for example in all_examples().values() for currency in example.currencies}
    for currency in named - {"HKD"}:
        day = (NOON - timedelta(days=1)).date()
        rate = Decimal(told_in(currency).rate)
        enter_rate(currency=currency, valid_from=day, rate=rate, source="test", now=NOON)


@dataclass
class Story:
    """One payment of one member, told in one order."""

    example: Example
    order: tuple[str, ...]
    sale: Sale
    told: Told
    member: Member
    posts: dict[str, Inbound | None] = field(default_factory=dict)

    def post(self, step: str) -> Inbound | None:
        """The platform's message, the same bytes each time; None if it sends none."""
        if step not in self.posts:
            self.posts[step] = self._written(step)
        return self.posts[step]

    def _written(self, step: str) -> Inbound | None:
        tell: Any = {
            "pay": self.example.payment,
            "first": self.example.refund,
            "second": self.example.refund,
            "charge": self.example.chargeback,
            "return": self.example.reversal,
        }[step]
        about = self.sale if step == "pay" else self.correction(step)
        return None if tell is None else tell(about)

    def signed_at(self, step: str) -> datetime:
        return self.sale.at if step == "pay" else self.correction(step).at

    def correction(self, step: str) -> Correction:
        first, second = (Decimal(part) for part in self.told.refunds)
        charged = Decimal(self.told.charged_back)
        ref, amount, so_far = {
            "first": ("a", first, first),
            "second": ("b", second, first + second),
            "charge": ("c", charged, charged),
            "return": ("c", charged, charged),
        }[step]
        at = NOON + timedelta(minutes=self.order.index(step))  # As they arrive.
        return Correction(self.sale, f"{self.sale.ref}-{ref}", amount, so_far, at)

    def by_hand(self, step: str) -> Wanted:
        correction = self.correction(step)
        kinds = {"charge": Kind.CHARGEBACK, "return": Kind.REVERSAL}
        return Wanted(
            amount=Money(correction.amount, self.sale.money.currency),
            ref=f"{correction.ref}-{step}",
            reason="The platform sends none",
            kind=kinds.get(step, Kind.REFUND),
        )


class Play:
    """All stories of one platform at once, step by step."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.staff = User.objects.create_user("staff", is_staff=True)
        keys = example.keys
        row = build.account(
            example.code,
            secrets=keys.secrets,
            settings=dict(keys.settings),
            token=example.token,
        )
        known = known_account(example.code, row.token)
        assert known is not None
        self.account = known
        self.stories = [
            self._story(currency, number, order)
            for place, currency in enumerate(example.currencies)
            for number, order in enumerate(ORDERS)
            if (place == 0 and not example.variant) or number % 5 == 0
        ]
        self.to_enter: list[tuple[Story, str]] = []

    def _story(self, currency: str, number: int, order: tuple[str, ...]) -> Story:
        told, member = told_in(currency), build.member()
        sale = Sale(
            ref=f"{currency}{number:03d}",
            money=Money(Decimal(told.paid), currency),
            at=NOON - timedelta(hours=1),
            member_code=member.code,
            order_ref=f"O{currency}{number:03d}",
        )
        return Story(self.example, order, sale, told, member)

    def run(self) -> None:
        for place in range(len(STEPS)):
            for story in self.stories:
                self.send(story, story.order[place])
                if place:
                    self.send(story, story.order[place - 1])  # Late, once more.
            self.to_enter += [
                (story, story.order[place])
                for story in self.stories
                if story.post(story.order[place]) is None
            ]
            self.settle()
            self.enter()
            self.settle()
            know_your_tables()
        for story in self.stories:
            for step in reversed(story.order):
                self.send(story, step)
        self.settle()

    def send(self, story: Story, step: str) -> None:
        post, at = story.post(step), story.signed_at(step)
        if post is None:
            return
        if post.method == ANSWER:
            self.answered(story, post)
            return
        assert receive(self.account, post, now=at) != Outcome.REFUSED
        if step == "pay" and self.example.answer is not None:
            self.answered(story, self.example.answer(story.sale))

    def answered(self, story: Story, answer: Inbound) -> None:
        """We asked; this is what the platform says."""
        told = sha256(answer.body).hexdigest()
        key = Verified(f"answer:{story.sale.ref}:{told}")
        store(self.account, answer, key, now=story.signed_at("pay"))

    def settle(self) -> None:
        """Payments first: their points are spent before anything is taken back of them."""
        later = NOON + timedelta(hours=1)
        while translate_callbacks(now=later, limit=500):
            pass
        self.link()
        paid_at = NOON - timedelta(hours=1)
        while settle_members(now=paid_at, limit=500):
            pass
        fresh = Award.objects.filter(
            transaction__kind=Kind.PAYMENT, member__standing__payments=1
        ).exclude(member__in=Transfer.objects.filter(kind="adjust").values("debit__member"))
        for award in fresh.select_related("member"):
            adjust_points(award.member, points=-SPENT, reason="Spent", actor=None, now=paid_at)
        while settle_members(now=later, limit=500):
            pass

    def link(self) -> None:
        """Staff say whose a payment is, where the platform hands back no member number."""
        waiting = {row.order_ref: row for row in Transaction.objects.filter(WAITS_FOR_MEMBER)}
        for story in self.stories:
            row = waiting.get(story.sale.order_ref)
            if row is not None:
                link_transactions([row], story.member, now=NOON)

    def enter(self) -> None:
        """Staff enter what the platform does not report, as soon as that can be, and twice."""
        before = len(self.to_enter) + 1
        while before > len(self.to_enter) > 0:
            before = len(self.to_enter)
            self._enter_what_can_be()

    def _enter_what_can_be(self) -> None:
        waiting, self.to_enter = self.to_enter, []
        for story, step in waiting:
            ref = self.example.known_as(story.sale.ref)
            payment = Transaction.objects.filter(kind=Kind.PAYMENT, payment_ref=ref).first()
            if payment is None or not self._entered(payment, story.by_hand(step)):
                self.to_enter.append((story, step))

    def _entered(self, payment: Transaction, wanted: Wanted) -> bool:
        try:
            for _ in range(2):
                refund_payment(payment, wanted, by=self.staff, now=NOON)
        except TooMuch:
            return False  # Nothing is charged back yet that could return.
        return True


def know_your_tables() -> None:
    """A server learns what it holds by itself, but not of what is not committed yet."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def found_of(story: Story) -> dict[str, Any]:
    awards = Award.objects.filter(member=story.member)
    standing = Standing.objects.get(pk=story.member.pk)
    owed = Transfer.objects.filter(debit=story.member.pk, covered_at=None)
    covered = LotUse.objects.filter(transfer__in=owed).aggregate(n=Sum("points"))["n"] or 0
    payment = Transaction.objects.get(kind=Kind.PAYMENT, member=story.member)
    return {
        "earned": awards.get(transaction=payment).points,
        "left": left_of(payment),
        "points": awards.aggregate(n=Sum("points"))["n"],
        "balance": standing.balance,
        "debt": (owed.aggregate(n=Sum("points"))["n"] or 0) - covered,
        "spend": standing.spend_12m,
    }


def wanted_of(told: Told, currency: str) -> dict[str, Any]:
    return {
        "earned": told.earned,
        "left": Money(Decimal(told.left), currency),
        "points": told.points_left,
        "balance": told.points_left - SPENT,
        "debt": max(SPENT - told.points_left, 0),
        "spend": Decimal(told.spend),
    }


@pytest.mark.parametrize("currency", sorted(TABLE))
def test_the_formula_says_what_the_table_says(currency: str) -> None:
    told = TABLE[currency]

    assert by_formula(told.paid, told.refunds, told.charged_back, told.rate) == told


@pytest.mark.parametrize("currency", ["MYR", "KWD", "KRW"])
def test_a_platform_in_a_currency_beyond_the_table_is_played_as_well(
    currency: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = SHOP
    assert currency not in TABLE
    rate = Decimal(told_in(currency).rate)
    day = (NOON - timedelta(days=1)).date()
    enter_rate(currency=currency, valid_from=day, rate=rate, source="test", now=NOON)
    monkeypatch.setattr(sys.modules[__name__], "ORDERS", ORDERS[::24])
    play = Play(replace(all_examples()["standard"], currencies=(currency,)))

    play.run()

    found = [found_of(story) for story in play.stories]
    assert found == [wanted_of(story.told, currency) for story in play.stories]


@pytest.mark.parametrize("name", sorted(all_formats()))
def test_every_order_and_repetition_ends_in_the_table(name: str, settings: Any) -> None:
    settings.PUBLIC_URL = SHOP
    play = Play(all_formats()[name])

    play.run()

    found = {story.sale.ref: found_of(story) for story in play.stories}
    wanted = {s.sale.ref: wanted_of(s.told, s.sale.money.currency) for s in play.stories}
    assert {ref: found[ref] for ref in found if found[ref] != wanted[ref]} == {}
    assert play.to_enter == []
    assert AmountConflict.objects.count() == 0
    assert Callback.objects.filter(due_at__isnull=False).count() == 0
    assert Transaction.objects.filter(due_at__isnull=False).count() == 0
    assert [finding for finding in verify_books() if not finding.is_clean] == []
