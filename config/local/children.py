"""Programs that run under one supervisor: started, listened to, started again, ended."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

# Points first: neither a campaign nor a slow mail server holds up a payment.
NICENESS_OF_ROAD = {"points": 0, "offers": 5, "post": 5, "calls": 5}
_LONGEST_PAUSE = 10.0
# Who has run that long was not failing at its start.
_SETTLED_SECONDS = 10.0


def _nothing() -> None:
    """Most programs need no care before a start."""


@dataclass
class Child:
    name: str
    command: Callable[[], list[str]]
    stop_signal: signal.Signals = signal.SIGTERM
    before_start: Callable[[], None] = _nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    is_lasting: bool = True

    process: "subprocess.Popen[bytes] | None" = None
    exit_code: int | None = None
    started_at: float = 0.0
    failures: int = 0
    ear: int = -1
    rest: bytes = b""

    @property
    def pause(self) -> float:
        """Before the next start: none after the first failure, then longer and longer."""
        return 0.0 if self.failures < 2 else min(0.25 * 2**self.failures, _LONGEST_PAUSE)


class Family:
    """All children of this process. Nothing here blocks for longer than a `tick`."""

    def __init__(self, environment: Mapping[str, str], say: Callable[[str, str], None]) -> None:
        self._environment = environment
        self._say = say
        self._selector = selectors.DefaultSelector()
        self.children: list[Child] = []

    def start(self, child: Child) -> None:
        child.before_start()
        child.started_at = time.monotonic()
        child.exit_code = None
        child.ear, mouth = os.pipe()
        os.set_blocking(child.ear, False)
        child.process = subprocess.Popen(
            child.command(),
            stdin=subprocess.DEVNULL,
            stdout=mouth,
            stderr=mouth,
            # A session of its own: Ctrl-C reaches us alone, and its own children are one group.
            start_new_session=True,
            env={**self._environment, "PROCESS_NAME": child.name, **child.environment},
        )
        os.close(mouth)
        self._selector.register(child.ear, selectors.EVENT_READ, child)
        if child not in self.children:
            self.children.append(child)

    def tick(self, seconds: float = 0.2) -> None:
        """Pass on what children say, notice who died, start again who should last."""
        for key, _ in self._selector.select(seconds):
            self._listen(key.data)
        for child in self.children:
            if child.process is not None:
                self._notice_end(child, child.process)
            elif child.is_lasting and time.monotonic() >= child.started_at + child.pause:
                self.start(child)

    def end(self, children: list[Child], *, patience: float) -> None:
        """Ask them to end, all at once; after `patience` seconds insist."""
        for child in children:
            child.is_lasting = False
            if child.process is not None:
                child.process.send_signal(child.stop_signal)
        deadline = time.monotonic() + patience
        while any(child.process for child in children) and time.monotonic() < deadline:
            self.tick(0.05)
        for child in children:
            if child.process is not None:
                _kill_group(child.process.pid)
        while any(child.process for child in children):
            self.tick(0.05)

    def _listen(self, child: Child) -> bool:
        """Pass on what `child` said since; whether there may be more."""
        try:
            heard = os.read(child.ear, 65536)
        except BlockingIOError:
            return False
        *lines, child.rest = (child.rest + heard).split(b"\n")
        for line in lines:
            self._say(child.name, line.decode(errors="replace"))
        if not heard:
            self._selector.unregister(child.ear)
        return bool(heard)

    def _notice_end(self, child: Child, process: "subprocess.Popen[bytes]") -> None:
        # Looked at, not collected: as long as the number is taken, its group is surely ours.
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return
        _kill_group(process.pid)
        child.exit_code = process.wait()
        child.process = None
        self._hear_last_words(child)
        if not child.is_lasting:
            return
        has_settled = time.monotonic() - child.started_at > _SETTLED_SECONDS
        child.failures = 1 if has_settled else child.failures + 1
        child.started_at = time.monotonic()
        self._say(child.name, f"ended ({_reason(child.exit_code)}); starting again")

    def _hear_last_words(self, child: Child) -> None:
        while child.ear in self._selector.get_map() and self._listen(child):
            continue
        with suppress(KeyError):
            self._selector.unregister(child.ear)
        os.close(child.ear)
        if child.rest:
            self._say(child.name, child.rest.decode(errors="replace"))
        child.rest = b""


def _kill_group(number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)


def _reason(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    return f"signal {-exit_code}"
