"""Webhooks: queued deliveries go out, signed, in the order of each member, until they are taken.

At least once: what was sent and never noted, because we died in between, is sent again under the
same webhook-id. One endpoint that is slow or dead delays no other: each has its own lane.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.dateparse import parse_datetime

from kit.bulk import fetch_all, insert_many, update_many
from kit.correspondence import (
    DEAD,
    LEASE,
    Correspondent,
    Tried,
    call,
    note_tries,
    put_off,
    shares,
)
from kit.crypto import CannotDecrypt
from kit.outward import Outgoing, Patience
from kit.standard_webhooks import make_secret, signed_headers
from kit.switchboard import Exchange, Switchboard
from kit.work import IS_DUE
from members.models import Delivery, DeliveryAttempt, Endpoint
from members.services.payloads import TEST

STOP_AFTER: Final = timedelta(days=5)  # Of nothing but failures.
OVERLAP: Final = timedelta(hours=24)
_PATIENCE: Final = Patience(connect=5.0, total=15.0)
_PATIENCE_OF_STAFF: Final = Patience(connect=3.0, total=8.0)
_KEPT: Final = timedelta(days=30)
_KEPT_UNSENT: Final = timedelta(days=90)
_FORGOTTEN_AT_ONCE: Final = 1000

# The oldest open delivery of each member, for so many of each endpoint as there is room for.
_CLAIM: Final = """
WITH lane (endpoint_id, room) AS (SELECT * FROM unnest(%(endpoints)s::bigint[], %(rooms)s::int[])),
picked AS MATERIALIZED (
    SELECT head.id FROM lane CROSS JOIN LATERAL (
        SELECT due.id FROM members_delivery AS due
        WHERE due.endpoint_id = lane.endpoint_id
            AND due.due_at <= %(now)s AND due.waiting_for = ''
            AND NOT EXISTS (
                SELECT 1 FROM members_delivery AS earlier
                WHERE earlier.endpoint_id = due.endpoint_id
                    AND earlier.member_id = due.member_id AND earlier.id < due.id
                    AND earlier.due_at IS NOT NULL AND earlier.waiting_for = '')
        ORDER BY due.due_at, due.id LIMIT lane.room
        FOR NO KEY UPDATE OF due SKIP LOCKED
    ) AS head
)
UPDATE members_delivery AS kept SET due_at = %(lease)s, attempts = kept.attempts + 1
FROM picked WHERE kept.id = picked.id
RETURNING kept.id, kept.endpoint_id, kept.key, kept.type, kept.happened_at, kept.data,
    kept.attempts
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    delivery_id: int
    lane: int  # The endpoint.
    attempts: int
    at: datetime
    outgoing: Outgoing
    patience: Patience = _PATIENCE


def announce_events(*, now: datetime, limit: int) -> int:
    """One turn: note what was answered, send what may be sent."""
    return _BOARD.turn(now=now, limit=limit)


def send_test(endpoint: Endpoint, *, now: datetime) -> Tried:
    """Send an event that means nothing, at once and once; returns what came of it."""
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        key=f"test_{uuid4().hex}",
        type=TEST,
        happened_at=now,
        queued_at=now,
        due_at=now + LEASE,
        attempts=1,
    )
    row: tuple[Any, ...] = (delivery.pk, endpoint.pk, delivery.key, TEST, now, {}, 1)
    parcel = _parcel(row, endpoint, now=now, patience=_PATIENCE_OF_STAFF)
    tried = _call(parcel)
    with transaction.atomic():
        _record([(parcel, tried)], now)
    return tried


