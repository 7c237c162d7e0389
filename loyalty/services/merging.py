"""Merging what members hold, and parting it again.

While it lasts the survivor's account holds everybody's points, each lot and debt with its owner:
what a payment earned, what a refund took back and what lapsed are booked within their owner, as if
the members were not merged. So to part them is to move each owner's lots and debts home. What was
taken by hand in the meantime was taken from whoever's lots it used, soonest to lapse first; what
was given by hand is the survivor's.

A transfer moves each lot whole, with its award, its start and its end. It moves a debt the other
way round: the new holder pays it, and owes that now.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from kit.bulk import fetch_all, update_many
from loyalty.models import Lot, LotUse, Standing, Tier, TierChange, Transfer
from loyalty.rules.tiers import tier_for
from loyalty.services.expire import expire_for
from loyalty.services.shop import shop_now
from loyalty.services.tiers import reckon_spend, record_changes
from members.models import Member, Merge
from members.services.merging import Split

_MERGES: Final = (TierChange.Cause.MERGE, TierChange.Cause.UNMERGE)

_PAYMENTS: Final = """
SELECT coalesce(member.merged_into_id, member.id), count(*), min(award.paid_at), max(award.paid_at)
FROM members_member AS member
JOIN loyalty_award AS award ON award.member_id = member.id
JOIN payments_transaction AS deal ON deal.id = award.transaction_id AND deal.kind = 'payment'
WHERE member.id = ANY(%(ids)s::uuid[]) OR member.merged_into_id = ANY(%(ids)s::uuid[])
GROUP BY 1
"""
_SAVED: Final = (
    "balance",
    "tier",
    "tier_since",
    "spend_12m",
    "reckoned_at",
    "payments",
    "first_paid_at",
    "last_paid_at",
    "is_shared",
)


def take_over(merge: Merge, held: Mapping[UUID, Standing], *, now: datetime) -> None:
    """The survivor holds what both held; the merged member's tier waits as it is.

    `held`: both standings, locked; the members stand for one another already.
    """
    merged, survivor = held[merge.merged_id], held[merge.survivor_id]
    expire_for(held.values(), now=now)
    _move(merged, survivor, Transfer.Kind.MERGE, owners=None, now=now)
    _recount([merged, survivor], now=now)
    tiers = [survivor.tier, merged.tier, _supported(survivor)]
    since = {merged.tier_id: merged.tier_since}
    _place_in_tier(survivor, tiers, since, TierChange.Cause.MERGE, now=now)
    update_many([merged, survivor], _SAVED)


def part(split: Split, held: Mapping[UUID, Standing], *, now: datetime) -> None:
    """Each holds again what is its own. Tiers: what each had when they were merged, or what its
    own 12 months support if that is more; the nightly review does the rest.

    `held`: both standings, locked; the members stand for themselves already.
    """
    member, survivor = held[split.member.pk], held[split.survivor.pk]
    expire_for(held.values(), now=now)
    _move(survivor, member, Transfer.Kind.UNMERGE, owners=set(split.branch), now=now)
    _recount([member, survivor], now=now)
    own = [member.tier, _supported(member)]
    _place_in_tier(member, own, {}, TierChange.Cause.UNMERGE, now=now)
    before, since = _tier_at(split.merge)
    kept = [before, *_tiers_of_absorbed(split.survivor), _supported(survivor)]
    _place_in_tier(survivor, kept, since, TierChange.Cause.UNMERGE, now=now)
    update_many([member, survivor], _SAVED)


@dataclass(slots=True)
class _Move:
    source: Standing
    target: Standing
    kind: Transfer.Kind
    now: datetime
    transfers: list[Transfer] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    uses: list[LotUse] = field(default_factory=list)
    points: int = 0

    def carry(self, lot: Lot, left: int) -> None:
        """What is left of a lot goes on as a lot of the same award and age."""
        transfer = self._transfer(lot.owner_id or lot.account_id, left, pays=self.source)
        transfer.covered_at = lot.closed_at = self.now
        self.lots.append(
            Lot(
                account_id=self.target.pk,
                transfer=transfer,
                award_id=lot.award_id,
                owner_id=transfer.owner_id,
                points=left,
                starts_at=lot.starts_at,
                expires_at=lot.expires_at,
            )
        )
        self.uses.append(LotUse(lot=lot, transfer=transfer, points=left, used_at=self.now))
        self.points += left

    def pay(self, debit: Transfer, owed: int) -> None:
        """The new holder pays a debt of the old one, and owes it from now on."""
        transfer = self._transfer(debit.owner_id or debit.debit_id, owed, pays=self.target)
        lot = Lot(
            account_id=self.source.pk,
            transfer=transfer,
            owner_id=transfer.owner_id,
            points=owed,
            starts_at=self.now,
            closed_at=self.now,
        )
        debit.covered_at = self.now
        self.lots.append(lot)
        self.uses.append(LotUse(lot=lot, transfer=debit, points=owed, used_at=self.now))
        self.points -= owed

    def _transfer(self, owner: UUID, points: int, *, pays: Standing) -> Transfer:
        gets = self.target if pays is self.source else self.source
        transfer = Transfer(
            kind=self.kind,
            debit_id=pays.pk,
            credit_id=gets.pk,
            points=points,
            owner_id=owner,
            booked_at=self.now,
        )
        self.transfers.append(transfer)
        return transfer


def _move(
    source: Standing,
    target: Standing,
    kind: Transfer.Kind,
    *,
    owners: Collection[UUID] | None,
    now: datetime,
) -> None:
    """Move the lots and debts of `owners` (None: of all) from one account to the other."""
    move = _Move(source, target, kind, now)
    held = Lot.objects.filter(account=source.pk).open().with_left().order_by("id")
    lots = [lot for lot in held if owners is None or _owner(lot) in owners]
    debts = [row for row in _debts(source) if owners is None or _owner(row) in owners]
    for lot in lots:
        move.carry(lot, lot.left)
    for debit in debts:
        move.pay(debit, debit.owed)
    Transfer.record(move.transfers)
    Lot.record(move.lots)
    LotUse.record(move.uses)
    update_many(lots, ["closed_at"])
    update_many(debts, ["covered_at"])
    source.balance -= move.points
    target.balance += move.points


def _debts(standing: Standing) -> Sequence[Any]:
    owed = Transfer.objects.filter(debit=standing.pk, covered_at=None)
    used = Coalesce(Sum("lot_uses__points"), 0)
    return list(owed.annotate(owed=F("points") - used).order_by("id"))


def _owner(row: Lot | Transfer) -> UUID:
    return row.owner_id or (row.account_id if isinstance(row, Lot) else row.debit_id)


def _recount(standings: Sequence[Standing], *, now: datetime) -> None:
    """What the awards of each person come to, now that it is settled who they are."""
    ids = [standing.pk for standing in standings]
    found = {row[0]: row[1:] for row in fetch_all(_PAYMENTS, {"ids": ids})}
    merged = Member.objects.filter(pk__in=ids).exclude(merged_into=None).values_list("pk")
    shared = Member.objects.filter(merged_into__in=ids).values_list("merged_into_id")
    gone, standing_for_more = {pk for (pk,) in merged}, {pk for (pk,) in shared}
    reckon_spend(standings, shop_now().programme, now=now)
    for standing in standings:
        figures = (0, None, None) if standing.pk in gone else found.get(standing.pk)
        standing.payments, standing.first_paid_at, standing.last_paid_at = figures or (
            0,
            None,
            None,
        )
        standing.is_shared = standing.pk in standing_for_more


def _supported(standing: Standing) -> Tier | None:
    return tier_for(standing.spend_12m, shop_now().tiers) if standing.payments else None


def _tier_at(merge: Merge) -> tuple[Tier | None, dict[int | None, datetime | None]]:
    """The survivor's tier just before they were merged, and since when they had it."""
    changes = TierChange.objects.filter(member=merge.survivor_id, changed_at__lte=merge.merged_at)
    earlier = changes.exclude(changed_at=merge.merged_at, cause__in=_MERGES)
    last = earlier.select_related("after").order_by("-id").first()
    return (last.after, {last.after_id: last.changed_at}) if last else (None, {})


def _tiers_of_absorbed(survivor: Member) -> list[Tier | None]:
    rows = Standing.objects.filter(member__merged_into=survivor).select_related("tier")
    return [standing.tier for standing in rows]


def _place_in_tier(
    standing: Standing,
    tiers: Sequence[Tier | None],
    since: Mapping[int | None, datetime | None],
    cause: str,
    *,
    now: datetime,
) -> None:
    """The highest of `tiers`. No campaign congratulates on it: a merge is no achievement."""
    lowest = shop_now().tiers[:1] if standing.payments else []
    reached = [tier for tier in (*tiers, *lowest) if tier is not None]
    highest = max(reached, key=lambda tier: tier.rank, default=None)
    if highest is None or highest.pk == standing.tier_id:
        return
    before, standing.tier = standing.tier, highest
    standing.tier_since = since.get(highest.pk) or now
    change = TierChange(
        member_id=standing.pk,
        before=before,
        after=highest,
        cause=cause,
        spend=standing.spend_12m,
        changed_at=now,
    )
    record_changes([change], {}, is_occasion=False)
