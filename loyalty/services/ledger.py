"""Posting points: transfers, the lots they open, and the lots or debts that they use up.

Callers hold the lock on each member's Standing, and post at most once for a member in one call.

A debit uses lots, soonest to lapse first. What no lot covers is a debt: the debit stays uncovered
until later lots repay it, before the member can spend anything of them. So a member has open lots
or a debt, never both, and `balance = what is left in open lots - debt` always.

An account that holds the points of several members (see loyalty/services/merging.py) says of each
lot and debit whose it is. What a payment earned and what its refund takes back stay within one
owner, as if the members were not merged; what is taken by hand is taken from all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Coalesce

from kit.bulk import is_any_of, update_many
from loyalty.models import Lot, LotUse, PointAccount, Standing, Transfer, system_account

_OTHER_SIDE = {
    Transfer.Kind.EARN: PointAccount.Kind.ISSUED,
    Transfer.Kind.TAKE_BACK: PointAccount.Kind.ISSUED,
    Transfer.Kind.GIVE_BACK: PointAccount.Kind.ISSUED,
    Transfer.Kind.EXPIRE: PointAccount.Kind.EXPIRED,
    Transfer.Kind.ADJUST: PointAccount.Kind.ADJUSTED,
}

# An import may bring thousands of newcomers: no row of theirs needs to be an object first.
_OPEN_ACCOUNTS: Final = """
WITH accounts AS (
    INSERT INTO loyalty_pointaccount (id, kind, member_id)
    SELECT id, 'member', id FROM unnest(%(members)s::uuid[]) AS id
    ON CONFLICT DO NOTHING
)
INSERT INTO loyalty_standing (member_id, balance, spend_12m, payments, is_shared)
SELECT id, 0, 0, 0, false FROM unnest(%(members)s::uuid[]) AS id
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """Points that come to a member (positive) or go (negative).

    expires_at: when the new lot lapses (credits only)
    first_of:   awards whose lots a debit uses before all others
    owner_id:   whose points these are, if not the account's own
    is_joint:   a debit that any owner's lots may cover
    """

    member_id: UUID
    kind: Transfer.Kind
    points: int
    award_id: UUID | None = None
    expires_at: datetime | None = None
    first_of: frozenset[UUID] = frozenset()
    reason: str = ""
    actor: Any = None
    owner_id: UUID | None = None
    is_joint: bool = False

    @property
    def owner(self) -> UUID:
        return self.owner_id or self.member_id


@dataclass(slots=True)
class _Left:
    """What is left in a lot, or uncovered of a debit, while a batch is worked out."""

    row: Any
    points: int


@dataclass(slots=True)
class _Batch:
    now: datetime
    uses: list[LotUse]
    closed: list[Lot]
    covered: list[Transfer]

    def use(self, lot: _Left, debit: _Left) -> None:
        points = min(lot.points, debit.points)
        if points == 0:
            return
        self.uses.append(
            LotUse.new(
                lot_id=lot.row.pk, transfer_id=debit.row.pk, points=points, used_at=self.now
            )
        )
        lot.points -= points
        debit.points -= points
        if lot.points == 0:
            lot.row.closed_at = self.now
            self.closed.append(lot.row)
        if debit.points == 0:
            debit.row.covered_at = self.now
            self.covered.append(debit.row)


def open_accounts(member_ids: Iterable[UUID]) -> None:
    """An account and a standing for members who have none. It may race; both then agree."""
    wanted = set(member_ids)
    if not wanted:
        return
    known = Standing.objects.filter(is_any_of("pk", wanted)).values_list("pk", flat=True)
    missing = wanted - set(known)
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_ACCOUNTS, {"members": sorted(missing)})


def post(
    postings: Sequence[Posting], standings: Mapping[UUID, Standing], *, now: datetime
) -> list[Transfer]:
    """Write transfers with their lots and lot uses, and bring the standings' balances along (the
    caller saves those). A fixed number of queries for any number of postings."""
    if not postings:
        return []
    transfers = [_transfer(posting, now=now) for posting in postings]
    batch = _Batch(now=now, uses=[], closed=[], covered=[])
    debts = _debts([p.member_id for p in postings if p.points > 0], standings)
    lots = _open_lots([posting for posting in postings if posting.points < 0])
    opened = []
    for posting, transfer in zip(postings, transfers, strict=True):
        if posting.points > 0:
            lot = _lot(posting, transfer, now=now)
            opened.append(lot)
            _repay(_Left(lot, lot.points), debts[posting.member_id, posting.owner], batch)
        else:
            _use_up(lots[posting.member_id], _Left(transfer, transfer.points), posting, batch)
        standings[posting.member_id].balance += posting.points
    _write(transfers, opened, batch)
    return transfers


