"""Paid is paid: whatever else a platform tells of the same payment, before it or after it.

Pending, failed, closed, finished: each state that a platform knows is posted to the callback's
door beside the notice that it was paid, in many orders and every post twice. One payment is
booked, and its points stay. A platform that only hints says these things when we ask it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final

import pytest
from django.test import Client

from config import pipeline
from kit.money import Money
from loyalty.models import Award
from loyalty.services.books import verify_books
from members.models import Member
from payments import views
from payments.models import AmountConflict, Callback, Rejection, Transaction
from payments.providers import all_providers
from payments.providers.base import Answer, Ignored, Inbound, Outgoing
from payments.services import queries
from payments.services.linking import link_transactions
from tests import build
from tests.build import NOON
from tests.payments.providers.example import SHOP, Example, Sale, all_formats

pytestmark = pytest.mark.django_db

PAID: Final = -1  # The place of the notice that it was paid; the others are places in `later`.
PLAYED: Final = sorted(name for name, example in all_formats().items() if example.later)

every_platform = pytest.mark.parametrize("name", PLAYED)


def orders(count: int) -> Iterator[tuple[int, ...]]:
    """Each state before and after the payment; all, with the payment first, amid and last."""
    for place in range(count):
        yield PAID, place
        yield place, PAID
    for others in (tuple(range(count)), tuple(reversed(range(count)))):
        for place in (0, count // 2, count):
            yield *others[:place], PAID, *others[place:]


@dataclass
class Story:
    """One payment of one member, told in one order."""

    example: Example
    sale: Sale
    order: tuple[int, ...]
    member: Member

    def post(self, step: int) -> Inbound | None:
        """What is told at this step; None where the story is over."""
        if step >= len(self.order):
            return None
        place = self.order[step]
        if place != PAID:
            return self.example.later[place](self.sale)
        return (self.example.answer or self.example.payment)(self.sale)


class Platform:
    """Tells all stories at once, step by step; answers when it is asked."""

    def __init__(self, name: str) -> None:
        self.example = all_formats()[name]
        keys = self.example.keys
        build.account(
            self.example.code,
            secrets=keys.secrets,
            settings=dict(keys.settings),
            token=self.example.token,
        )
        self.stories = [self._story(*row) for row in enumerate(orders(len(self.example.later)))]
        self.answers: list[Inbound] = []
        self.now = NOON

    def _story(self, number: int, order: tuple[int, ...]) -> Story:
        member, currency = build.member(), self.example.currencies[0]
        sale = Sale(
            ref=f"late{number:04d}",
            money=Money(Decimal(100), currency),
            at=NOON,
            member_code=member.code,
            order_ref=f"L{number:04d}",
        )
        return Story(self.example, sale, order, member)

    def tell(self) -> None:
        for step in range(max(len(story.order) for story in self.stories)):
            told = [(story, story.post(step)) for story in self.stories]
            self.say([(story, post) for story, post in told if post is not None])

    def say(self, told: list[tuple[Story, Inbound]]) -> None:
        if self.example.answer is not None:
            self.answers = [post for _story, post in told]
            self.now += timedelta(minutes=2)  # A platform is asked again after a minute.
            hints = [replace(story.sale, at=self.now) for story, _post in told]
            told = [
                (row[0], self.example.payment(sale)) for row, sale in zip(told, hints, strict=True)
            ]
        for _story, post in told:
            for _ in range(2):
                assert self.send(post) == 200
        pipeline.run(now=self.now)
        self.link()
        pipeline.run(now=self.now)

    def send(self, post: Inbound) -> int:
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in post.headers.items()
            if name != "host"
        }
        query = post.url.partition("?")[2]
        response = Client().generic(
            post.method,
            f"/callbacks/{self.example.code}/{self.example.token}/?{query}".rstrip("?"),
            post.body,
            content_type=post.headers.get("content-type", "application/json"),
            **headers,  # type: ignore[arg-type]
        )
        return int(response.status_code)

    def link(self) -> None:
        """Staff say whose a payment is, where the platform hands back no member number."""
        waiting = {row.order_ref: row for row in Transaction.objects.filter(member=None)}
        for story in self.stories:
            row = waiting.get(story.sale.order_ref)
            if row is not None:
                link_transactions([row], story.member, now=self.now)

    def fetched(self, outgoing: Outgoing) -> Answer:
        for known in self.answers:
            if outgoing.url.endswith(known.url):
                return Answer(int(known.headers.get("status", "200")), known.body)
        if outgoing.method == "POST":
            return Answer(200, b'{"accessToken": "only-for-tests"}')
        return Answer(200, b'{"returnCode": "1150"}')


@pytest.fixture
def platform(name: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Platform:
    settings.PUBLIC_URL = SHOP
    played = Platform(name)
    currency = played.example.currencies[0]
    build.programme(currency=currency)
    build.earning_rule(rates={currency: ("1", 1)})
    clock = SimpleNamespace(now=lambda: played.now)
    monkeypatch.setattr(views, "timezone", clock)
    monkeypatch.setattr(queries, "_sent", played.fetched)
    monkeypatch.setattr(queries, "_kept_answers", {})
    return played


@every_platform
def test_each_of_these_posts_is_genuine_and_moves_no_money(name: str) -> None:
    example = all_formats()[name]
    provider = all_providers()[example.code]
    sale = Sale("late", Money(Decimal(100), example.currencies[0]), NOON, order_ref="L")

    found = [provider.read(tell(sale), example.keys) for tell in example.later]

    assert [reading for reading in found if not isinstance(reading, Ignored)] == []


@every_platform
def test_one_payment_is_booked_and_its_points_stay(platform: Platform) -> None:
    platform.tell()

    booked = {row.member: row for row in Transaction.objects.select_related("member")}
    assert Transaction.objects.count() == len(platform.stories) == len(booked)
    assert {(row.kind, row.amount) for row in booked.values()} == {("payment", Decimal(100))}
    points = {story.order: build.balance_of(story.member) for story in platform.stories}
    assert {order: n for order, n in points.items() if n != 100} == {}
    assert Award.objects.count() == len(platform.stories)
    assert AmountConflict.objects.count() == 0
    assert not Rejection.objects.exclude(reason="unknown_payment").exists()
    assert Callback.objects.filter(due_at__isnull=False).count() == 0
    assert [finding for finding in verify_books() if not finding.is_clean] == []
