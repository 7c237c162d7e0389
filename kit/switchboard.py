"""Calls side by side: one that hangs holds up no other.

kit.drain hands rows over one by one, in step with the stage. Where the rows go to many places, of
which any may be slow or dead, that is not enough. Here a stage claims rows for those lanes that
are free, the calls run on threads which never touch the database, and a later turn of the same
stage records what came of them. The rest is as in kit.drain: the claim commits before the call, no
transaction is open during it, an operational error of the database marks nothing and goes up.

A claim is a lease: when the process dies, the row is due again once the lease is over.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from django.db import transaction

from kit.drain import StageBroken, is_operational

logger = logging.getLogger(__name__)

THREADS: Final = 128
# How long a turn waits for the first call to end, if there is nothing else to do.
_LISTEN_SECONDS: Final = 0.1


class HasLane(Protocol):
    @property
    def lane(self) -> Hashable: ...


Parcel = TypeVar("Parcel", bound=HasLane)
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Exchange(Generic[Parcel, Outcome]):
    """How one stage hands rows to many places at once.

    claim(busy, room, now): lease up to `room` rows and return what their calls need; `busy` says
                            how many calls each lane has under way. Runs in a transaction.
    call(parcel):           the network, on a thread; every failure that it expects is an outcome
    record(ended, now):     keep what came of these calls. Runs in a transaction.
    """

    name: str
    claim: Callable[[Mapping[Any, int], int, datetime], Sequence[Parcel]]
    call: Callable[[Parcel], Outcome]
    record: Callable[[Sequence[tuple[Parcel, Outcome]], datetime], None]


class Switchboard(Generic[Parcel, Outcome]):
    """The calls of one stage that are under way in this process."""

    def __init__(self, exchange: Exchange[Parcel, Outcome], *, threads: int = THREADS) -> None:
        self._exchange = exchange
        self._threads = threads
        self._calls: dict[Future[Outcome], Parcel] = {}
        self._ended: list[tuple[Parcel, Outcome]] = []

    def turn(self, *, now: datetime, limit: int) -> int:
        """Record what has ended, start what there is room for; returns how many calls ended or
        are under way, so that who drains until nothing is left waits for them."""
        done = self._record(now)
        busy = Counter(parcel.lane for parcel in self._calls.values())
        room = min(limit, self._threads - len(self._calls))
        if room > 0:
            with transaction.atomic(durable=True):
                parcels = self._exchange.claim(busy, room, now)
            for parcel in parcels:
                self._calls[self._start(parcel)] = parcel
        if self._calls and not done:
            wait(self._calls, timeout=_LISTEN_SECONDS, return_when=FIRST_COMPLETED)
            done = self._record(now)
        return done + len(self._calls)

    def _start(self, parcel: Parcel) -> "Future[Outcome]":
        """On a thread of its own that the process does not wait for when it ends: nobody would
        note what came of it, so the row is due again."""
        future: Future[Outcome] = Future()

        def run() -> None:
            try:
                future.set_result(self._exchange.call(parcel))
            except BaseException as problem:
                future.set_exception(problem)
                raise

        name = f"{self._exchange.name} {parcel.lane}"
        threading.Thread(target=run, name=name, daemon=True).start()
        return future

    def _record(self, now: datetime) -> int:
        """What the database could not take for now stays in memory until it can."""
        broken = self._collect()
        ended = self._ended
        if ended:
            broken = self._keep(ended, now) or broken
            self._ended = []
        if broken is not None:
            raise StageBroken(f"{self._exchange.name}: a call or its record failed.") from broken
        return len(ended)

    def _collect(self) -> BaseException | None:
        broken = None
        for future in [future for future in self._calls if future.done()]:
            parcel = self._calls.pop(future)
            problem = future.exception()
            if problem is None:
                self._ended.append((parcel, future.result()))
            else:  # Our bug: the row is due again when its lease is over.
                broken = problem
        return broken

    def _keep(self, ended: list[tuple[Parcel, Outcome]], now: datetime) -> BaseException | None:
        try:
            with transaction.atomic(durable=True):
                self._exchange.record(ended, now)
        except Exception as problem:
            if is_operational(problem):
                raise
            if len(ended) == 1:
                logger.exception("%s: an outcome cannot be kept.", self._exchange.name)
                return problem
        else:
            return None
        found = [self._keep([each], now) for each in ended]
        return next((problem for problem in found if problem is not None), None)
