"""When points lapse, and which 12 months count."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def lapse_instant(earned_at: datetime, *, months: int, zone: ZoneInfo) -> datetime | None:
    """The end of the month that is `months` after the month of earning; None if never (0).

    Earned 2020-05-05 with 12 months: the first instant of 2021-06-01 in the programme's zone.
    """
    if months == 0:
        return None
    local = earned_at.astimezone(zone)
    count = local.year * 12 + local.month - 1 + months + 1
    return datetime.combine(date(count // 12, count % 12 + 1, 1), time(), zone)


def a_year_before(instant: datetime, *, zone: ZoneInfo) -> datetime:
    """The start of the 12-month window that ends at `instant`; of 29 February, the 28th."""
    local = instant.astimezone(zone)
    try:
        return local.replace(year=local.year - 1)
    except ValueError:
        return local.replace(year=local.year - 1, day=28)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def is_kept(since: datetime | None, *, days: int, now: datetime) -> bool:
    """Whether a tier reached at `since` is still within the days for which it is promised."""
    return since is not None and now < since + timedelta(days=days)
