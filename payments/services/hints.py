"""Hints: whoever knows an account's URL may send one, so they are bounded and prove nothing.

A hint is one row for each payment, however often it comes. Of an account, no more than MOST_OPEN
payments wait for an answer at once, and no more than MOST_A_MINUTE new ones are taken in a minute:
what goes beyond is refused and counted like a forged post. A payment that the platform does not
know is dropped again (`queries.py`), so the table holds what is open and what was real.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Q

from payments.models import Query
from payments.providers.base import Hint, Reason, Rejected
from payments.services.accounts import KnownAccount

MOST_OPEN: Final = 2000
MOST_A_MINUTE: Final = 300
_MINUTE: Final = timedelta(minutes=1)

# A payment is asked about again at the earliest a minute after the last time.
_NOTE: Final = """
INSERT INTO payments_query AS query
    (account_id, reference, order_ref, hints, is_wanted, first_at, outcome,
     due_at, attempts, waiting_for, error)
VALUES (%(account)s, %(reference)s, %(order)s, %(hints)s, %(wanted)s, %(now)s, '',
        %(now)s, 0, '', '')
ON CONFLICT (account_id, reference) DO UPDATE SET
    hints = query.hints + excluded.hints,
    is_wanted = query.is_wanted OR excluded.is_wanted,
    order_ref = CASE WHEN query.order_ref = '' THEN excluded.order_ref ELSE query.order_ref END,
    attempts = CASE WHEN query.due_at IS NULL OR query.waiting_for <> '' OR excluded.is_wanted
        THEN 0 ELSE query.attempts END,
    waiting_for = '',
    due_at = least(
        CASE WHEN query.waiting_for = '' THEN query.due_at END,
        greatest(%(now)s, query.asked_at + %(pause)s))
"""


def take_hint(account: KnownAccount, hint: Hint, *, now: datetime) -> Rejected | None:
    """Note that the platform is to be asked; returns why not, if it is not."""
    if _is_flooded(account.id, hint.reference, now=now):
        return Rejected(Reason.TOO_MANY, hint.reference)
    _note(account.id, hint, now=now, hints=1)
    return None


def ask_about(account_id: int, reference: str, *, now: datetime) -> None:
    """Staff want to know what became of a payment, at once."""
    _note(account_id, Hint(reference), now=now, is_wanted=True)


def ask_once_more(query: Query, *, now: datetime) -> None:
    """A hint came while the platform was asked: it may tell of what came after the answer."""
    _note(query.account_id, Hint(query.reference), now=now)


def _is_flooded(account_id: int, reference: str, *, now: datetime) -> bool:
    rows = Query.objects.filter(account_id=account_id)
    if rows.filter(reference=reference).exists():
        return False
    counts = rows.filter(Q(due_at__isnull=False) | Q(first_at__gt=now - _MINUTE)).aggregate(
        open=Count("pk", filter=Q(due_at__isnull=False)),
        new=Count("pk", filter=Q(first_at__gt=now - _MINUTE)),
    )
    return bool(counts["open"] >= MOST_OPEN or counts["new"] >= MOST_A_MINUTE)


def _note(
    account_id: int, hint: Hint, *, now: datetime, hints: int = 0, is_wanted: bool = False
) -> None:
    values: dict[str, Any] = {
        "account": account_id,
        "reference": hint.reference,
        "order": hint.order_ref,
        "hints": hints,
        "wanted": is_wanted,
        "now": now,
        "pause": timedelta(0) if is_wanted else _MINUTE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, values)
