"""Draining: the one place that claims rows, opens the transaction and judges a failing batch.

A service says what a batch does. What happens when it fails is said here, once:

* An operational error (lost connection, deadlock, time-out) is nobody's fault: the batch is rolled
  back, nothing is marked, and the error goes up to the road, which backs off and comes again.
* Any other error is in a row, or in our code. The batch is split until the bad rows are alone.
  If they are few they are parked for repair and the rest goes on. If more than MOST_BAD rows or
  half of the batch are bad it is our bug, not their rows: nothing is marked, StageBroken goes up.

`drain` works on sets inside one transaction. `drain_outward` speaks with the outside world, row by
row: the claim commits, the call is made outside any transaction, what came of it commits. A row
whose claim committed and whose outcome never did is in doubt: staff look, nothing resends it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from kit.said import Explained, said

logger = logging.getLogger(__name__)

MOST_BAD: Final = 20
# A row that is alone in its batch cannot be compared with others: it gets so many tries.
LONE_TRIES: Final = 5

Key = TypeVar("Key")
Parcel = TypeVar("Parcel")
Outcome = TypeVar("Outcome")


class StageBroken(Exception):
    """Too many rows fail at once: our bug. No row was marked."""


@dataclass(frozen=True)
class Queue(Generic[Key]):
    """How one stage claims and works.

    claim(limit, now): lock up to `limit` due keys, in this transaction, passing over locked ones
    reclaim(keys):     lock those of `keys` that are still due (a retry with fewer rows)
    work(keys, now):   one round over them; returns how many rows were done
    park(key, error, tries): mark the row that a lone key fails at, at the latest after `tries`
    rounds:            how often to go round, at most, while the locks are held
    """

    name: str
    claim: Callable[[int, datetime], Sequence[Key]]
    reclaim: Callable[[Sequence[Key], datetime], Sequence[Key]]
    work: Callable[[Sequence[Key], datetime], int]
    park: Callable[[Key, str, int], None]
    rounds: int = 1


@dataclass(frozen=True)
class Outbox(Generic[Key, Parcel, Outcome]):
    """How one stage hands rows to somebody outside the database.

    find(limit, now):    up to `limit` due keys; nothing is locked
    claim(key, now):     mark the row as being handed over and return all that the call needs; None
                         if another has it, or if it turns out that it is not to be handed over
    call(parcel):        the network, with a time-out; a failure that it expects is an outcome
    record(key, outcome, now): keep what came of it
    park(key, error, tries): mark the row that cannot be claimed, at the latest after `tries`
    """

    name: str
    find: Callable[[int, datetime], Sequence[Key]]
    claim: Callable[[Key, datetime], Parcel | None]
    call: Callable[[Parcel], Outcome]
    record: Callable[[Key, Outcome, datetime], None]
    park: Callable[[Key, str, int], None]


@dataclass(slots=True)
class _Verdict(Generic[Key]):
    done: int = 0
    bad: list[tuple[Key, Exception]] = field(default_factory=list)


def drain(queue: Queue[Any], *, now: datetime, limit: int) -> int:
    """One batch of `queue`; returns how many rows were done. Raises StageBroken."""
    claimed: list[Any] = []
    try:
        with transaction.atomic():
            _let_the_disk_follow()
            claimed.extend(queue.claim(limit, now))
            return _go_round(queue, claimed, now=now)
    except Exception as problem:
        if is_operational(problem) or not claimed:
            raise
        logger.warning("%s: a batch of %d fails: %r", queue.name, len(claimed), problem)
        return _split(queue, claimed, now=now)


def drain_outward(outbox: Outbox[Any, Any, Any], *, now: datetime, limit: int) -> int:
    """One batch of `outbox`; returns how many rows were looked at. Raises StageBroken.

    An error of the call that is not an outcome goes up: the row stays in doubt, for staff to see.
    """
    keys = list(outbox.find(limit, now))
    bad: list[tuple[Any, Exception]] = []
    for key in keys:
        try:
            with transaction.atomic(durable=True):
                parcel = outbox.claim(key, now)
        except Exception as problem:
            if is_operational(problem):
                raise
            bad.append((key, problem))
            if len(bad) > MOST_BAD:
                break
            continue
        if parcel is None:
            continue
        outcome = outbox.call(parcel)
        with transaction.atomic(durable=True):
            outbox.record(key, outcome, now)
    _park(outbox, keys, bad)
    return len(keys) - len(bad)


def is_operational(problem: BaseException) -> bool:
    """Whether the database or the connection failed, rather than a row or our code."""
    return isinstance(problem, (OperationalError, InterfaceError)) or not connection.is_usable()


def _let_the_disk_follow() -> None:
    """Commit this batch without waiting for the disk. A crash of the server may undo the last half
    second of batches, each as a whole: their rows are due again then, and are done again. What was
    acknowledged to a platform, or handed to the outside world, was on the disk before that."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def _go_round(queue: Queue[Any], claimed: list[Any], *, now: datetime) -> int:
    total = 0
    for _ in range(queue.rounds if claimed else 0):
        done = queue.work(claimed, now)
        total += done
        # A round costs the same for few as for many: what a minority still has due is claimed
        # again with the next batch, in company.
        if done * 2 < len(claimed):
            break
    return total


def _split(queue: Queue[Any], keys: list[Any], *, now: datetime) -> int:
    verdict = _Verdict[Any]()
    _attempt(queue, keys, verdict, now=now)
    _park(queue, keys, verdict.bad)
    return verdict.done


def _park(
    stage: Queue[Any] | Outbox[Any, Any, Any], keys: list[Any], bad: list[tuple[Any, Exception]]
) -> None:
    """Mark the few bad rows; raises StageBroken if they are too many to be the rows' fault."""
    if len(bad) > MOST_BAD or len(bad) * 2 > max(len(keys), 2):
        raise StageBroken(
            f"{stage.name}: {len(bad)} of {len(keys)} rows fail; none was marked."
        ) from bad[0][1]
    tries = LONE_TRIES if len(keys) == 1 else 1
    for key, error in bad:
        with transaction.atomic():
            stage.park(key, _reason(error), tries)
        logger.error("%s: %s fails: %r", stage.name, key, error)


def _reason(error: Exception) -> str:
    """What staff read of it; the log has all of it. PostgreSQL quotes the row from line two on."""
    if isinstance(error, Explained):
        return error.kept
    told = Explained(str(error).partition("\n")[0])  # Perhaps a sentence of our catalogues.
    return said("Something unforeseen happened; the server's log says more: %(told)s", told=told)


def _attempt(queue: Queue[Any], keys: list[Any], verdict: _Verdict[Any], *, now: datetime) -> None:
    """One round over `keys`; if it fails, over each half, until the bad ones are alone."""
    if len(verdict.bad) > MOST_BAD:
        return  # It is a bug of ours already: the rest need not be tried.
    try:
        with transaction.atomic():
            _let_the_disk_follow()
            held = list(queue.reclaim(keys, now))
            verdict.done += queue.work(held, now) if held else 0
    except Exception as error:
        if is_operational(error):
            raise
        if len(keys) == 1:
            verdict.bad.append((keys[0], error))
            return
        middle = len(keys) // 2
        _attempt(queue, keys[:middle], verdict, now=now)
        _attempt(queue, keys[middle:], verdict, now=now)
