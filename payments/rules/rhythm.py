"""An account's rhythm: how many posts an hour of its week brings, and when silence is news.

Posts of independent customers come as a Poisson process whose rate goes with the hour of the week.
Of an empty stretch over which L posts were expected the odds are exp(-L). An account with N posts
a year has about N such stretches in it, so the bar at which less than one in a hundred years of
alarms is false lies at L = ln(100 N). People do not come so independently, so an account that was
quieter than that in its own past, without an alarm, has a higher bar.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

HOURS_OF_WEEK: Final = 168
WEEKS_LOOKED_AT: Final = 8
# Below so many weeks there is no rhythm to speak of.
_WEEKS_NEEDED: Final = 2
_POSTS_NEEDED: Final = 20
_FALSE_IN: Final = 100  # Years.
_WEEKS_OF_YEAR: Final = 52
# Longer than the account's own worst silence by so much.
_MARGIN: Final = 1.5
# Not even the busiest account is called silent before this: a deployment takes as long.
_SHORTEST: Final = timedelta(minutes=20)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    starts_at: datetime
    ends_at: datetime

    def has(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


@dataclass(frozen=True, slots=True)
class Opening:
    """The hours of one weekday; `closes` not after `opens` means on the next day."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a store is open. Without any hours it may be open at any time: then only its rhythm
    says when nothing is to be expected."""

    zone: ZoneInfo
    openings: tuple[Opening, ...] = ()
    closed: tuple[tuple[date, date], ...] = ()

    def is_open(self, instant: datetime) -> bool:
        return self.is_open_by_clock(instant.astimezone(self.zone))

    def is_open_by_clock(self, local: datetime) -> bool:
        if not self.openings:
            return not self._is_closed(local.date())
        today, yesterday = local.date(), local.date() - _DAY
        clock = local.time()
        return any(
            (
                opening.weekday == today.weekday()
                and not self._is_closed(today)
                and opening.opens <= clock
                and (clock < opening.closes or opening.closes <= opening.opens)
            )
            or (
                opening.weekday == yesterday.weekday()
                and not self._is_closed(yesterday)
                and opening.closes <= opening.opens
                and clock < opening.closes
            )
            for opening in self.openings
        )

    def _is_closed(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.closed)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Posts to be expected in each open hour of the week, and the bar for calling it silence."""

    rates: tuple[float, ...]
    bar: float
    calendar: Calendar

    def expected(self, since: datetime, until: datetime) -> float:
        """How many posts were to be expected between the two."""
        total, at = 0.0, since
        while at < until:
            end = min(_next_step(at), until)
            if self.calendar.is_open(at):
                rate = self.rates[_hour_of_week(at, self.calendar.zone)]
                total += rate * ((end - at) / _HOUR)
            at = end
        return total

    def silence(self, last_at: datetime, now: datetime) -> float | None:
        """The posts expected since `last_at`, if they are too many to be missing by chance."""
        expected = self.expected(last_at, now)
        return expected if expected >= self.bar and self._is_usual(now) else None

    def _is_usual(self, now: datetime) -> bool:
        """Whether posts are usual at this time; then somebody is there to look."""
        return self.expected(now - _SHORTEST, now) > 0


def may_be_silent(
    posts: Mapping[datetime, int], *, calendar: Calendar, last_at: datetime, now: datetime
) -> bool:
    """Open now and for long enough (who opens late is not silent), nothing came meanwhile, and
    in some week before something did: a quick look that spares learning the whole rhythm."""
    before = now - _SHORTEST
    if last_at > before or not (calendar.is_open(now) and calendar.is_open(before)):
        return False
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    # An hour to either side: clocks may have changed since.
    nearby = (hour - _HOUR, hour, hour + _HOUR)
    weeks = range(1, WEEKS_LOOKED_AT + 1)
    return any(at - timedelta(weeks=week) in posts for at in nearby for week in weeks)


def learn(
    posts: Mapping[datetime, int],
    *,
    calendar: Calendar,
    until: datetime,
    outages: Sequence[Span] = (),
) -> Rhythm | None:
    """The rhythm of the weeks before `until`, from posts by hour (UTC); None if they are too few.

    Hours of known outages tell nothing and are left out.
    """
    first = max(min(posts, default=until), until - timedelta(weeks=WEEKS_LOOKED_AT))
    first = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    last = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if last - first < timedelta(weeks=_WEEKS_NEEDED):
        return None
    told = list(_told(posts, calendar, outages, (first, last)))
    total = sum(found for _place, found in told)
    if total < _POSTS_NEEDED:
        return None
    rates = _rates(told)
    weeks = (last - first) / timedelta(weeks=1)
    bar = math.log(_FALSE_IN * _WEEKS_OF_YEAR * total / weeks)
    bar = max(bar, _worst_silence(told, rates) * _MARGIN)
    return Rhythm(rates=rates, bar=bar, calendar=calendar)


# The hour of the week and the posts in it, for each hour that tells something.
Told = Sequence[tuple[int, int]]


def _told(
    posts: Mapping[datetime, int],
    calendar: Calendar,
    outages: Sequence[Span],
    period: tuple[datetime, datetime],
) -> Iterator[tuple[int, int]]:
    first, last = period
    for number in range((last - first) // _HOUR):
        hour = first + number * _HOUR
        local = (hour + _HOUR / 2).astimezone(calendar.zone)
        if calendar.is_open_by_clock(local) and not any(span.has(hour) for span in outages):
            yield local.weekday() * 24 + local.hour, posts.get(hour, 0)


def _rates(told: Told) -> tuple[float, ...]:
    sums, counts = [0] * HOURS_OF_WEEK, [0] * HOURS_OF_WEEK
    for place, found in told:
        sums[place] += found
        counts[place] += 1
    return tuple(
        found / count if count else 0.0 for found, count in zip(sums, counts, strict=True)
    )


def _worst_silence(told: Told, rates: Sequence[float]) -> float:
    """The most posts that were to be expected over whole hours that stayed empty."""
    worst = current = 0.0
    for place, found in told:
        current = 0.0 if found else current + rates[place]
        worst = max(worst, current)
    return worst


def _hour_of_week(instant: datetime, zone: ZoneInfo) -> int:
    local = instant.astimezone(zone)
    return local.weekday() * 24 + local.hour


def _next_step(instant: datetime) -> datetime:
    """The next quarter of an hour: shops open on those, and zones differ by them."""
    start = instant.replace(minute=0, second=0, microsecond=0)
    quarters = (instant - start) // timedelta(minutes=15) + 1
    return start + quarters * timedelta(minutes=15)
