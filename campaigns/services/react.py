"""React: each due event is looked at by every running campaign of its trigger, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from campaigns.conditions import registry_for
from campaigns.models import Campaign, Decision, Message, Reaction
from campaigns.rules.deciding import decline_occasion
from campaigns.rules.reasons import Decline
from campaigns.selectors import TRIGGERS, oldest_due_events, running_campaigns, tree_of
from campaigns.services.limits import count_reached, hold_coupon_types, hold_days
from campaigns.services.occasions import (
    Scene,
    facts_of,
    occasion_of,
    occurrence_of,
    read_scene,
    terms_of,
)
from kit.conditions import Group, matches
from kit.drain import Queue, drain
from kit.work import IS_DUE, note_failure
from loyalty.models import Coupon, Standing
from loyalty.services.coupons import issue_coupons
from members.models import Event
from members.persons import person_of, rows_of

# A window wider than one batch, so that processes beside each other find members of their own.
WINDOW: Final = 4
_SILENCE: Final = Campaign.Trigger.SILENCE


def react_to_events(now: datetime, limit: int) -> int:
    """One batch of members with due events; returns how many events were done."""
    return drain(_QUEUE, now=now, limit=limit)


@dataclass(slots=True)
class _Case:
    """One event before one campaign. Without a reason against it, the campaign says yes."""

    event: Event
    campaign: Campaign
    reason: str = ""
    failed: list[dict[str, Any]] = field(default_factory=list)
    coupon: Coupon | None = None


def _claim(limit: int, now: datetime) -> Sequence[Standing]:
    """Of those to whom the oldest events happened, or who stand for them."""
    oldest = Event.objects.filter(IS_DUE, due_at__lte=now).order_by("due_at", "id")
    person = Coalesce("member__merged_into_id", "member_id")
    window = oldest.annotate(person=person).values("person")[: WINDOW * limit]
    return list(_locked(Standing.objects.filter(member_id__in=window))[:limit])


def _reclaim(held: Sequence[Standing], _now: datetime) -> Sequence[Standing]:
    return list(_locked(Standing.objects.filter(member_id__in=[each.pk for each in held])))


def _locked(standings: QuerySet[Standing]) -> QuerySet[Standing]:
    """Settle takes the same lock: while we decide about a member, nothing about them changes."""
    rows = standings.select_for_update(skip_locked=True, no_key=True).order_by("member_id")
    return rows.only("member_id", "is_shared")


def _members_of(held: Sequence[Standing]) -> Mapping[UUID, Sequence[UUID]]:
    """Those for whom each of them stands: mostly themselves alone."""
    shared = [standing.pk for standing in held if standing.is_shared]
    alone = {standing.pk: [standing.pk] for standing in held}
    return {**alone, **(rows_of(shared) if shared else {})}


def _react(held: Sequence[Standing], now: datetime) -> int:
    """The oldest due event of each person; a fixed number of queries however many they are."""
    events = oldest_due_events(_members_of(held), now=now)
    if not events:
        return 0
    campaigns = running_campaigns(TRIGGERS.values())
    concerned = [event for event in events if any(_concerns(each, event) for each in campaigns)]
    if concerned:
        _decide(concerned, campaigns, now=now)
    Event.objects.filter(pk__in=[event.pk for event in events]).update(
        due_at=None, attempts=0, error=""
    )
    return len(events)


def _decide(events: list[Event], campaigns: list[Campaign], *, now: datetime) -> None:
    scene = read_scene(events, campaigns)
    cases = _judge_all(events, campaigns, scene, now=now)
    wanted = [case for case in cases if not case.reason]
    if wanted:
        _share_out(wanted, campaigns, on=now.astimezone(scene.zone).date(), now=now)
    _record(cases, now=now)


def _judge_all(
    events: list[Event], campaigns: list[Campaign], scene: Scene, *, now: datetime
) -> list[_Case]:
    trees = {campaign.pk: tree_of(campaign) for campaign in campaigns}
    return [
        _judge(_Case(event, campaign), trees[campaign.pk], scene, now=now)
        for event in sorted(events, key=lambda event: (event.due_at, event.pk))
        for campaign in campaigns
        if _concerns(campaign, event)
    ]


def _concerns(campaign: Campaign, event: Event) -> bool:
    """A silence is as long as one campaign says, so it is that campaign's alone."""
    if event.kind == Event.Kind.SILENT:
        return bool(event.details["campaign"] == campaign.pk)
    return TRIGGERS.get(event.kind) == campaign.trigger


