"""Tiers: up at once when the 12-month spend reaches one, down only in the nightly review."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from kit.bulk import fetch_all, update_many
from loyalty.models import Award, Standing, Tier, TierChange
from loyalty.rules.periods import a_year_before, is_kept
from loyalty.rules.tiers import tier_after_review, tier_for
from loyalty.services.shop import Shop
from members.models import Event, Programme
from members.services.timeline import record_events

_MEMBERS_AT_ONCE: Final = 1000


# Whoever was merged into a member spent what they spent for that member too.
_SPENT: Final = """
SELECT coalesce(member.merged_into_id, member.id), sum(award.spend)
FROM members_member AS member
JOIN loyalty_award AS award ON award.member_id = member.id AND award.paid_at > %(since)s
WHERE member.id = ANY(%(ids)s::uuid[]) OR member.merged_into_id = ANY(%(ids)s::uuid[])
GROUP BY 1
"""


def spend_in_a_year(
    member_ids: Iterable[UUID], *, now: datetime, zone: ZoneInfo
) -> dict[UUID, Decimal]:
    """What each person spent in the 12 months up to `now`, net, in the programme's currency."""
    since = a_year_before(now, zone=zone)
    return dict(fetch_all(_SPENT, {"ids": list(member_ids), "since": since}))


def reckon_spend(standings: Sequence[Standing], programme: Programme, *, now: datetime) -> None:
    """Bring each standing's 12-month spend up to `now`; the caller saves."""
    spend = spend_in_a_year(
        [standing.pk for standing in standings], now=now, zone=ZoneInfo(programme.zone)
    )
    for standing in standings:
        standing.spend_12m = spend.get(standing.pk, Decimal(0))
        standing.reckoned_at = now


# What fell out of the 12 months since they were reckoned last.
_FALLEN_OUT: Final = """
SELECT given.member_id, sum(award.spend)
FROM unnest(%s::uuid[], %s::timestamptz[]) AS given (member_id, was_from)
JOIN loyalty_award AS award ON award.member_id = given.member_id
    AND award.paid_at > given.was_from AND award.paid_at <= %s
GROUP BY given.member_id
"""


def add_spend(settled: Sequence[tuple[Standing, Award]], shop: Shop, *, now: datetime) -> None:
    """Bring the 12-month spend of locked standings up to `now`, with the awards just written.

    It says what `reckon_spend` would, without adding up a year of payments each time.
    """
    fresh = {
        standing.pk: standing
        for standing, _award in settled
        if standing.reckoned_at is None or standing.is_shared
    }
    if fresh:
        reckon_spend(list(fresh.values()), shop.programme, now=now)
    known = [
        (standing, award, a_year_before(standing.reckoned_at, zone=shop.zone))
        for standing, award in settled
        if standing.reckoned_at is not None and standing.pk not in fresh
    ]
    if not known:
        return
    since = a_year_before(now, zone=shop.zone)
    ids, bounds = [row[0].pk for row in known], [row[2] for row in known]
    fallen = dict(fetch_all(_FALLEN_OUT, [ids, bounds, since]))
    for standing, award, bound in known:
        if award.paid_at > bound:
            standing.spend_12m += award.spend
        standing.spend_12m -= fallen.get(standing.pk, Decimal(0))
        # Two processes may differ about the moment: the later one holds.
        standing.reckoned_at = max(now, standing.reckoned_at or now)


def upgrade(
    standings: Sequence[Standing],
    tiers: Sequence[Tier],
    *,
    causes: Mapping[UUID, Mapping[str, object]],
    now: datetime,
) -> None:
    """Lift whoever's spend supports a higher tier; writes the changes, the caller saves.

    `causes`: by member, when the payment behind it was made and whether its source permits
    messages: a tier that last year's sales out of a spreadsheet reach today is no news.
    """
    changes = []
    for standing in standings:
        earned = tier_for(standing.spend_12m, tiers)
        if standing.tier is None:
            standing.tier = tiers[0] if tiers else None
        if earned and standing.tier and earned.rank > standing.tier.rank:
            changes.append(_move(standing, earned, TierChange.Cause.SPEND, now=now))
    record_changes(changes, causes)


def review_tiers(*, now: datetime) -> int:
    """The nightly review: reckon everybody's 12 months anew, and downgrade by the stated policy.

    Returns how many members changed their tier. Running it twice changes nothing.
    """
    programme = Programme.current()
    tiers = list(Tier.objects.order_by("rank"))
    changed, after = 0, UUID(int=0)
    while True:
        with transaction.atomic():
            standings = list(
                Standing.objects.filter(pk__gt=after, payments__gt=0)
                .select_for_update(no_key=True, of=("self",))
                .select_related("tier")
                .order_by("pk")[:_MEMBERS_AT_ONCE]
            )
            if not standings:
                return changed
            after = standings[-1].pk
            reckon_spend(standings, programme, now=now)
            changed += _review(standings, tiers, programme, now=now)
            update_many(standings, ["spend_12m", "reckoned_at", "tier", "tier_since"])


def _review(
    standings: Sequence[Standing], tiers: Sequence[Tier], programme: Programme, *, now: datetime
) -> int:
    changes = []
    for standing in standings:
        after = tier_after_review(
            standing.tier,
            earned=tier_for(standing.spend_12m, tiers),
            tiers=tiers,
            policy=programme.downgrade,
            is_kept=is_kept(standing.tier_since, days=programme.tier_kept_days, now=now),
        )
        if after and after != standing.tier:
            changes.append(_move(standing, after, TierChange.Cause.REVIEW, now=now))
    record_changes(changes, {})
    return len(changes)


def _move(standing: Standing, after: Tier, cause: str, *, now: datetime) -> TierChange:
    change = TierChange(
        member_id=standing.pk,
        before=standing.tier,
        after=after,
        cause=cause,
        spend=standing.spend_12m,
        changed_at=now,
    )
    standing.tier, standing.tier_since = after, now
    return change


def record_changes(
    changes: Sequence[TierChange],
    causes: Mapping[UUID, Mapping[str, object]],
    *,
    is_occasion: bool = True,
) -> None:
    """Write changes of tiers, each with its event. `is_occasion`: a step up may bring an offer."""
    TierChange.record(changes)
    record_events(
        _event(change, causes.get(change.member_id, {}), is_occasion=is_occasion)
        for change in changes
    )


def _event(change: TierChange, cause: Mapping[str, object], *, is_occasion: bool) -> Event:
    """Only a step up is an occasion for an offer."""
    before, after = change.before, change.after
    is_up = before is None or after.rank > before.rank
    details: Mapping[str, object] = {
        "before": before.code if before else None,
        "after": after.code,
        "rank_before": before.rank if before else None,
        "rank_after": after.rank,
        "cause": change.cause,
        "may_message": True,
        **cause,
    }
    return Event(
        member_id=change.member_id,
        kind=Event.Kind.TIER_CHANGED,
        key=str(change.pk),
        occurred_at=change.changed_at,
        booked_at=change.changed_at,
        details=dict(details),
        due_at=change.changed_at if is_up and is_occasion else None,
    )
