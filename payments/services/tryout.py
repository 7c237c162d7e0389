"""Trying a post out: the verdict and what it would be read as. Nothing is stored."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from kit.untrusted import Fields, Unreadable
from payments.providers.base import (
    Hint,
    Ignored,
    Inbound,
    Keys,
    MalformedPayload,
    Notice,
    Provider,
    Reason,
    Rejected,
    Verified,
)

_MOST_HEADERS: Final = 100
_AGE: Final = re.compile(r"(-?[0-9]{1,10}) s", re.ASCII)
_LATE: Final = frozenset({Reason.TOO_OLD, Reason.TOO_NEW})


@dataclass(frozen=True, slots=True)
class Tried:
    """is_genuine: signed well; is_late: but at another time, as a pasted post will be."""

    verdict: Verified | Rejected | Hint
    reading: list[Notice] | Ignored | MalformedPayload
    is_genuine: bool
    is_late: bool = False
    body: bytes = field(default=b"", repr=False)


def try_post(provider: Provider, keys: Keys, inbound: Inbound, *, now: datetime) -> Tried:
    """What the provider says of a post that somebody pasted.

    A browser rewrites the ends of lines, so the body is tried as it may have been.
    """
    tried = [_try(provider, keys, replace(inbound, body=body), now) for body in _as_sent(inbound)]
    best = sorted(tried, key=lambda each: (not each.is_genuine, each.is_late))
    return best[0]


def _try(provider: Provider, keys: Keys, inbound: Inbound, now: datetime) -> Tried:
    verdict = provider.verify(inbound, keys, now)
    is_late = isinstance(verdict, Rejected) and verdict.reason in _LATE
    if is_late and isinstance(verdict, Rejected):
        verdict = provider.verify(inbound, keys, _its_own_time(verdict, now))
    dated = replace(inbound, received_at=inbound.received_at or now)
    try:
        reading: list[Notice] | Ignored | MalformedPayload = provider.read(dated, keys)
    except MalformedPayload as problem:
        reading = problem
    return Tried(verdict, reading, isinstance(verdict, Verified), is_late, inbound.body)


def _its_own_time(late: Rejected, now: datetime) -> datetime:
    """The moment that the post says it was signed at: providers give its age, as in `612 s`."""
    age = _AGE.fullmatch(late.detail)
    return now - timedelta(seconds=int(age[1])) if age else now


def _as_sent(inbound: Inbound) -> Iterator[bytes]:
    unix = inbound.body.replace(b"\r\n", b"\n")
    bodies = (unix, unix.rstrip(b"\n"), unix.strip(), unix.replace(b"\n", b"\r\n"))
    yield from dict.fromkeys(bodies)


def pasted(headers: str, body: str, *, method: str, url: str) -> Inbound:
    """The request out of what was pasted; raises Unreadable for a line that is no header."""
    found: dict[str, str] = {}
    lines = [line.strip() for line in headers.splitlines() if line.strip()]
    for line in lines[:_MOST_HEADERS]:
        name, colon, value = line.partition(":")
        if line.startswith(("POST ", "GET ")) and "HTTP/" in line:
            continue  # The request line, pasted along.
        if not colon or not name.strip() or " " in name.strip():
            raise Unreadable(line[:60])
        found[name.strip().lower()] = Fields({"value": value.strip()}).hint("value", longest=8000)
    return Inbound(method, url, found, body.encode())
