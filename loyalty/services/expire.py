"""Expiry: what is left in a lot lapses at its end, once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from kit.bulk import update_many
from loyalty.models import Lot, LotUse, PointAccount, Standing, Transfer, system_account
from members.models import Event
from members.services.timeline import record_events

_MEMBERS_AT_ONCE: Final = 500


def expire_lots(*, now: datetime) -> int:
    """Let everything lapse whose time has come; returns points. A second run finds nothing."""
    total = 0
    while True:
        with transaction.atomic():
            lapsing = Lot.objects.open().filter(expires_at__lte=now)
            members = set(
                lapsing.order_by("expires_at").values_list("account_id", flat=True)[
                    :_MEMBERS_AT_ONCE
                ]
            )
            locked = Standing.objects.filter(pk__in=members).order_by("pk")
            held = list(locked.select_for_update(no_key=True, of=("self",)))
            if not held:
                return total
            total += expire_for(held, now=now)


def expire_for(held: Iterable[Standing], *, now: datetime) -> int:
    """The same for standings that the caller has locked: one transfer for each lot."""
    standings = {standing.pk: standing for standing in held}
    if not standings:
        return 0
    lots = list(
        Lot.objects.open()
        .filter(account_id__in=standings, expires_at__lte=now)
        .with_left()
        .order_by("expires_at", "id")
    )
    if not lots:
        return 0
    transfers = Transfer.record(
        Transfer(
            kind=Transfer.Kind.EXPIRE,
            debit_id=lot.account_id,
            credit_id=system_account(PointAccount.Kind.EXPIRED),
            points=lot.left,
            owner_id=lot.owner_id,
            booked_at=now,
            covered_at=now,
        )
        for lot in lots
    )
    LotUse.record(
        LotUse(lot=lot, transfer=transfer, points=lot.left, used_at=now)
        for lot, transfer in zip(lots, transfers, strict=True)
    )
    for lot in lots:
        lot.closed_at = now
    update_many(lots, ["closed_at"])
    _lower_balances(transfers, standings)
    return sum(transfer.points for transfer in transfers)


def _lower_balances(transfers: Sequence[Transfer], standings: Mapping[UUID, Standing]) -> None:
    points: defaultdict[UUID, int] = defaultdict(int)
    for transfer in transfers:
        points[transfer.debit_id] += transfer.points
    for member_id, lapsed in points.items():
        standings[member_id].balance -= lapsed
    update_many([standings[member_id] for member_id in points], ["balance"])
    first = {transfer.debit_id: transfer for transfer in reversed(transfers)}
    record_events(
        Event(
            member_id=member_id,
            kind=Event.Kind.POINTS_EXPIRED,
            key=str(transfer.pk),
            occurred_at=transfer.booked_at,
            booked_at=transfer.booked_at,
            details={"points": points[member_id]},
        )
        for member_id, transfer in first.items()
    )
