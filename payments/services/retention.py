"""How long the content of posts is kept: months, as the programme's settings say.

What was booked stays for good. What platforms sent holds personal data, so it goes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from members.models import Programme
from payments.models import (
    AccountHour,
    Callback,
    CallbackBody,
    Conflict,
    Rejection,
    RejectionCount,
)

_MOST_TABLES: Final = 240


@dataclass(frozen=True, slots=True)
class Pruned:
    tables: list[str]
    conflicts: int
    refusals: int


def kept_since(*, now: datetime, months: int | None = None) -> datetime:
    """Content of before is deleted: the first moment of the oldest month that is kept."""
    kept = Programme.current().bodies_kept_months if months is None else months
    day = now.astimezone(UTC)
    number = day.year * 12 + day.month - 1 - kept
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def prune(*, now: datetime) -> Pruned:
    """Delete what is older, a table at a time: each drop holds its lock for a moment only."""
    since = kept_since(now=now)
    tables = _drop_tables(since)
    conflicts = Conflict.objects.filter(received_at__lt=since, sealed__isnull=False)
    pruned = conflicts.update(sealed=None, pruned_at=now)
    refusals, _by_model = Rejection.objects.filter(received_at__lt=since).delete()
    RejectionCount.objects.filter(minute__lt=since).delete()
    AccountHour.objects.filter(hour__lt=since).delete()
    return Pruned(tables=tables, conflicts=pruned, refusals=refusals)


def with_body(callbacks: QuerySet[Callback]) -> QuerySet[Callback]:
    """Those whose content is still there, so that they can be read again."""
    body = CallbackBody.objects.filter(
        callback_id=OuterRef("pk"), received_at=OuterRef("received_at")
    )
    return callbacks.filter(Exists(body))


def _drop_tables(since: datetime) -> list[str]:
    dropped: list[str] = []
    with connection.cursor() as cursor:
        for _ in range(_MOST_TABLES):
            cursor.execute("SELECT payments_drop_callback_bodies(%s)", [since.date()])
            (name,) = cursor.fetchone()
            if name is None:
                break
            dropped.append(name)
    return dropped
