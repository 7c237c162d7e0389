"""Accepting: the callback URL beside a bare DRF view that inserts the same row by the ORM.

Both are in one server; short rounds take turns, so that noise of the machine meets both alike.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from benchmarks.merchant import Merchant
from benchmarks.place import Connection, web
from benchmarks.report import Result
from config.simulation.till import Door, Till, door_of, payment

_CONNECTIONS = 8
_FLOOR = 0.65

_TABLE = """
CREATE TABLE bare_callback (LIKE payments_callback INCLUDING ALL);
ALTER TABLE bare_callback ADD COLUMN body bytea NOT NULL;
GRANT SELECT, INSERT ON bare_callback TO regulars;
"""


def measure(merchant: Merchant, owner: Connection, *, rounds: int, seconds: float) -> Result:
    owner.execute(_TABLE)
    codes = [member.code for member in merchant.members[:1000]]
    with web(DJANGO_SETTINGS_MODULE="benchmarks.bare.settings") as url:
        ours = door_of(url)
        bare = replace(ours, path="/bare/")
        for door in (ours, bare):
            _rate(door, codes, seconds=1.0)  # Connections, caches, first imports.
        pairs = [
            (_rate(ours, codes, seconds=seconds), _rate(bare, codes, seconds=seconds))
            for _ in range(rounds)
        ]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return Result(
        name="accept: callbacks/s beside a bare view",
        figures={
            "callbacks_per_s": statistics.median(mine for mine, _ in pairs),
            "bare_per_s": statistics.median(theirs for _, theirs in pairs),
            "ratio": ratio,
        },
        wanted=f"ratio ≥ {_FLOOR}",
        is_met=ratio >= _FLOOR,
    )


def _rate(door: Door, codes: list[str], *, seconds: float) -> float:
    """Posts answered with 200 in a second, by as many persistent connections as keep it busy."""
    deadline = time.perf_counter() + seconds
    numbers = count()
    run = uuid4().hex[:8]

    def body() -> bytes:
        number = next(numbers)
        at = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a till's own clock.
        code = codes[number % len(codes)]
        return payment(ref=f"{run}-{number}", amount="88", currency="HKD", at=at, member=code)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        senders = [pool.submit(_send, door, body, deadline) for _ in range(_CONNECTIONS)]
        return sum(sender.result() for sender in senders) / seconds


def _send(door: Door, body: Callable[[], bytes], deadline: float) -> int:
    till, sent = Till(door), 0
    while time.perf_counter() < deadline:
        status, _ = till.post(body())
        if status != 200:
            raise RuntimeError(f"The server answered {status}.")
        sent += 1
    till.close()
    return sent
