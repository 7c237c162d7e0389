"""The year itself: `now` walks through it, and everything takes the road of a real day."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from campaigns.services.silence import find_silent_members
from config import pipeline
from config.demo.campaigns import start_campaigns
from config.demo.joining import enrol_people
from config.demo.merchant import ZONE
from config.demo.past import Counter
from config.demo.people import Person
from config.demo.posts import Channels, notice_of
from config.demo.shopping import TILL, Deal, Linking
from loyalty.services.expire import expire_lots
from loyalty.services.tiers import review_tiers
from members.identity_kinds import WALLET
from members.models import Member, Region, Store
from payments.models import Transaction
from payments.services.accounts import known_account
from payments.services.booking import Entry, book
from payments.services.linking import link_identity
from payments.services.receive import receive

Say = Callable[[str], None]
Thing = TypeVar("Thing")

# Tills post signed callbacks for the last weeks; what is older comes out of their books.
_POSTING_DAYS: Final = 30
# The campaigns run for the last days only: nobody is written to about the past.
LIVE_DAYS: Final = 3
# Long ago a week goes at once: less to do, and nobody sees the difference.
_DRAINED_DAILY: Final = 45
_EVENINGS: Final = 7
_HOURS_OF_A_LIVE_DAY: Final = (10, 12, 14, 16, 18, 20, 23)
# On the last day each sale earns at once, for account health tells how long points took.
_AT_ONCE_FOR: Final = timedelta(hours=26)
_LIMIT: Final = 2000
_SECOND: Final = timedelta(seconds=1)


@dataclass(slots=True)
class Year:
    """Plans on the left, what has happened so far on the right."""

    people: Sequence[Person]
    deals: Sequence[Deal]
    linkings: Sequence[Linking]
    channels: Channels
    counter: Counter
    first: date
    now: datetime
    rng: Random
    counted_from: datetime = field(init=False)
    joined: int = 0
    dealt: int = 0
    linked: int = 0
    regions: dict[str, Region] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    def live_through(self, say: Say) -> None:
        self.regions = {region.code: region for region in Region.objects.all()}
        self.stores = {store.code: store for store in Store.objects.all()}
        _make_room_for_bodies(self.first, self.now)
        self.counted_from = _clock(self.first, 0)
        before = self.first
        for moment in self._moments():
            today = moment.astimezone(ZoneInfo(ZONE)).date()
            if today != before:
                self._open_the_day(today)
            if (today.year, today.month) != (before.year, before.month):
                self._open_the_month(today)
                say(f"{today:%Y-%m}: {self.joined} members, {self.dealt} sales and refunds so far")
            before = today
            self._go_on(moment)

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(ZONE)).date()

    @property
    def live_from(self) -> datetime:
        return _clock(self.today - timedelta(days=LIVE_DAYS), 9)

    def _moments(self) -> Iterator[datetime]:
        """When the road is drained: one evening a week at first, then every evening, and every
        two hours while campaigns run."""
        day = self.first
        while day <= self.today:
            is_live = _clock(day, 9) >= self.live_from
            age = (self.today - day).days
            if age <= _DRAINED_DAILY or age % _EVENINGS == 0:
                for hour in _HOURS_OF_A_LIVE_DAY if is_live else (23,):
                    if _clock(day, hour) < self.now:
                        yield _clock(day, hour)
            day += timedelta(days=1)
        yield self.now

    def _open_the_day(self, today: date) -> None:
        """What the nightly jobs do, at their times."""
        expire_lots(now=self._at(today, 0))
        age = (self.today - today).days
        if age <= _DRAINED_DAILY and age % 7 == 0:
            review_tiers(now=self._at(today, 3))
        if _clock(today, 9) == self.live_from:
            _run("react", now=self.live_from)
            start_campaigns(now=self.live_from)

    def _open_the_month(self, today: date) -> None:
        """While no campaign runs, nobody waits for what events lead to: a month goes at once."""
        review_tiers(now=self._at(today, 3))
        now = self._at(today, 9)
        _run("react", now=now)
        self.counter.begin_month(since=self.counted_from, now=now)
        self.counted_from = now

    def _at(self, day: date, hour: int) -> datetime:
        return min(_clock(day, hour), self.now)

    def _go_on(self, moment: datetime) -> None:
        self._join(moment)
        self._deal(moment)
        self._link(moment)
        self.counter.redeem_until(moment)
        if moment >= self.live_from:
            find_silent_members(now=moment)
            pipeline.run(now=moment)
        else:
            _run("translate", "settle", now=moment)

    def _join(self, moment: datetime) -> None:
        coming = _until(self.people, self.joined, moment, lambda person: person.joined_at)
        if coming:
            enrol_people(coming, regions=self.regions, stores=self.stores)
            self.joined += len(coming)

    def _deal(self, moment: datetime) -> None:
        coming = _until(self.deals, self.dealt, moment - 10 * _SECOND, lambda deal: deal.at)
        posting_from = self.now - timedelta(days=_POSTING_DAYS)
        books = [deal for deal in coming if deal.channel == TILL and deal.at < posting_from]
        if books:
            with transaction.atomic():
                book([self._entry(deal) for deal in books])
        noted = set(map(id, books))
        for deal in coming:
            if id(deal) not in noted:
                self._post(deal)
                if deal.at >= self.now - _AT_ONCE_FOR:
                    _run("translate", "settle", now=deal.at + 7 * _SECOND)
        self.dealt += len(coming)

    def _entry(self, deal: Deal) -> Entry:
        return Entry(
            notice=notice_of(deal),
            account_id=self.channels.accounts[TILL].pk,
            source=Transaction.Source.API,
            received_at=deal.at + 2 * _SECOND,
            may_message=False,
        )

    def _post(self, deal: Deal) -> None:
        """Signed, verified and stored as at the door; one post in fifty comes twice."""
        account = known_account(deal.channel, self.channels.accounts[deal.channel].token)
        assert account is not None
        post = self.channels.post_of(deal)
        for _ in range(2 if self.rng.random() < 0.02 else 1):
            receive(account, post, now=deal.at + self.rng.randint(1, 5) * _SECOND)

    def _link(self, moment: datetime) -> None:
        for linking in _until(self.linkings, self.linked, moment, lambda linking: linking.at):
            member = Member.objects.select_related("region").get(pk=linking.person.id)
            wallet = linking.person.late_wallet
            link_identity(member, kind=WALLET, value=wallet, now=linking.at)
            self.linked += 1


def _run(*names: str, now: datetime) -> None:
    stages = tuple(stage for stage in pipeline.STAGES if stage.name in names)
    pipeline.run(now=now, limit=_LIMIT, stages=stages)


def _until(
    things: Sequence[Thing], start: int, until: datetime, at: Callable[[Thing], datetime]
) -> Sequence[Thing]:
    """Those from place `start` on that happen by `until`; `things` are in order of time."""
    end = start
    while end < len(things) and at(things[end]) <= until:
        end += 1
    return things[start:end]


def _clock(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo(ZONE))


def _make_room_for_bodies(first: date, now: datetime) -> None:
    """A partition for each month that posts are received in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_callback_body_partition(month::date)"
            " FROM generate_series(date_trunc('month', %s::timestamp), %s, '1 month') AS month",
            [first, now.date()],
        )
