"""Announce: events are queued for the endpoints that want them, in the transaction they stand in.

Settling passes here with every batch: without an endpoint it costs a look at a clock.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from kit.bulk import insert_many, is_any_of
from members.models import Delivery, Endpoint, Event, Member
from members.services.payloads import Telling, telling

# A new endpoint hears of events in every process after this long, without a query for each batch.
_REMEMBERED_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Listener:
    endpoint_id: int
    types: frozenset[str]
    region_id: int | None
    store_id: int | None

    def wants(self, kind: str) -> bool:
        return not self.types or kind in self.types

    def is_about(self, who: "_Who") -> bool:
        return self.region_id in (None, who.region_id) and self.store_id in (None, who.store_id)


class _Who(NamedTuple):
    code: str
    region_id: int
    region: str
    store_id: int | None
    store: str | None


_memory: list[tuple[float, tuple[_Listener, ...]]] = []


def announce(events: Sequence[Event]) -> None:
    """Queue deliveries of `events`, which were just recorded, in their order."""
    listeners = _listeners()
    if not listeners:
        return
    wanted = []
    for event in events:
        told = telling(event)
        if told is not None and any(listener.wants(told[0]) for listener in listeners):
            wanted.append((event, told))
    if not wanted:
        return
    members = _whoever({event.member_id for event, _told in wanted})
    insert_many(
        [
            _delivery(listener, event, told, members[event.member_id])
            for event, told in wanted
            for listener in listeners
            if listener.wants(told[0]) and listener.is_about(members[event.member_id])
        ]
    )


def forget_listeners() -> None:
    """Drop this process's memory of endpoints (a save in the admin; tests)."""
    _memory.clear()


def _listeners() -> tuple[_Listener, ...]:
    now = time.monotonic()
    if _memory and _memory[0][0] > now:
        return _memory[0][1]
    rows = Endpoint.objects.filter(is_enabled=True).order_by("pk")
    found = tuple(
        _Listener(pk, frozenset(types), region_id, store_id)
        for pk, types, region_id, store_id in rows.values_list(
            "pk", "types", "region_id", "store_id"
        )
    )
    _memory[:] = [(now + _REMEMBERED_SECONDS, found)]
    return found


def _whoever(ids: Iterable[UUID]) -> dict[UUID, _Who]:
    rows = Member.objects.filter(is_any_of("id", ids)).values_list(
        "pk", "code", "region_id", "region__code", "home_store_id", "home_store__code"
    )
    return {row[0]: _Who._make(row[1:]) for row in rows}


def _delivery(listener: _Listener, event: Event, told: Telling, who: _Who) -> Delivery:
    kind, data = told
    return Delivery(
        endpoint_id=listener.endpoint_id,
        member_id=event.member_id,
        event_id=event.pk,
        key=f"evt_{event.pk.hex}",
        type=kind,
        happened_at=event.occurred_at,
        queued_at=event.booked_at,
        data={"member": who.code, "region": who.region, "home_store": who.store, **data},
        due_at=event.booked_at,
    )
