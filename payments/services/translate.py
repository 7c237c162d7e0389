"""Translate: genuine posts become transactions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.db.models.expressions import RawSQL

from kit.bulk import is_any_of
from kit.drain import Queue, drain
from kit.work import IS_DUE, note_failure
from payments.models import Callback, CallbackBody, Transaction
from payments.providers.base import Ignored, MalformedPayload, Notice
from payments.services.accounts import KnownAccount, known_accounts
from payments.services.bodies import unseal
from payments.services.booking import Booked, Entry, book

# Settling waits for posts that came earlier, but not for longer than this.
_PATIENCE: Final = timedelta(seconds=30)
CONFLICT: Final = "conflict"

_TRANSLATED_UNTIL: Final = """
SELECT coalesce(min(due_at), 'infinity') FROM payments_callback
WHERE due_at > %s AND waiting_for = '' AND attempts = 0
"""


def translate_callbacks(*, now: datetime, limit: int) -> int:
    return drain(_QUEUE, now=now, limit=limit)


def translated_until(*, now: datetime) -> RawSQL:
    """The instant before which every post received is translated, as a part of a query.

    Settling keeps to it, so that a member's payments are settled in the order in which they came
    in, however many processes translate.
    """
    return RawSQL(_TRANSLATED_UNTIL, [now - _PATIENCE])  # noqa: S611 - a constant


def _claim(limit: int, now: datetime) -> Sequence[UUID]:
    due = Callback.objects.filter(IS_DUE, due_at__lte=now).order_by("due_at")
    return list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])


def _reclaim(keys: Sequence[UUID], now: datetime) -> Sequence[UUID]:
    due = Callback.objects.filter(IS_DUE, pk__in=keys, due_at__lte=now)
    return list(due.select_for_update(skip_locked=True).values_list("pk", flat=True))


def _translate(keys: Sequence[UUID], now: datetime) -> int:
    """One batch, whatever its size, in a fixed number of queries."""
    callbacks = list(Callback.objects.filter(is_any_of("pk", keys)).order_by("due_at", "pk"))
    accounts = known_accounts(callback.account_id for callback in callbacks)
    entries: list[Entry] = []
    outcomes: dict[str, list[UUID]] = defaultdict(list)
    for callback, reading in _read(callbacks, accounts):
        if isinstance(reading, MalformedPayload):
            _park(callback.pk, str(reading), 1)
        elif isinstance(reading, Ignored):
            outcomes[f"ignored:{reading.reason}"].append(callback.pk)
        else:
            store_id = accounts[callback.account_id].store_id
            entries += [_entry(callback, notice, store_id) for notice in reading]
            outcomes["booked"].append(callback.pk)
    booked = book(entries)
    for outcome, done in outcomes.items():
        Callback.objects.filter(is_any_of("pk", done)).update(
            outcome=outcome[:60], due_at=None, attempts=0, waiting_for="", error=""
        )
    _set_conflicts_apart(booked)
    return len(keys)


def _read(
    callbacks: Sequence[Callback], accounts: Mapping[int, KnownAccount]
) -> Iterator[tuple[Callback, list[Notice] | Ignored | MalformedPayload]]:
    oldest = min((callback.received_at for callback in callbacks), default=None)
    bodies = dict(
        CallbackBody.objects.filter(
            is_any_of("callback_id", [callback.pk for callback in callbacks]),
            received_at__gte=oldest,  # So that old partitions are not searched.
        ).values_list("callback_id", "sealed")
    )
    for callback in callbacks:
        account = accounts[callback.account_id]
        if callback.pk not in bodies:
            yield callback, MalformedPayload("The body was pruned; it cannot be read again.")
            continue
        try:
            yield callback, account.provider.read(unseal(bodies[callback.pk]), account.keys)
        except MalformedPayload as problem:
            yield callback, problem


def _entry(callback: Callback, notice: Notice, store_id: int | None) -> Entry:
    return Entry(
        notice=notice,
        account_id=callback.account_id,
        source=Transaction.Source.CALLBACK,
        received_at=callback.received_at,
        callback_id=callback.pk,
        store_id=store_id,
    )


def _set_conflicts_apart(booked: Booked) -> None:
    """The same effect with another amount: the first one stands, and staff see the second."""
    pks = {entry.callback_id for entry in booked.conflicting if entry.callback_id}
    if pks:
        Callback.objects.filter(pk__in=pks).update(
            outcome="conflict", due_at=F("received_at"), waiting_for=CONFLICT
        )


def _park(key: UUID, error: str, tries: int) -> None:
    note_failure(Callback.objects.filter(pk=key), error, tries=tries)


_QUEUE: Final = Queue(
    name="translate", claim=_claim, reclaim=_reclaim, work=_translate, park=_park
)
