"""The figures of the dashboard: sets, not loops; a fixed number of queries; numbers, not words."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, IntegerField, Min, Q, QuerySet, Sum, When
from django.db.models.functions import TruncDate

from kit.money import Money
from kit.work import IS_DUE
from loyalty.models import PointAccount, Transfer, system_account
from payments.models import Transaction
from payments.services.rates import rates_on
from payments.services.unmatched import count_of, waiting_payments

DAYS: Final = 30
_SYSTEM_KINDS: Final = set(PointAccount.Kind) - {PointAccount.Kind.MEMBER}
_ONLY_MOVE: Final = (Transfer.Kind.MERGE, Transfer.Kind.UNMERGE)


@dataclass(frozen=True, slots=True)
class Window:
    """The last days up to now, as days in the programme's zone."""

    now: datetime
    zone: ZoneInfo
    days: tuple[date, ...]

    @classmethod
    def until(cls, now: datetime, zone: str, *, days: int = DAYS) -> "Window":
        place = ZoneInfo(zone)
        today = now.astimezone(place).date()
        return cls(now, place, tuple(today - timedelta(days=days - 1 - n) for n in range(days)))

    @property
    def before(self) -> "Window":
        """As many days just before these, up to the same time of day."""
        length = timedelta(days=len(self.days))
        return Window(self.now - length, self.zone, tuple(day - length for day in self.days))

    def of(self, instant: str) -> Q:
        """The rows whose `instant` lies in it."""
        return Q(**{f"{instant}__gte": self.starts_at, f"{instant}__lte": self.now})

    @property
    def starts_at(self) -> datetime:
        first = self.days[0]
        return datetime(first.year, first.month, first.day, tzinfo=self.zone)


@dataclass(frozen=True, slots=True)
class Road:
    """What came in during the last 24 hours, and what is on its way."""

    received: int
    due: int
    stuck: int
    unmatched: int
    refused: int
    lag: timedelta


@dataclass(frozen=True, slots=True)
class Sales:
    """Payments by day in the reporting currency, and by currency as they came in."""

    currency: str
    by_day: list[Decimal]
    by_currency: list[tuple[Money, int]]
    unrated: list[str] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum(self.by_day, Decimal(0))

    @property
    def payments(self) -> int:
        return sum(count for _money, count in self.by_currency)


def road_figures(
    callbacks: QuerySet[Any],
    refusals: QuerySet[Any],
    transactions: QuerySet[Any],
    *,
    stuck: int,
    now: datetime,
) -> Road:
    """`stuck`: as many as the page of that name lists, which knows every kind of work."""
    since = now - timedelta(hours=24)
    due = [_due(rows, now) for rows in (callbacks, transactions)]
    return Road(
        received=callbacks.filter(received_at__gte=since).count(),
        due=sum(found["rows"] for found in due),
        stuck=stuck,
        unmatched=count_of(transactions.filter(waiting_payments())),
        refused=refusals.filter(minute__gte=since).aggregate(posts=Sum("posts"))["posts"] or 0,
        lag=max((now - found["oldest"] for found in due if found["oldest"]), default=timedelta(0)),
    )


def _due(rows: QuerySet[Any], now: datetime) -> dict[str, Any]:
    """Over the index of what is due, which is short."""
    oldest = Min("due_at", filter=Q(due_at__lte=now))
    return rows.filter(IS_DUE).aggregate(rows=Count("pk"), oldest=oldest)


def sales_figures(rows: QuerySet[Any], *, window: Window, currency: str) -> Sales:
    """One aggregate over the payments of the window, one look-up of all rates."""
    found = list(
        rows.filter(window.of("occurred_at"), kind=Transaction.Kind.PAYMENT)
        .order_by()
        .annotate(day=TruncDate("occurred_at", tzinfo=window.zone))
        .values_list("day", "currency")
        .annotate(amount=Sum("amount"), rows=Count("pk"))
    )
    rates = rates_on((code, day) for day, code, _amount, _rows in found if code != currency)
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    counts: dict[str, int] = defaultdict(int)
    unrated = set()
    for day, code, amount, number in found:
        sums[code] += amount
        counts[code] += number
        rate = rates.get((code, day))
        if code == currency:
            by_day[day] += amount
        elif rate is not None:
            by_day[day] += Money(amount, code).convert(rate.rate, currency).amount
        else:
            unrated.add(code)
    ordered = sorted(counts, key=lambda code: -counts[code])
    return Sales(
        currency=currency,
        by_day=[by_day[day] for day in window.days],
        by_currency=[(Money(sums[code], code), counts[code]) for code in ordered],
        unrated=sorted(unrated),
    )


def points_figures(rows: QuerySet[Transfer], *, window: Window) -> dict[str, list[int]]:
    """For each kind of transfer, what members gained by it each day; below zero, what they lost.

    The sides say which: by hand points go both ways. What only moves between members that were
    merged is left out, for nobody gains or loses by it.
    """
    systems = [system_account(kind) for kind in _SYSTEM_KINDS]
    lost = When(credit__in=systems, then=-F("points"))
    gained = Case(lost, default=F("points"), output_field=IntegerField())
    found = (
        rows.filter(window.of("booked_at"))
        .exclude(kind__in=_ONLY_MOVE)
        .order_by()
        .annotate(day=TruncDate("booked_at", tzinfo=window.zone))
        .values_list("day", "kind")
        .annotate(gained=Sum(gained))
    )
    return _by_kind(found, window.days)


def daily_counts(rows: QuerySet[Any], *, at: str, window: Window) -> list[int]:
    found = (
        rows.filter(window.of(at))
        .order_by()
        .annotate(day=TruncDate(at, tzinfo=window.zone))
        .values_list("day")
        .annotate(rows=Count("pk"))
    )
    counts = dict(found)
    return [counts.get(day, 0) for day in window.days]


def counts_by(rows: QuerySet[Any], *, at: str, kind: str, window: Window) -> dict[str, int]:
    found = rows.filter(window.of(at)).order_by().values_list(kind).annotate(rows=Count("pk"))
    return dict(found)


def _by_kind(found: Iterable[tuple[date, str, int]], days: Sequence[date]) -> dict[str, list[int]]:
    series: dict[str, dict[date, int]] = defaultdict(dict)
    for day, name, amount in found:
        series[name][day] = amount
    return {name: [by_day.get(day, 0) for day in days] for name, by_day in series.items()}