def resend(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Send these again, whatever became of them; the receiver knows them by their webhook-id.

    Who asks for it knows that the other side is back: an endpoint that rests is asked at once.
    """
    asked = deliveries.order_by().values("endpoint")
    Endpoint.objects.filter(pk__in=asked, rests_until__isnull=False).update(rests_until=None)
    return deliveries.update(due_at=now, attempts=0, waiting_for="", error="")


def new_endpoint_secret(endpoint: Endpoint, *, now: datetime, overlap: timedelta = OVERLAP) -> str:
    """Sign with a new secret, and for `overlap` with the present ones too; the caller saves.

    Returns it: it is shown once."""
    made = make_secret()
    until = (now + overlap).isoformat()
    old = [
        {"secret": secret, "until": min(ends.isoformat(), until) if ends else until}
        for secret, ends in active_secrets(endpoint, now=now)
    ]
    endpoint.secrets = json.dumps([{"secret": made, "until": None}, *(old if overlap else [])])
    return made


def active_secrets(endpoint: Endpoint, *, now: datetime) -> list[tuple[str, datetime | None]]:
    """Those that sign now, newest first, each with its end; raises CannotDecrypt."""
    kept = json.loads(endpoint.secrets) if endpoint.secrets else []
    found = [(entry["secret"], parse_datetime(entry["until"] or "")) for entry in kept]
    return [(secret, until) for secret, until in found if until is None or until > now]


def revive(endpoint: Endpoint) -> tuple[str, ...]:
    """Staff switch it on or mend its address: what went before counts no more. Returns the
    columns that changed, for the caller to save."""
    endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
    endpoint.stopped_for = ""
    return ("failures", "failing_since", "rests_until", "stopped_for")


def forget_deliveries(*, now: datetime) -> int:
    """Prune what was taken a month ago, and what nobody wanted for three."""
    is_done = Q(due_at__isnull=True)
    is_off = Q(endpoint__is_enabled=False)
    old = Delivery.objects.filter(
        (is_done & Q(queued_at__lt=now - _KEPT))
        | ((is_off | Q(waiting_for=DEAD)) & Q(queued_at__lt=now - _KEPT_UNSENT))
    )
    total = 0
    while keys := list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE]):
        DeliveryAttempt.objects.filter(delivery__in=keys).delete()
        Delivery.objects.filter(pk__in=keys).delete()
        total += len(keys)
    return total


# One turn


def _claim(busy: Mapping[Any, int], room: int, now: datetime) -> list[Parcel]:
    endpoints = {row.pk: row for row in _ready(now)}
    rooms = shares(endpoints, busy=busy, room=room)
    opened = {pk: endpoints[pk] for pk in rooms if _is_opened(endpoints[pk])}
    if not opened:
        return []
    values = {
        "endpoints": list(opened),
        "rooms": [rooms[pk] for pk in opened],
        "now": now,
        "lease": now + LEASE,
    }
    rows = sorted(fetch_all(_CLAIM, values))
    return [_parcel(row, opened[row[1]], now=now) for row in rows]


def _ready(now: datetime) -> QuerySet[Endpoint]:
    """Endpoints that something is due for, the one that was served last coming last."""
    due = Delivery.objects.filter(IS_DUE, endpoint=OuterRef("pk"), due_at__lte=now)
    is_awake = Q(rests_until__isnull=True) | Q(rests_until__lte=now)
    rows = Endpoint.objects.filter(is_awake, Exists(due), is_enabled=True)
    return rows.defer("secrets").order_by(F("last_good_at").asc(nulls_first=True), "pk")


def _is_opened(endpoint: Endpoint) -> bool:
    """Read its secrets; an endpoint whose secrets cannot be opened is switched off."""
    try:
        endpoint.refresh_from_db(fields=["secrets"])
    except CannotDecrypt:
        Endpoint.objects.filter(pk=endpoint.pk).update(
            is_enabled=False, stopped_for=Endpoint.Stop.NO_KEY
        )
        return False
    return True


def _parcel(
    row: Sequence[Any], endpoint: Endpoint, *, now: datetime, patience: Patience = _PATIENCE
) -> Parcel:
    pk, _endpoint_id, key, kind, happened_at, data, attempts = row
    content = json.loads(data) if isinstance(data, str) else data
    told = {"type": kind, "timestamp": happened_at.isoformat(), "data": content}
    body = json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":")).encode()
    secrets = [secret for secret, _until in active_secrets(endpoint, now=now)]
    headers = signed_headers(body, secrets=secrets, message_id=key, at=now)
    headers["Content-Type"] = "application/json"
    outgoing = Outgoing("POST", endpoint.url, headers, body)
    return Parcel(pk, endpoint.pk, attempts, now, outgoing, patience)


def _call(parcel: Parcel) -> Tried:
    return call(parcel.outgoing, patience=parcel.patience, clock=time.monotonic)


def _record(ended: Sequence[tuple[Parcel, Tried]], now: datetime) -> None:
    """What came of these calls. A row that was claimed anew meanwhile belongs to that claim,
    unless it turns out that it was taken."""
    keys = sorted(parcel.delivery_id for parcel, _tried in ended)
    held = Delivery.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    rows = {row.pk: row for row in held}
    ended = [(parcel, tried) for parcel, tried in ended if parcel.delivery_id in rows]
    insert_many(
        [
            DeliveryAttempt(delivery_id=parcel.delivery_id, **tried.as_attempt(at=parcel.at))
            for parcel, tried in ended
        ]
    )
    for parcel, tried in ended:
        row = rows[parcel.delivery_id]
        if tried.is_good:
            row.due_at, row.sent_at, row.waiting_for, row.error = None, now, "", ""
        elif row.attempts == parcel.attempts and row.due_at is not None:
            _put_off(row, tried, now=now)
    update_many(list(rows.values()), ["due_at", "sent_at", "waiting_for", "error"])
    _note_endpoints(ended, now=now)


def _put_off(row: Delivery, tried: Tried, *, now: datetime) -> None:
    put_off(row, tried, key=f"{row.endpoint_id}:{row.key}", now=now)
    if row.type == TEST:  # Somebody watched it fail: it is not tried again.
        row.due_at, row.waiting_for = None, ""


def _note_endpoints(ended: Sequence[tuple[Parcel, Tried]], *, now: datetime) -> None:
    lanes = {parcel.lane for parcel, _tried in ended}
    held = Endpoint.objects.select_for_update(no_key=True).filter(pk__in=lanes)
    rows = list(held.defer("secrets").order_by("pk"))
    for row in rows:
        tries = [tried for parcel, tried in ended if parcel.lane == row.pk]
        note_tries(row, tries, now=now)
        if any(tried.is_gone for tried in tries):
            row.is_enabled, row.stopped_for = False, Endpoint.Stop.GONE
        elif row.failing_since is not None and row.failing_since < now - STOP_AFTER:
            row.is_enabled, row.stopped_for = False, Endpoint.Stop.FAILING
    update_many(rows, [*Correspondent.NOTED, "is_enabled", "stopped_for"])


_BOARD: Final = Switchboard(Exchange(name="announce", claim=_claim, call=_call, record=_record))
