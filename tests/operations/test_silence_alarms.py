"""An account that falls silent against its own rhythm raises an alarm; closed hours raise none."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kit.ids import uuid7
from members.models import Closure, OpeningHours, StaffScope, Store
from payments.models import Account, AccountHour, Alarm, Callback
from payments.services.silence import mark_seen, tell_staff, watch
from tests import build

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
STARTS = datetime(2026, 10, 5, tzinfo=HONG_KONG)  # A Monday.
WARM_UP = timedelta(weeks=4)
TRACE = timedelta(days=30)
TICK = timedelta(hours=2)

Rate = Callable[[datetime], float]
Outage = tuple[datetime, datetime]


def cafe(at: datetime) -> float:
    """Open every day from eight to eight, busiest at lunch."""
    return (80 if 12 <= at.hour < 14 else 30) if 8 <= at.hour < 20 else 0


def market(at: datetime) -> float:
    """Open on Saturdays and Sundays from ten to six."""
    return 25 if at.weekday() >= 5 and 10 <= at.hour < 18 else 0


def shop(at: datetime) -> float:
    """Six days a week from eleven to seven, some five customers a day."""
    return 0.6 if at.weekday() < 6 and 11 <= at.hour < 19 else 0


def day(number: int, hour: int, minute: int = 0) -> datetime:
    """A moment of the trace."""
    return STARTS + WARM_UP + timedelta(days=number, hours=hour, minutes=minute)


OUTAGES: dict[Rate, list[Outage]] = {
    cafe: [(day(3, 12), day(3, 14)), (day(17, 9), day(17, 13))],
    market: [(day(5, 12), day(5, 16)), (day(20, 11), day(20, 15))],
    shop: [(day(1, 12), day(8, 12)), (day(17, 0), day(24, 12))],
}


def posts(rate: Rate, outages: Sequence[Outage], *, seed: int) -> Iterator[datetime]:
    """A Poisson process by minutes, without those that an outage swallowed."""
    dice = random.Random(seed)
    at = STARTS
    while at < STARTS + WARM_UP + TRACE:
        is_out = any(since <= at < until for since, until in outages)
        if not is_out and dice.random() < rate(at) / 60:
            yield at + timedelta(seconds=dice.randrange(60))
        at += timedelta(minutes=1)


def record_posts(account: Account, moments: Sequence[datetime]) -> None:
    Callback.record(
        Callback(
            id=uuid7(),
            account=account,
            delivery_key=f"{n}",
            body_hash=b"0" * 32,
            received_at=at,
            outcome="booked",
        )
        for n, at in enumerate(moments)
    )


def open_store(code: str, weekdays: Sequence[int], opens: time, closes: time) -> Store:
    store = build.store(code)
    for weekday in weekdays:
        OpeningHours.objects.create(store=store, weekday=weekday, opens_at=opens, closes_at=closes)
    return store


@pytest.fixture
def accounts(db: None) -> dict[Rate, Account]:
    build.programme()
    stores = {
        cafe: open_store("CAFE", range(7), time(8), time(20)),
        market: None,  # Nobody entered its hours: they are learnt.
        shop: open_store("SHOP", range(6), time(11), time(19)),
    }
    return {
        rate: Account.objects.create(provider="standard", name=rate.__name__, store=store)
        for rate, store in stores.items()
    }


def _is_out(now: datetime) -> bool:
    """The job looks every five minutes; here that often only where something is to be seen."""
    return any(since <= now < until for since, until in OUTAGES[cafe])


def test_a_month_with_two_outages_raises_two_alarms_and_none_in_closed_hours(
    accounts: dict[Rate, Account],
) -> None:
    for number, (rate, account) in enumerate(accounts.items()):
        record_posts(account, list(posts(rate, OUTAGES[rate], seed=number)))

    now = STARTS + WARM_UP
    while now < STARTS + WARM_UP + TRACE:
        watch(now=now)
        now += timedelta(minutes=15) if _is_out(now) else TICK

    for rate, account in accounts.items():
        alarms = list(Alarm.objects.filter(account=account).order_by("opened_at"))
        assert len(alarms) == 2, rate.__name__
        for alarm, (since, until) in zip(alarms, OUTAGES[rate], strict=True):
            assert since < alarm.opened_at < until
            assert rate(alarm.opened_at.astimezone(HONG_KONG)) > 0
            assert alarm.closed_at is not None
            assert alarm.closed_at >= until
    first = Alarm.objects.filter(account=accounts[cafe]).earliest("opened_at")
    assert first.opened_at - first.silent_since <= timedelta(minutes=60)


def steady(account: Account, *, until: datetime, weeks: int = 4) -> None:
    """One post every two minutes, from nine to five, each day until `until`."""
    first = until - timedelta(weeks=weeks)
    minutes = int((until - first).total_seconds() // 120)
    moments = (first + timedelta(minutes=2 * n) for n in range(minutes + 1))
    record_posts(account, [at for at in moments if 9 <= at.hour < 17])


def test_closed_days_are_no_silence(accounts: dict[Rate, Account]) -> None:
    account = accounts[cafe]
    assert account.store is not None
    steady(account, until=day(0, 17))
    closure = Closure.objects.create(
        store=account.store, starts_on=day(1, 0).date(), ends_on=day(1, 0).date()
    )

    closed = watch(now=day(1, 15))
    closure.delete()
    open_after_all = watch(now=day(1, 15))

    assert closed == []
    assert [alarm.account for alarm in open_after_all] == [account]


def test_hours_past_midnight_belong_to_the_day_before(db: None) -> None:
    build.programme()
    store = open_store("BAR", [5], time(20), time(2))
    account = Account.objects.create(provider="standard", name="Bar", store=store)
    saturday = day(5, 0)
    nights = [saturday - timedelta(weeks=week) for week in range(1, 6)]
    moments = [
        night + timedelta(hours=20, minutes=n) for night in nights for n in range(0, 360, 2)
    ]
    record_posts(account, sorted(moments))

    by_day = watch(now=saturday + timedelta(hours=19))
    by_night = watch(now=saturday + timedelta(hours=25))  # One o'clock on Sunday.

    assert by_day == []
    assert [alarm.account for alarm in by_night] == [account]


def test_an_alarm_is_raised_once_and_closed_by_the_next_post(
    accounts: dict[Rate, Account],
) -> None:
    account = accounts[cafe]
    steady(account, until=day(1, 12))

    raised = watch(now=day(1, 13))
    again = watch(now=day(1, 13, 5))
    record_posts(accounts[shop], [])
    Callback.record([
        Callback(
            id=uuid7(), account=account, delivery_key="back", body_hash=b"0" * 32,
            received_at=day(1, 13, 20),
        )
    ])  # fmt: skip
    later = watch(now=day(1, 13, 25))

    assert (len(raised), again, later) == (1, [], [])
    alarm = Alarm.objects.get()
    assert alarm.silent_since == day(1, 12)
    assert alarm.closed_at == day(1, 13, 20)
    assert 25 <= alarm.expected <= 35


def test_an_account_without_a_history_raises_nothing(accounts: dict[Rate, Account]) -> None:
    steady(accounts[cafe], until=day(1, 12), weeks=1)

    assert watch(now=day(2, 12)) == []


def test_an_account_that_is_switched_off_raises_nothing_and_closes_its_alarm(
    accounts: dict[Rate, Account],
) -> None:
    account = accounts[cafe]
    steady(account, until=day(1, 12))
    watch(now=day(1, 13))

    Account.objects.filter(pk=account.pk).update(is_enabled=False)
    watch(now=day(1, 14))
    watch(now=day(1, 15))

    assert [alarm.closed_at for alarm in Alarm.objects.all()] == [day(1, 14)]


def test_posts_are_counted_once_however_often_they_are_counted(
    accounts: dict[Rate, Account],
) -> None:
    steady(accounts[cafe], until=day(1, 12))

    watch(now=day(1, 12))
    watch(now=day(1, 12, 1))
    with CaptureQueriesContext(connection) as queries:
        watch(now=day(1, 12, 2))

    hour = AccountHour.objects.get(hour=day(1, 11))
    assert (hour.posts, hour.last_at) == (30, day(1, 11, 58))
    assert AccountHour.objects.filter(posts__gt=30).count() == 0
    assert len(queries) <= 12


def listener(name: str, *, scope: Any = None) -> User:
    group = Group.objects.get_or_create(name="Watch")[0]
    group.permissions.add(Permission.objects.get(codename="hear_alarm"))
    user = User.objects.create_user(name, email=f"{name}@example.com", is_staff=True)
    user.groups.add(group)
    if scope is not None:
        StaffScope.objects.create(user=user).stores.add(scope)
    return user


def test_staff_with_the_right_are_told_once_and_only_of_their_stores(
    accounts: dict[Rate, Account],
) -> None:
    account = accounts[cafe]
    listener("near", scope=account.store)
    listener("far", scope=accounts[shop].store)
    User.objects.create_superuser("boss", email="boss@example.com")
    steady(account, until=day(1, 12))
    watch(now=day(1, 13))

    told = [tell_staff(now=day(1, 13)), tell_staff(now=day(1, 13, 5))]

    assert told == [1, 0]
    (letter,) = mail.outbox
    assert letter.bcc == ["near@example.com"]
    assert letter.to == []


def test_without_the_right_nobody_is_told(accounts: dict[Rate, Account]) -> None:
    steady(accounts[cafe], until=day(1, 12))
    watch(now=day(1, 13))

    assert tell_staff(now=day(1, 13)) == 0
    assert mail.outbox == []
    assert Alarm.objects.get().mailed_at is None


def test_an_alarm_is_marked_as_seen_once(accounts: dict[Rate, Account]) -> None:
    first, second = (User.objects.create_user(name) for name in ("first", "second"))
    steady(accounts[cafe], until=day(1, 12))
    watch(now=day(1, 13))

    seen = [mark_seen(Alarm.objects.all(), user=user, now=day(1, 14)) for user in (first, second)]

    assert seen == [1, 0]
    assert Alarm.objects.get().seen_by == first