def _judge(case: _Case, tree: Group | None, scene: Scene, *, now: datetime) -> _Case:
    event, campaign = case.event, case.campaign
    terms, occasion = terms_of(campaign, event, scene), occasion_of(event, scene)
    reason = decline_occasion(terms, occasion, now=now)
    if reason is not None or tree is None:
        case.reason = reason or Decline.INCOMPLETE
        return case
    facts = facts_of(event, scene)
    registry = registry_for(campaign.trigger)
    verdict = matches(tree, facts, registry, now=now, zone=scene.zone)
    if not verdict.is_match:
        case.reason = Decline.CONDITION
        case.failed = [leaf.as_json() for leaf in verdict.failed]
    return case


def _share_out(wanted: list[_Case], campaigns: list[Campaign], *, on: date, now: datetime) -> None:
    """What members share goes to the oldest events: first the day's places, then the coupons.

    The counters of all campaigns are held in one order, the first time that any is needed: a later
    round of this transaction asks for nothing new, so two processes never wait crosswise. The cap
    of a silence was kept when the silence was noticed, see `find_silent_members`.
    """
    room = hold_days([each for each in campaigns if each.trigger != _SILENCE], on=on)
    hold_coupon_types(campaigns)
    for case in wanted:
        left = room.get(case.campaign.pk)
        if left == 0:
            case.reason = Decline.DAILY_CAP
        elif left is not None:
            room[case.campaign.pk] -= 1
    _issue([case for case in wanted if not case.reason], now=now)
    count_reached(
        [case.campaign.pk for case in wanted if not case.reason and case.campaign.pk in room],
        on=on,
    )


def _issue(cases: list[_Case], *, now: datetime) -> None:
    asked = [(case, case.campaign.coupon_type) for case in cases]
    requests = [(kind, case.event.member_id) for case, kind in asked if kind is not None]
    answers = iter(issue_coupons(requests, now=now))
    for case, kind in asked:
        if kind is None:
            continue
        answer = next(answers)
        if isinstance(answer, Coupon):
            case.coupon = answer
        else:
            case.reason = str(answer.reason)


def _record(cases: list[_Case], *, now: datetime) -> None:
    """A yes is a decision with its message; each no is an entry of the event's one reaction."""
    decisions = Decision.record(
        Decision(
            campaign=case.campaign,
            member_id=case.event.member_id,
            occurrence=occurrence_of(case.event),
            event=case.event,
            coupon=case.coupon,
            decided_at=now,
        )
        for case in cases
        if not case.reason
    )
    Message.objects.bulk_create(
        Message(
            decision=decision,
            member_id=decision.member_id,
            language=person_of(decision.event.member).language,
            queued_at=now,
            due_at=now,
        )
        for decision in decisions
    )
    declined: dict[UUID, list[dict[str, Any]]] = {case.event.pk: [] for case in cases}
    for case in cases:
        if case.reason:
            declined[case.event.pk].append(_entry(case))
    Reaction.record(
        Reaction(event_id=event_id, reacted_at=now, declined=entries)
        for event_id, entries in declined.items()
    )


def _entry(case: _Case) -> dict[str, Any]:
    entry: dict[str, Any] = {"campaign": case.campaign.pk, "reason": str(case.reason)}
    if case.failed:
        entry["failed"] = case.failed
    return entry


def _park(standing: Standing, error: str, tries: int) -> None:
    """Put the person's oldest due event aside for staff; the next ones go on."""
    (members,) = _members_of([standing]).values()
    due = Event.objects.filter(IS_DUE, member_id__in=members).order_by("due_at", "id")
    oldest = list(due.values_list("pk", flat=True)[:1])
    note_failure(Event.objects.filter(pk__in=oldest), error, tries=tries)


_QUEUE: Final = Queue[Standing](
    name="react", claim=_claim, reclaim=_reclaim, work=_react, park=_park, rounds=20
)
