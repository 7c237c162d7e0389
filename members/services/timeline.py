"""The timeline: events of members are kept here, and here alone."""

from collections.abc import Iterable

from django.db import transaction

from members.models import Event
from members.services.announcing import announce


def record_events(events: Iterable[Event]) -> list[Event]:
    """Keep them, and queue them for whoever listens: both or neither."""
    with transaction.atomic(savepoint=False):
        rows = Event.record(events)
        announce(rows)
    return rows
