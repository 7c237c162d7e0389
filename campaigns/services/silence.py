"""Noticing that members fell silent: the event that a “we miss you” campaign reacts to.

A silence begins with one payment and ends with the next, and is spoken to once. Who could not be
reached is written to later in the same silence, as soon as what stood against it has passed: the
message that waited without consent or address goes out then, and what was declined for a passing
reason is noticed again, once a day.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from campaigns.models import Campaign, Message
from campaigns.selectors import (
    running_campaigns,
    silence_key,
    silent_members,
    withheld_from,
)
from campaigns.services.limits import count_reached, hold_days
from kit.work import hold_keys
from members.models import Event, Programme
from members.services.timeline import record_events

BATCH: Final = 2000
MOST_BATCHES: Final = 500


def find_silent_members(now: datetime) -> int:
    """Raise an event for each silence that a running campaign has not spoken to yet."""
    zone = ZoneInfo(Programme.current().zone)
    silences = running_campaigns([Campaign.Trigger.SILENCE])
    return sum(_in_batches(_notice_batch, each, now=now, zone=zone) for each in silences)


def queue_withheld(now: datetime) -> int:
    """Queue the messages to silent members who had no consent or address and have them now.

    It is the same message with the same coupon: delivery looks once more whether they are silent
    still and the coupon good.
    """
    zone = ZoneInfo(Programme.current().zone)
    silences = running_campaigns([Campaign.Trigger.SILENCE])
    return sum(_in_batches(_queue_batch, each, now=now, zone=zone) for each in silences)


def count_silent(campaign: Campaign, now: datetime) -> int:
    """How many members the campaign would reach now, those already silent included."""
    zone = ZoneInfo(Programme.current().zone)
    return silent_members(campaign, now=now, zone=zone).count()


def _in_batches(
    batch: Callable[..., int], campaign: Campaign, *, now: datetime, zone: ZoneInfo
) -> int:
    total = 0
    for _ in range(MOST_BATCHES):
        with transaction.atomic():
            hold_keys([f"silence:{campaign.pk}"])  # Whoever looks next sees what we wrote.
            done = batch(campaign, now=now, zone=zone)
        total += done
        if done < BATCH:
            break
    return total


def _notice_batch(campaign: Campaign, *, now: datetime, zone: ZoneInfo) -> int:
    """The longest silences first; the daily cap leaves the rest for the days to come."""
    on = now.astimezone(zone).date()
    room = min(_room(campaign, on=on), _coupons_left(campaign, now=now))
    since = None if campaign.includes_already_silent else campaign.started_at
    members = silent_members(campaign, now=now, zone=zone, since=since)
    rows = members.values_list("pk", "standing__last_paid_at", "was_noticed")[:room]
    events = [
        Event(
            member_id=member_id,
            kind=Event.Kind.SILENT,
            key=silence_key(campaign.pk, last_paid_at) + (f"@{on}" if was_noticed else ""),
            occurred_at=now,
            booked_at=now,
            due_at=now,
            details={
                "campaign": campaign.pk,
                "days": campaign.silent_days,
                "last_paid_at": last_paid_at.isoformat(),
            },
        )
        for member_id, last_paid_at, was_noticed in rows
        if last_paid_at is not None
    ]
    record_events(events)
    if campaign.daily_cap is not None:
        count_reached([campaign.pk] * len(events), on=on)
    return len(events)


def _queue_batch(campaign: Campaign, *, now: datetime, zone: ZoneInfo) -> int:
    on = now.astimezone(zone).date()
    waiting = withheld_from(campaign).select_for_update(of=("self",), no_key=True)
    keys = list(waiting.values_list("pk", flat=True)[: _room(campaign, on=on)])
    Message.objects.filter(pk__in=keys).update(
        state=Message.State.QUEUED, queued_at=now, due_at=now, attempts=0, reason="", error=""
    )
    if campaign.daily_cap is not None:
        count_reached([campaign.pk] * len(keys), on=on)
    return len(keys)


def _room(campaign: Campaign, *, on: date) -> int:
    """How many members the campaign may speak to in this batch; the day's counter is held."""
    return min(hold_days([campaign], on=on).get(campaign.pk, BATCH), BATCH)


def _coupons_left(campaign: Campaign, *, now: datetime) -> int:
    """Who would be declined for want of a coupon is not noticed before there are some again."""
    kind = campaign.coupon_type
    if kind is None:
        return BATCH
    if not kind.is_enabled or (kind.ends_at is not None and kind.ends_at <= now):
        return 0
    left = BATCH if kind.total_limit is None else kind.total_limit - kind.issued
    return min(max(left, 0), BATCH)
