"""Which days' settlement files an account lacks, if its platform tells of no refund by itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Max, Q, Window

from members.models import Programme
from payments.models import Account, Settlement
from payments.providers import all_providers
from payments.services.accounts import BY_FILE
from payments.services.silence import zone_of

# A file comes some days after what it tells of: up to a week nobody is reminded.
FILES_WITHIN: Final = timedelta(days=7)
_LOOKED_BACK: Final = timedelta(days=60)
_DAY: Final = timedelta(days=1)
Period = tuple[date, date]

# The last condition says what each account's own says: it lets the index of all days serve.
_PAID_DAYS: Final = """
SELECT DISTINCT paid.account_id, (paid.occurred_at AT TIME ZONE span.zone)::date AS day
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::date[])
    AS span (account_id, zone, starts_at, today)
JOIN payments_transaction AS paid ON paid.account_id = span.account_id
WHERE paid.kind = 'payment' AND paid.occurred_at >= span.starts_at
    AND (paid.occurred_at AT TIME ZONE span.zone)::date < span.today
    AND paid.occurred_at >= %s
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """covered_until: the last day of the newest file
    since:         the first day after it, if that is longer ago than files take
    gaps:          earlier days with payments that no file covers
    """

    covered_until: date | None
    since: date | None
    gaps: tuple[date, ...]


def needs_files(account: Account) -> bool:
    """Whether refunds become known by settlement files, or not at all."""
    provider = all_providers().get(account.provider)
    if provider is None:
        return account.provider in BY_FILE
    return not provider.tells_of_refunds


def coverages_of(accounts: Iterable[Account], *, now: datetime) -> dict[int, Coverage]:
    """Of those that need files; a fixed number of queries, whatever the number of accounts.

    Give them with their stores and regions, or those are looked up one by one.
    """
    needing = [account for account in accounts if needs_files(account)]
    if not needing:
        return {}
    programme = Programme.current()
    spans = [_span(account, programme, now) for account in needing]
    files = _files(spans)
    paid = _paid_days(spans)
    return {
        span.account: _coverage(span, files[span.account], paid[span.account]) for span in spans
    }


@dataclass(frozen=True, slots=True)
class _Span:
    """The days of an account that are looked at, in its own zone: from `first` until today."""

    account: int
    zone: ZoneInfo
    first: date
    today: date

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.first, time.min, tzinfo=self.zone)


def _span(account: Account, programme: Programme, now: datetime) -> _Span:
    zone = zone_of(account, programme)
    today = now.astimezone(zone).date()
    return _Span(account.pk, zone, today - _LOOKED_BACK, today)


def _coverage(span: _Span, files: Sequence[Period], paid: Sequence[date]) -> Coverage:
    newest = max((end for _start, end in files), default=None)
    bare = [day for day in paid if not any(start <= day <= end for start, end in files)]
    since = newest + _DAY if newest else min(bare, default=None)
    is_late = since is not None and since < span.today - FILES_WITHIN
    return Coverage(
        covered_until=newest,
        since=since if is_late else None,
        gaps=tuple(day for day in bare if newest and day < newest),
    )


def _files(spans: Sequence[_Span]) -> Mapping[int, list[Period]]:
    """The periods that each account's files cover: of one that has none of late, of its newest."""
    accounts = [span.account for span in spans]
    counting = Settlement.objects.filter(account__in=accounts, withdrawn_at=None)
    newest = Window(Max("ends_on"), partition_by="account")
    recent = counting.annotate(newest=newest).filter(
        Q(ends_on__gte=min(span.first for span in spans)) | Q(ends_on=F("newest"))
    )
    found: dict[int, list[Period]] = defaultdict(list)
    for account, start, end in recent.values_list("account", "starts_on", "ends_on"):
        found[account].append((start, end))
    return found


def _paid_days(spans: Sequence[_Span]) -> Mapping[int, list[date]]:
    """The days with payments before today, in order."""
    found: dict[int, list[date]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _PAID_DAYS,
            [
                [span.account for span in spans],
                [str(span.zone) for span in spans],
                [span.starts_at for span in spans],
                [span.today for span in spans],
                min(span.starts_at for span in spans),
            ],
        )
        for account, day in cursor.fetchall():
            found[account].append(day)
    return found
