"""Those whom we call again and again: how it has been going, when to try again, when to let be.

What is handed over here is handed over at least once: a call whose end was never noted is made
again when its lease is over. Who must not act twice compares keys, which stay the same.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.outward import (
    Answer,
    CallFailed,
    Outgoing,
    Patience,
    TooLong,
    Trouble,
    fetch,
)
from kit.work import Work

DEAD: Final = "dead"  # What a row waits for that was given up: staff may try it again.
# A call is given up by its time-out long before.
LEASE: Final = timedelta(minutes=2)
_LONGEST_WAIT: Final = timedelta(hours=24)
# Eleven tries within about three days.
_WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    _LONGEST_WAIT,
)
_JITTER: Final = 0.15
# To one address at once: several while all goes well, one to see whether it is back.
_LANE: Final = 8
_LANE_OF_FAILING: Final = 1
# So many failures in a row are bad luck; after that the other side is given a rest.
_BAD_LUCK: Final = 2
_FIRST_REST: Final = timedelta(seconds=10)
_LONGEST_REST: Final = timedelta(minutes=10)
_LONGEST_ANSWER: Final = 16 * 1024
_LONGEST_NOTE: Final = 500


class Correspondent(models.Model):
    """Somebody with an address, and how it has been going there."""

    url = models.CharField(_("address"), max_length=2000)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    rests_until = models.DateTimeField(_("rests until"), null=True, editable=False)
    last_good_at = models.DateTimeField(_("last taken at"), null=True, editable=False)

    class Meta:
        abstract = True

    # What note_tries changes.
    NOTED = ("failures", "failing_since", "rests_until", "last_good_at")


class Attempt(models.Model):
    """One try and what was answered. Pruned with what it belongs to."""

    tried_at = models.DateTimeField(_("tried at"))
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    status = models.PositiveSmallIntegerField(_("answer"), null=True)
    trouble = models.CharField(_("trouble"), max_length=20, default="", blank=True)
    note = models.CharField(_("note"), max_length=_LONGEST_NOTE, default="", blank=True)

    class Meta:
        abstract = True


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a call. `status` is None where nobody answered; `trouble` says why."""

    milliseconds: int
    status: int | None = None
    trouble: str = ""
    note: str = ""
    retry_after: str = ""
    answer: Answer | None = None
    is_cut: bool = False  # The answer was longer than anybody reads; its status counts.

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == HTTPStatus.GONE

    @property
    def is_down(self) -> bool:
        """Whether the other side as a whole is at fault, and not what was said to it."""
        return self.status is None or self.status >= 500 or self.status == 429

    def as_attempt(self, *, at: datetime) -> dict[str, Any]:
        return {
            "tried_at": at,
            "milliseconds": self.milliseconds,
            "status": self.status,
            "trouble": self.trouble,
            "note": self.note,
        }


def call(outgoing: Outgoing, *, patience: Patience, clock: Any) -> Tried:
    """Make the call; every failure that the network can have is an outcome. `clock` counts
    seconds (time.monotonic). An answer that is too long to read was given all the same."""
    began = clock()
    answer: Answer | None = None
    trouble, detail, is_cut = "", "", False
    try:
        answer = fetch(outgoing, patience=patience, largest=_LONGEST_ANSWER)
    except TooLong as problem:
        answer, is_cut = problem.answer, True
    except CallFailed as problem:
        trouble, detail = str(problem.trouble), problem.detail
    took = round((clock() - began) * 1000)
    if answer is None:
        return Tried(took, trouble=trouble or Trouble.BROKEN, note=_plain(detail))
    return Tried(
        took,
        status=answer.status,
        note=_plain(answer.body.decode("utf-8", "replace")),
        retry_after=answer.headers.get("retry-after", ""),
        answer=answer,
        is_cut=is_cut,
    )


def next_try(attempts: int, *, key: str, tried: Tried, now: datetime) -> datetime | None:
    """When to try again after `attempts` tries; None when it is time to give up.

    The jitter is the key's own, so that what failed together does not come back together.
    """
    if attempts > len(_WAITS):
        return None
    digest = hashlib.sha256(f"{key}:{attempts}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 0xFFFFFFFF
    wait = _WAITS[max(attempts, 1) - 1] * (1 - _JITTER + 2 * _JITTER * share)
    return now + min(max(wait, asked_wait(tried, now=now)), _LONGEST_WAIT)


def asked_wait(tried: Tried, *, now: datetime) -> timedelta:
    """How long the other side asks us to wait: Retry-After, in seconds or as a date."""
    text = tried.retry_after.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 86_400))
    try:
        until: datetime = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return timedelta()
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta()), _LONGEST_WAIT)


def note_tries(whom: Correspondent, tries: Iterable[Tried], *, now: datetime) -> None:
    """Reckon how it is going with `whom`, in memory; the caller holds the row and saves it."""
    for tried in tries:
        if not tried.is_down:
            whom.failures, whom.failing_since, whom.rests_until = 0, None, None
            whom.last_good_at = now if tried.is_good else whom.last_good_at
            continue
        whom.failures += 1
        whom.failing_since = whom.failing_since or now
        rest = max(_rest_after(whom.failures), asked_wait(tried, now=now))
        whom.rests_until = now + rest if rest else None


def put_off(row: Work, tried: Tried, *, key: str, now: datetime) -> None:
    """When `row`, which was not taken, is due again, or that it is given up; in memory."""
    again = next_try(row.attempts, key=key, tried=tried, now=now)
    row.error = tried.trouble or str(tried.status)
    row.due_at = again or now
    row.waiting_for = "" if again else DEAD


def shares(
    whom: Mapping[int, Correspondent], *, busy: Mapping[int, int], room: int
) -> dict[int, int]:
    """How many calls each may get now: what its lane leaves free, and an even share of `room`."""
    free = {}
    for key, correspondent in whom.items():
        lane = _LANE_OF_FAILING if correspondent.failures else _LANE
        if lane > busy.get(key, 0):
            free[key] = lane - busy.get(key, 0)
    share = max(room // max(len(free), 1), 1)
    return {key: min(places, share) for key, places in list(free.items())[:room]}


def _rest_after(failures: int) -> timedelta:
    beyond = failures - _BAD_LUCK
    if beyond <= 0:
        return timedelta()
    return min(_FIRST_REST * (1 << min(beyond - 1, 10)), _LONGEST_REST)


def _plain(text: str) -> str:
    """One line that a database can hold and a page can show."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST_NOTE])
    return " ".join(kept.split())[:_LONGEST_NOTE]
