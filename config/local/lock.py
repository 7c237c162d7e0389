"""One supervisor for a DATA_DIR, and an end to what a killed one left behind."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import psutil

from config.local import places

# The environment variable by which a supervisor knows its own again. Its value is random, so no
# process that merely looks alike, or inherited a number, is ever ended.
TOKEN = "REGULARS_RUN"  # noqa: S105 - a name.


class CannotStartError(Exception):
    """The message says why, and what to do."""


class Lock:
    """The kernel frees it when its holder dies; the file says who that is, and where."""

    def __init__(self, file: TextIO, address: str, token: str) -> None:
        self._file = file
        self._note = {"process": os.getpid(), "address": address, "token": token}

    def note(self, *, is_stopping: bool) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump({**self._note, "is_stopping": is_stopping}, self._file)
        self._file.flush()


@contextmanager
def taken(data_dir: Path, address: str, token: str) -> Iterator[Lock]:
    """Wait for one who is just ending; refuse to start beside one who works."""
    path = places.lock_file(data_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("r+") as file:
        started = time.monotonic()
        while not _take(file):
            holder = _read(path)
            patience = 90 if holder.get("is_stopping") else 3
            if time.monotonic() - started > patience:
                raise CannotStartError(
                    f"Regulars already runs here as process {holder.get('process')}, at"
                    f" {holder.get('address')}. A second copy needs its own DATA_DIR and PORT."
                )
            time.sleep(0.1)
        if left_behind := _read(path).get("token"):
            _end_leftovers(left_behind)
        lock = Lock(file, address, token)
        lock.note(is_stopping=False)
        yield lock


def _take(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except ValueError:
        return {}  # New, or half-written by one who was killed.


def _end_leftovers(token: str) -> None:
    """The database is not among them: it is known by its folder, see Server.clear_leftovers."""
    ours = [process for process in psutil.process_iter() if _carries(process, token)]
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(ours, timeout=10)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        return bool(process.environ().get(TOKEN) == token)
    except (psutil.Error, OSError):
        return False  # Gone, or another user's.
