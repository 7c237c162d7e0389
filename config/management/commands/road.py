"""The road as a process: it runs the stages in turn, for as long as it lives."""

import gc
import logging
import signal
import threading
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, connection, connections
from django.utils import timezone

from config.pipeline import STAGES, Stage
from kit.drain import StageBroken

logger = logging.getLogger(__name__)

_SHORTEST_NAP: Final = 0.02  # seconds between looks while payments come in
_LONGEST_NAP: Final = 0.2
# Nobody waits for an offer at the till: fewer, larger rounds leave the processor to points.
_BREATH: Final = {"points": 0.0, "offers": 0.3, "post": 0.1, "calls": 0.0}
_PAUSE_AFTER_TROUBLE: Final = 1.0
_PAUSE_AFTER_BREAKAGE: Final = 30.0
_OWN_NAME: Final = Path("/proc/self/comm")

PARTS: Final = {
    "all": STAGES,
    **{part: tuple(s for s in STAGES if s.part == part) for part in _BREATH},
}


class Command(BaseCommand):
    help = "Run the road, or the part of it that this process is for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("part", nargs="?", choices=PARTS, default="all")
        parser.add_argument(
            "--limit", type=int, default=0, help="Rows of a batch; 0: each stage's own."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        collect_garbage_seldom()
        travel(
            PARTS[options["part"]],
            stop,
            limit=options["limit"],
            breath=_BREATH.get(options["part"], 0.0),
        )


def collect_garbage_seldom() -> None:
    """A batch makes ten thousand objects and hardly a ring: looking for rings after every
    700 of them takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def travel(
    stages: tuple[Stage, ...], stop: threading.Event, *, limit: int = 0, breath: float = 0.0
) -> None:
    """Go round the stages until told to stop; nap when a round found nothing to do, and take a
    `breath` (seconds) after one that did."""
    resting: dict[str, float] = {}
    nap = _SHORTEST_NAP
    while not stop.is_set():
        try:
            done = _go_round(stages, resting, limit)
        except (OperationalError, InterfaceError) as problem:
            logger.warning("The database is away or busy, nothing was marked: %s", problem)
            connections.close_all()
            stop.wait(_PAUSE_AFTER_TROUBLE)
            continue
        nap = _SHORTEST_NAP if done else min(nap * 1.2, _LONGEST_NAP)
        stop.wait(breath if done else nap)
    connection.close()


def _go_round(stages: tuple[Stage, ...], resting: dict[str, float], limit: int) -> int:
    done = 0
    for stage in stages:
        now = timezone.now()
        if resting.get(stage.name, 0.0) > now.timestamp():
            continue
        _show(stage.name)
        try:
            done += stage.work(now=now, limit=limit or stage.limit)
        except StageBroken:
            logger.critical("Stage %s is broken and rests.", stage.name, exc_info=True)
            resting[stage.name] = now.timestamp() + _PAUSE_AFTER_BREAKAGE
    _show("idle")
    return done


def _show(stage: str) -> None:
    """Say in `ps`, `top` and /proc what the road is at (15 characters fit)."""
    if _OWN_NAME.exists():
        _OWN_NAME.write_text(f"road:{stage}")
