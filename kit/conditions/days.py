"""Calendar questions as ranges, so that memory and database compare the very same bounds."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from kit.conditions.fields import Operator
from kit.conditions.values import Value

_DAY: Final = dt.timedelta(days=1)
_FIRST_MONTH_DAY: Final = 101
_LAST_MONTH_DAY: Final = 1231


@dataclass(slots=True)  # Not frozen: one is made for every payment and rule.
class Clock:
    """The moment of judging, and the zone whose days count."""

    now: dt.datetime
    zone: dt.tzinfo

    @property
    def today(self) -> dt.date:
        return self.day_of(self.now)

    def day_of(self, instant: dt.datetime) -> dt.date:
        return instant.astimezone(self.zone).date()

    def start_of(self, day: dt.date) -> dt.datetime:
        """The first instant of `day`, also where clocks jump at midnight."""
        return dt.datetime.combine(day, dt.time.min, self.zone).astimezone(dt.UTC)


def day_range(
    operator: Operator, value: Value, today: dt.date
) -> tuple[dt.date | None, dt.date | None]:
    """The days `[start, end)` that an operator means; None is an open end.

    "In the last 7 days" is today and the seven days before it; "more than 7 days ago" is all
    before those, so the two never overlap and miss no day of the past.
    """
    if isinstance(value, int):
        return _relative_range(operator, dt.timedelta(days=value), today)
    first, last = value if isinstance(value, tuple) else (value, value)
    match operator:
        case Operator.EQUAL | Operator.BETWEEN:
            return first, last + _DAY
        case Operator.LESS:
            return None, first
        case Operator.AT_MOST:
            return None, last + _DAY
        case Operator.MORE:
            return last + _DAY, None
        case Operator.AT_LEAST:
            return first, None
    raise AssertionError(operator)


def _relative_range(
    operator: Operator, span: dt.timedelta, today: dt.date
) -> tuple[dt.date | None, dt.date | None]:
    match operator:
        case Operator.IN_LAST:
            return today - span, today + _DAY
        case Operator.BEFORE_LAST:
            return None, today - span
        case Operator.IN_NEXT:
            return today, today + span + _DAY
    raise AssertionError(operator)


def month_day(day: dt.date) -> int:
    """A day without its year, in calendar order: 14 February is 214."""
    return day.month * 100 + day.day


def month_day_ranges(
    operator: Operator, value: Value, today: dt.date
) -> tuple[tuple[int, int], ...]:
    """The anniversaries that an operator means, as closed ranges of `month_day`.

    Who was born on 29 February celebrates on the 28th in a common year.
    """
    match operator:
        case Operator.TODAY:
            return _days_ahead(today, 0)
        case Operator.IN_NEXT:
            return _days_ahead(today, value)
        case Operator.THIS_MONTH:
            return (_month(today.month),)
        case Operator.IN_MONTH:
            return tuple(_month(month) for month in value)
    raise AssertionError(operator)


def _month(month: int) -> tuple[int, int]:
    return month * 100 + 1, month * 100 + 31


def _days_ahead(today: dt.date, days: int) -> tuple[tuple[int, int], ...]:
    if days >= 365:
        return ((_FIRST_MONTH_DAY, _LAST_MONTH_DAY),)
    end = today + dt.timedelta(days=days)
    low, high = month_day(today), month_day(end)
    if high == 228 and (end + _DAY).month == 3:
        high = 229
    if end.year == today.year:
        return ((low, high),)
    return (low, _LAST_MONTH_DAY), (_FIRST_MONTH_DAY, high)