def _transfer(posting: Posting, *, now: datetime) -> Transfer:
    other = system_account(_OTHER_SIDE[posting.kind])
    is_credit = posting.points > 0
    return Transfer.new(
        kind=posting.kind,
        debit_id=other if is_credit else posting.member_id,
        credit_id=posting.member_id if is_credit else other,
        points=abs(posting.points),
        award_id=posting.award_id,
        owner_id=posting.owner_id,
        reason=posting.reason,
        actor_id=posting.actor.pk if posting.actor else None,
        booked_at=now,
        covered_at=now if is_credit else None,
    )


def _lot(posting: Posting, transfer: Transfer, *, now: datetime) -> Lot:
    return Lot.new(
        account_id=posting.member_id,
        transfer_id=transfer.pk,
        award_id=posting.award_id,
        owner_id=posting.owner_id,
        points=posting.points,
        starts_at=now,
        expires_at=posting.expires_at,
    )


def _repay(lot: _Left, debts: Iterable[_Left], batch: _Batch) -> None:
    for debt in debts:
        batch.use(lot, debt)


def _use_up(lots: list[_Left], debit: _Left, posting: Posting, batch: _Batch) -> None:
    own = [lot for lot in lots if lot.row.award_id in posting.first_of]
    others = [lot for lot in lots if lot.row.award_id not in posting.first_of]
    for lot in (*own, *others):
        batch.use(lot, debit)


def _debts(
    member_ids: Sequence[UUID], standings: Mapping[UUID, Standing]
) -> defaultdict[tuple[UUID, UUID], list[_Left]]:
    """Uncovered debits by account and owner, oldest first, of those who owe."""
    owing = [
        member_id
        for member_id in member_ids
        if standings[member_id].balance < 0 or standings[member_id].is_shared
    ]
    found: defaultdict[tuple[UUID, UUID], list[_Left]] = defaultdict(list)
    if owing:
        rows = Transfer.objects.filter(debit_id__in=owing, covered_at=None)
        for row in rows.annotate(used=Coalesce(Sum("lot_uses__points"), 0)).order_by("id"):
            owner = row.owner_id or row.debit_id
            found[row.debit_id, owner].append(_Left(row, row.points - row.used))
    return found


# A member may hold thousands of open lots: only those that can be needed are read. Each has at
# least a point left, so a debit needs no more lots than points; the sum finds where it is covered.
_OPEN_LOTS: Final = """
SELECT lot.*, lot.points - coalesce(used.points, 0) AS left_in_it
FROM loyalty_lot AS lot
LEFT JOIN LATERAL (
    SELECT sum(points) AS points FROM loyalty_lotuse WHERE lot_id = lot.id
) AS used ON true
WHERE lot.closed_at IS NULL AND lot.id IN (
    SELECT needed.id
    FROM unnest(%(members)s::uuid[], %(owners)s::uuid[], %(wanted)s::bigint[])
        AS debit (member_id, owner_id, wanted)
    CROSS JOIN LATERAL (
        SELECT soonest.id, soonest.here, sum(soonest.here) OVER (
            ORDER BY soonest.expires_at, soonest.starts_at, soonest.id
            ROWS UNBOUNDED PRECEDING
        ) AS so_far
        FROM (
            SELECT id, expires_at, starts_at, points - coalesce(
                (SELECT sum(points) FROM loyalty_lotuse WHERE lot_id = held.id), 0
            ) AS here
            FROM loyalty_lot AS held
            WHERE account_id = debit.member_id AND closed_at IS NULL
                AND coalesce(debit.owner_id = coalesce(held.owner_id, account_id), true)
            ORDER BY expires_at, starts_at, id LIMIT debit.wanted
        ) AS soonest
    ) AS needed
    WHERE needed.so_far - needed.here < debit.wanted
    UNION
    SELECT id FROM loyalty_lot WHERE award_id = ANY(%(awards)s::uuid[]) AND closed_at IS NULL
)
ORDER BY lot.expires_at, lot.starts_at, lot.id
"""


def _open_lots(debits: Sequence[Posting]) -> defaultdict[UUID, list[_Left]]:
    """Of each debited member the lots that the debit may use, soonest to lapse first."""
    found: defaultdict[UUID, list[_Left]] = defaultdict(list)
    if debits:
        values = {
            "members": [debit.member_id for debit in debits],
            "owners": [None if debit.is_joint else debit.owner for debit in debits],
            "wanted": [-debit.points for debit in debits],
            "awards": [award for debit in debits for award in debit.first_of],
        }
        for row in Lot.objects.raw(_OPEN_LOTS, values):
            found[row.account_id].append(_Left(row, int(row.left_in_it)))  # type: ignore[attr-defined]
    return found


def _write(transfers: list[Transfer], opened: list[Lot], batch: _Batch) -> None:
    Transfer.record(transfers)
    Lot.record(opened)
    LotUse.record(batch.uses)
    fresh = {row.pk for row in (*transfers, *opened)}
    update_many([lot for lot in batch.closed if lot.pk not in fresh], ["closed_at"])
    update_many([row for row in batch.covered if row.pk not in fresh], ["covered_at"])
