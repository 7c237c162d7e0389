"""Exchange rates: entered once, pinned to each transaction, and never changed afterwards."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Right
from django.utils.translation import gettext as _

from kit.work import hold_keys, release
from members.models import Programme
from payments.models import Rate, Transaction

_ISO_DATE: Final = 10
_AHEAD: Final = timedelta(days=366)


class RateTaken(ValueError):
    """The currency has a rate from that day on already; payments may be pinned to it."""


def is_far_ahead(day: date, *, now: datetime) -> bool:
    """Nobody knows a rate of that day: the year is mistyped, and a rate cannot be changed."""
    return day > (now + _AHEAD).date()


def enter_rate(
    *,
    currency: str,
    valid_from: date,
    rate: Decimal,
    source: str,
    now: datetime,
    into: str | None = None,
) -> tuple[Rate, int]:
    """A new rate, and how many transactions that had waited for it go on; raises RateTaken.

    into: what one unit is told in; by default the programme's currency
    """
    with transaction.atomic():
        hold_keys([f"rate:{currency}"])
        try:
            with transaction.atomic():
                entered = Rate.objects.create(
                    currency=currency,
                    quote_currency=into or Programme.current().currency,
                    valid_from=valid_from,
                    rate=rate,
                    source=source,
                    entered_at=now,
                )
        except IntegrityError as problem:
            raise RateTaken(taken_in_words(currency, valid_from)) from problem
        return entered, resume_waiting(currency, since=valid_from)


def taken_in_words(currency: str, valid_from: date) -> str:
    words = _("%(currency)s has a rate from %(day)s on already. Enter one for another day.")
    return words % {"currency": currency, "day": valid_from}


def standing_rates(days: Iterable[date]) -> QuerySet[Rate]:
    """Rates from one of `days` on in the programme's currency: no other can take their place."""
    own = Programme.current().currency
    return Rate.objects.filter(quote_currency=own, valid_from__in=list(days))


def resume_waiting(currency: str, *, since: date) -> int:
    waiting = Transaction.objects.filter(waiting_for__startswith=f"rate:{currency}:").annotate(
        day=Right("waiting_for", _ISO_DATE)
    )
    return release(waiting.filter(day__gte=since.isoformat()))


def resume_rated() -> int:
    """What waits for a rate though it needs none any more, or has one: since it was set aside the
    programme changed its currency."""
    waiting = Transaction.objects.filter(waiting_for__startswith="rate:")
    wanted = {
        key: (key.split(":")[1], date.fromisoformat(key[-_ISO_DATE:]))
        for key in waiting.values_list("waiting_for", flat=True).distinct()
    }
    known, own = rates_on(wanted.values()), Programme.current().currency
    ready = [key for key, pair in wanted.items() if pair in known or pair[0] == own]
    return release(waiting.filter(waiting_for__in=ready))


def waiting_key(currency: str, on: date) -> str:
    return f"rate:{currency}:{on.isoformat()}"


def rates_on(wanted: Iterable[tuple[str, date]]) -> dict[tuple[str, date], Rate]:
    """For each (currency, day) the newest rate into the programme's currency that was valid on
    it, in one query."""
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
                AND quote_currency = (SELECT currency FROM members_programme)
            ORDER BY valid_from DESC LIMIT 1
        ) AS rate
        """,
        [[currency for currency, _ in pairs], [day for _, day in pairs]],
    )
    return {(row.currency, getattr(row, "wanted_day")): row for row in rows}  # noqa: B009
