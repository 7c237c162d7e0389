"""When to try again what failed for a passing reason."""

from datetime import datetime, timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=4)
GIVE_UP_AFTER: Final = timedelta(days=1)


def next_try(*, attempts: int, queued_at: datetime, now: datetime) -> datetime | None:
    """After 1, 4, 16, 64 minutes, then every 4 hours; None once a day has gone by."""
    wait = min(FIRST_WAIT * 4 ** min(attempts - 1, 6), LONGEST_WAIT)
    again = now + wait
    return again if again < queued_at + GIVE_UP_AFTER else None
