"""Noticing that members fell silent: the event that a “we miss you” campaign reacts to."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from campaigns.models import Campaign
from campaigns.selectors import running_campaigns, silence_key, silent_members
from campaigns.services.limits import count_reached, hold_days
from kit.work import hold_keys
from members.models import Event, Programme
from members.services import record_events

BATCH: Final = 2000
MOST_BATCHES: Final = 500


def find_silent_members(now: datetime) -> int:
    """Raise an event for each silence that a running campaign has not noticed yet."""
    zone = ZoneInfo(Programme.current().zone)
    silences = running_campaigns([Campaign.Trigger.SILENCE])
    return sum(_notice(campaign, now=now, zone=zone) for campaign in silences)


def count_silent(campaign: Campaign, now: datetime) -> int:
    """How many members the campaign would reach now, those already silent included."""
    zone = ZoneInfo(Programme.current().zone)
    return silent_members(campaign, now=now, zone=zone).count()


def _notice(campaign: Campaign, *, now: datetime, zone: ZoneInfo) -> int:
    total = 0
    for _ in range(MOST_BATCHES):
        with transaction.atomic():
            noticed = _notice_batch(campaign, now=now, zone=zone)
        total += noticed
        if noticed < BATCH:
            break
    return total


def _notice_batch(campaign: Campaign, *, now: datetime, zone: ZoneInfo) -> int:
    """The longest silences first; the daily cap leaves the rest for the days to come."""
    hold_keys([f"silence:{campaign.pk}"])  # Whoever looks next sees what we wrote.
    on = now.astimezone(zone).date()
    room = hold_days([campaign], on=on).get(campaign.pk, BATCH)
    since = None if campaign.includes_already_silent else campaign.started_at
    members = silent_members(campaign, now=now, zone=zone, since=since)
    rows = members.values_list("pk", "standing__last_paid_at")[: min(room, BATCH)]
    events = [
        Event(
            member_id=member_id,
            kind=Event.Kind.SILENT,
            key=silence_key(campaign.pk, last_paid_at),
            occurred_at=now,
            booked_at=now,
            due_at=now,
            details={
                "campaign": campaign.pk,
                "days": campaign.silent_days,
                "last_paid_at": last_paid_at.isoformat(),
            },
        )
        for member_id, last_paid_at in rows
        if last_paid_at is not None
    ]
    record_events(events)
    if campaign.daily_cap is not None:
        count_reached([campaign.pk] * len(events), on=on)
    return len(events)
