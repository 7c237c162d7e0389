"""Is a settlement file one that was taken in before, as it is or nearly so?"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Final

from django.core.cache import cache

from payments.models import Account, Settlement, SettlementRow

_LARGELY: Final = Decimal("0.8")  # Of its rows: then it is probably the same statement.
_MOST_COMPARED: Final = 3
_CACHED_SECONDS: Final = 24 * 60 * 60  # Rows are facts, so what two files share stays.
_SAME: Final = ("kind", "payment_ref", "effect_ref", "amount", "currency", "occurred_at")


@dataclass(frozen=True, slots=True)
class Repeated:
    """An earlier file, and how many different rows of the later one are in it too."""

    earlier: Settlement
    rows: int


def hash_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def earlier_upload(account: Account, content: bytes) -> Settlement | None:
    """The very same file, if it still counts for this account."""
    files = Settlement.objects.filter(account=account, withdrawn_at=None)
    return files.select_related("uploaded_by").filter(file_hash=hash_of(content)).first()


def repeated_by(settlement: Settlement) -> Repeated | None:
    """The earlier file of the account of which this one largely consists. Only files with enough
    rows, of some of the same days, are looked at, and of those the latest few."""
    if settlement.withdrawn_at is not None or not settlement.rows_read:
        return None
    enough = ceil(settlement.rows_read * _LARGELY)
    candidates = (
        Settlement.objects.filter(
            account_id=settlement.account_id,
            withdrawn_at=None,
            uploaded_at__lt=settlement.uploaded_at,
            starts_on__lte=settlement.ends_on,
            ends_on__gte=settlement.starts_on,
            rows_read__gte=enough,
        )
        .select_related("uploaded_by")
        .order_by("-uploaded_at")[:_MOST_COMPARED]
    )
    found = [Repeated(earlier, _shared(settlement, earlier)) for earlier in candidates]
    likest = max(found, key=lambda each: each.rows, default=None)
    return likest if likest is not None and likest.rows >= enough else None


def _shared(one: Settlement, other: Settlement) -> int:
    key = f"statement:shared:{one.pk}:{other.pk}"
    kept: int | None = cache.get(key)
    if kept is None:
        first, second = (
            SettlementRow.objects.filter(settlement=each, number__gt=0).values_list(*_SAME)
            for each in (one, other)
        )
        kept = first.intersection(second).count()
        cache.set(key, kept, _CACHED_SECONDS)
    return kept
