"""Which days' settlement files an account lacks, if its platform tells of no refund by itself."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models.functions import TruncDate

from payments.models import Account, Settlement, Transaction
from payments.providers import all_providers
from payments.services.accounts import BY_FILE
from payments.services.silence import zone_of

# A file comes some days after what it tells of: up to a week nobody is reminded.
FILES_WITHIN: Final = timedelta(days=7)
_LOOKED_BACK: Final = timedelta(days=60)
_DAY: Final = timedelta(days=1)


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


def coverage_of(account: Account, *, now: datetime) -> Coverage:
    zone = zone_of(account)
    today = now.astimezone(zone).date()
    first = today - _LOOKED_BACK
    files = Settlement.objects.filter(account=account, withdrawn_at=None)
    periods = list(files.filter(ends_on__gte=first).values_list("starts_on", "ends_on"))
    newest = files.order_by("-ends_on").values_list("ends_on", flat=True).first()
    paid = [day for day in _paid_days(account, first, zone) if day < today]
    bare = [day for day in paid if not any(start <= day <= end for start, end in periods)]
    since = newest + _DAY if newest else min(bare, default=None)
    is_late = since is not None and since < today - FILES_WITHIN
    return Coverage(
        covered_until=newest,
        since=since if is_late else None,
        gaps=tuple(day for day in bare if newest and day < newest),
    )


def _paid_days(account: Account, first: date, zone: ZoneInfo) -> list[date]:
    """The days with payments, in order."""
    rows = Transaction.objects.filter(
        account=account,
        kind=Transaction.Kind.PAYMENT,
        occurred_at__gte=datetime.combine(first, time.min, tzinfo=zone),
    )
    days = rows.annotate(day=TruncDate("occurred_at", tzinfo=zone)).order_by("day")
    return list(days.values_list("day", flat=True).distinct())
