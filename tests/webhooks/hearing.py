"""Who hears and what is told: endpoints, events by hand, and turns of the stage."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from members.models import Delivery, Endpoint, Event, Member
from members.services.announcing import forget_listeners
from members.services.timeline import record_events
from members.services.webhooks import announce_events, new_endpoint_secret
from tests.build import NOON
from tests.outside import Seen

DAY = timedelta(days=1)


def endpoint(url: str, *, name: str = "Till", **changes: Any) -> Endpoint:
    row = Endpoint(name=name, url=url, **changes)
    new_endpoint_secret(row, now=NOON - DAY, overlap=timedelta())
    row.save()
    forget_listeners()
    return row


def secret_of(row: Endpoint) -> str:
    row.refresh_from_db()
    return str(json.loads(row.secrets)[0]["secret"])


def earn(*members: Member, points: int = 10, at: datetime = NOON) -> list[Event]:
    """One payment's event of each member, kept at once."""
    return record_events(
        Event(
            member=member,
            kind=Event.Kind.PAID,
            key=str(uuid4()),
            occurred_at=at,
            booked_at=at,
            details={"points": points, "payment_ref": "p1", "amount": "10.00", "may_message": 1},
        )
        for member in members
    )


def turn(now: datetime = NOON) -> None:
    """Everything that is due at `now`, until all calls have ended."""
    while announce_events(now=now, limit=48):
        pass


def keys_of(seen: Sequence[Seen]) -> list[str]:
    return [each.headers["webhook-id"] for each in seen]


def states() -> dict[str, str]:
    """`sent`, `due` or what is waited for, by webhook-id."""
    return {
        row.key: row.waiting_for or ("sent" if row.due_at is None else "due")
        for row in Delivery.objects.order_by("id")
    }
