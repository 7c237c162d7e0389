"""Draining: the one place that claims rows, opens the transaction and judges a failing batch.

A service says what a batch does. What happens when it fails is said here, once:

* An operational error (lost connection, deadlock, time-out) is nobody's fault: the batch is rolled
  back, nothing is marked, and the error goes up to the road, which backs off and comes again.
* Any other error is in a row, or in our code. The batch is split until the bad rows are alone.
  If they are few they are parked for repair and the rest goes on. If more than MOST_BAD rows or
  half of the batch are bad it is our bug, not their rows: nothing is marked, StageBroken goes up.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger(__name__)

MOST_BAD: Final = 20
# A row that is alone in its batch cannot be compared with others: it gets so many tries.
LONE_TRIES: Final = 5

Key = TypeVar("Key")


class StageBroken(Exception):
    """Too many rows fail at once: our bug. No row was marked."""


@dataclass(frozen=True, slots=True)
class Queue(Generic[Key]):
    """How one stage claims and works.

    claim(limit, now): lock up to `limit` due keys, in this transaction, passing over locked ones
    reclaim(keys):     lock those of `keys` that are still due (a retry with fewer rows)
    work(keys, now):   one round over them; returns how many rows were done
    park(key, error, tries): mark the row that a lone key fails at, at the latest after `tries`
    rounds:            how often to go round while the locks are held
    """

    name: str
    claim: Callable[[int, datetime], Sequence[Key]]
    reclaim: Callable[[Sequence[Key], datetime], Sequence[Key]]
    work: Callable[[Sequence[Key], datetime], int]
    park: Callable[[Key, str, int], None]
    rounds: int = 1


@dataclass(slots=True)
class _Verdict(Generic[Key]):
    done: int = 0
    bad: list[tuple[Key, Exception]] = field(default_factory=list)


def drain(queue: Queue[Any], *, now: datetime, limit: int) -> int:
    """One batch of `queue`; returns how many rows were done. Raises StageBroken."""
    claimed: list[Any] = []
    try:
        with transaction.atomic():
            claimed.extend(queue.claim(limit, now))
            return _go_round(queue, claimed, now=now)
    except Exception as problem:
        if is_operational(problem) or not claimed:
            raise
        logger.warning("%s: a batch of %d fails: %r", queue.name, len(claimed), problem)
        return _split(queue, claimed, problem, now=now)


def is_operational(problem: BaseException) -> bool:
    """Whether the database or the connection failed, rather than a row or our code."""
    return isinstance(problem, (OperationalError, InterfaceError)) or not connection.is_usable()


def _go_round(queue: Queue[Any], claimed: list[Any], *, now: datetime) -> int:
    total = 0
    for _ in range(queue.rounds if claimed else 0):
        done = queue.work(claimed, now)
        total += done
        if not done:
            break
    return total


def _split(queue: Queue[Any], keys: list[Any], problem: Exception, *, now: datetime) -> int:
    verdict = _Verdict[Any]()
    _attempt(queue, keys, verdict, now=now)
    if len(verdict.bad) > MOST_BAD or len(verdict.bad) * 2 > max(len(keys), 2):
        raise StageBroken(
            f"{queue.name}: {len(verdict.bad)} of {len(keys)} rows fail; none was marked."
        ) from problem
    tries = LONE_TRIES if len(keys) == 1 else 1
    for key, error in verdict.bad:
        with transaction.atomic():
            queue.park(key, f"{type(error).__name__}: {error}", tries)
        logger.error("%s: %s fails: %r", queue.name, key, error)
    return verdict.done


def _attempt(
    queue: Queue[Any], keys: list[Any], verdict: _Verdict[Any], *, now: datetime
) -> None:
    """One round over `keys`; if it fails, over each half, until the bad ones are alone."""
    if len(verdict.bad) > MOST_BAD:
        return  # It is a bug of ours already: the rest need not be tried.
    try:
        with transaction.atomic():
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
