"""How many requests a key may send in a minute, and how often an address may fail to sign in.

The count stands in the database, so it holds over all web processes. A process takes a handful of
requests at a time from it and lets them pass by itself: of a busy key's requests one in some
twenty asks the database, and none passes beyond the limit. What a process took and did not use is
lost with the minute.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from django.db import connection

from members.models import ApiRate

WINDOW: Final = 60
_HANDFULS: Final = 60  # A handful is this part of the limit.
_MOST_REMEMBERED: Final = 10_000
_KEPT_FOR: Final = timedelta(hours=1)

_TAKE: Final = """
INSERT INTO members_apirate AS rate (subject, minute, taken)
VALUES (%(subject)s, %(minute)s, %(n)s)
ON CONFLICT (subject) DO UPDATE SET
    minute = GREATEST(rate.minute, EXCLUDED.minute),
    taken = CASE WHEN rate.minute < EXCLUDED.minute THEN EXCLUDED.taken
                 ELSE LEAST(rate.taken + EXCLUDED.taken, %(limit)s + EXCLUDED.taken) END
RETURNING taken
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request may pass, what is left of the minute's, and when the next ones come."""

    is_allowed: bool
    limit: int
    left: int
    resets_in: int


@dataclass(slots=True)
class _Handful:
    """What this process may still let pass in `minute`, and what nobody has taken yet."""

    minute: datetime
    mine: int
    untaken: int


_memory: dict[str, _Handful] = {}
_lock = Lock()


def take(subject: str, *, limit: int, now: datetime) -> Allowance:
    """Count one request of `subject`; no more than `limit` pass in a minute."""
    minute = now.replace(second=0, microsecond=0)
    resets_in = WINDOW - now.second
    with _lock:
        held = _memory.get(subject)
        if held is not None and held.minute == minute and (held.mine or not held.untaken):
            passes = held.mine > 0
            held.mine -= passes
            return Allowance(passes, limit, held.mine + held.untaken, resets_in)
    wanted = max(limit // _HANDFULS, 1)
    taken = _take(subject, minute, wanted, limit)
    granted = max(wanted - max(taken - limit, 0), 0)
    with _lock:
        if len(_memory) >= _MOST_REMEMBERED:
            _memory.clear()
        again = _memory.get(subject)
        kept = again.mine if again is not None and again.minute == minute else 0
        passes = kept + granted > 0
        mine = kept + granted - passes
        held = _memory[subject] = _Handful(minute, mine, max(limit - taken, 0))
        return Allowance(passes, limit, held.mine + held.untaken, resets_in)


def forget_rates(*, now: datetime) -> int:
    """Delete the counts of subjects that were not heard of for an hour; how many."""
    return ApiRate.objects.filter(minute__lt=now - _KEPT_FOR).delete()[0]


def forget_handfuls() -> None:
    """Drop what this process holds (tests)."""
    _memory.clear()


def _take(subject: str, minute: datetime, wanted: int, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"subject": subject, "minute": minute, "n": wanted, "limit": limit})
        return int(cursor.fetchone()[0])
