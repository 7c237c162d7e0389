"""Exchange rates: entered once, pinned to each transaction, and never changed afterwards."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Right
from django.utils.translation import gettext as _

from kit.work import hold_keys, release
from payments.models import Rate, Transaction

_ISO_DATE: Final = 10
_AHEAD: Final = timedelta(days=366)


class RateTaken(ValueError):
    """The currency has a rate from that day on already; payments may be pinned to it."""


def is_far_ahead(day: date, *, now: datetime) -> bool:
    """Nobody knows a rate of that day: the year is mistyped, and a rate cannot be changed."""
    return day > (now + _AHEAD).date()


def enter_rate(
    *, currency: str, valid_from: date, rate: Decimal, source: str, now: datetime
) -> tuple[Rate, int]:
    """A new rate, and how many transactions that had waited for it go on; raises RateTaken."""
    with transaction.atomic():
        hold_keys([f"rate:{currency}"])
        try:
            with transaction.atomic():
                entered = Rate.objects.create(
                    currency=currency,
                    valid_from=valid_from,
                    rate=rate,
                    source=source,
                    entered_at=now,
                )
        except IntegrityError as problem:
            raise RateTaken(
                _("%(currency)s has a rate from %(day)s on already. Enter one for another day.")
                % {"currency": currency, "day": valid_from}
            ) from problem
        return entered, resume_waiting(currency, since=valid_from)


def resume_waiting(currency: str, *, since: date) -> int:
    waiting = Transaction.objects.filter(waiting_for__startswith=f"rate:{currency}:").annotate(
        day=Right("waiting_for", _ISO_DATE)
    )
    return release(waiting.filter(day__gte=since.isoformat()))


def waiting_key(currency: str, on: date) -> str:
    return f"rate:{currency}:{on.isoformat()}"


def rates_on(wanted: Iterable[tuple[str, date]]) -> dict[tuple[str, date], Rate]:
    """For each (currency, day) the newest rate that was valid on it, in one query."""
    pairs = sorted(set(wanted))
    if not pairs:
        return {}
    rows = Rate.objects.raw(
        """
        SELECT rate.*, wanted.day AS wanted_day
        FROM unnest(%s::text[], %s::date[]) AS wanted (currency, day)
        CROSS JOIN LATERAL (
            SELECT * FROM payments_rate
            WHERE currency = wanted.currency AND valid_from <= wanted.day
            ORDER BY valid_from DESC LIMIT 1
        ) AS rate
        """,
        [[currency for currency, _ in pairs], [day for _, day in pairs]],
    )
    return {(row.currency, getattr(row, "wanted_day")): row for row in rows}  # noqa: B009
