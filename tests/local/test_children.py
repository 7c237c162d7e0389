"""The supervisor's care for its children, tried on trivial ones."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config.local import lock, tied
from config.local.children import Child, Family

pytestmark = pytest.mark.processes

Said = list[tuple[str, str]]


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def family(said: Said) -> Iterator[Family]:
    family = Family(os.environ, lambda name, line: said.append((name, line)))
    yield family
    family.end(family.children, patience=0)


def python(source: str) -> Callable[[], list[str]]:
    return lambda: tied.command([sys.executable, "-c", source], signal=signal.SIGTERM)


def until(family: Family, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        family.tick(0.02)


def test_it_passes_on_each_line_with_the_name_of_who_said_it(family: Family, said: Said) -> None:
    child = Child("parrot", python("print('一'); print('two', end='')"), is_lasting=False)
    family.start(child)

    until(family, lambda: child.exit_code is not None)

    assert said == [("parrot", "一"), ("parrot", "two")]
    assert child.exit_code == 0


def test_a_killed_child_is_started_again(family: Family, said: Said) -> None:
    child = Child("phoenix", python("import time; print('up', flush=True); time.sleep(60)"))
    family.start(child)
    until(family, lambda: ("phoenix", "up") in said)
    assert child.process is not None
    first = child.process.pid

    os.kill(first, signal.SIGKILL)
    until(family, lambda: said.count(("phoenix", "up")) == 2)

    assert child.process is not None
    assert child.process.pid != first
    assert ("phoenix", "ended (signal 9); starting again") in said


def test_a_child_that_cannot_live_is_given_longer_and_longer_pauses(family: Family) -> None:
    child = Child("hopeless", python("raise SystemExit(3)"))
    family.start(child)

    until(family, lambda: child.failures == 3)

    assert child.pause == 2.0


def test_the_children_of_a_killed_child_go_with_it(family: Family, said: Said) -> None:
    child = Child("root", python(_FORK), is_lasting=False)
    family.start(child)
    until(family, lambda: bool(said))
    grandchild = psutil.Process(int(said[0][1]))

    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    until(family, lambda: child.process is None)

    gone, _ = psutil.wait_procs([grandchild], timeout=5)
    assert gone or grandchild.status() == psutil.STATUS_ZOMBIE


def test_one_who_will_not_end_is_ended(family: Family, said: Said) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    child = Child("deaf", python(f"{deaf}; time.sleep(60)"))
    family.start(child)
    until(family, lambda: bool(said))

    family.end([child], patience=0.2)

    assert child.exit_code == -signal.SIGKILL


def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    with (
        lock.taken(tmp_path, "http://localhost:8000", "one"),
        pytest.raises(lock.CannotStartError, match="already runs here as process"),
        lock.taken(tmp_path, "http://localhost:8001", "two"),
    ):
        pytest.fail("both were let in")


def test_leftovers_of_a_killed_supervisor_are_ended_and_strangers_are_not(
    tmp_path: Path,
) -> None:
    ours, strange = (
        psutil.Popen(["sleep", "60"], env={**os.environ, lock.TOKEN: token})
        for token in ("first", "other")
    )
    with lock.taken(tmp_path, "", "first"):
        pass

    with lock.taken(tmp_path, "", "second"):
        assert not ours.is_running()
        assert strange.is_running()
    strange.kill()
    strange.wait()


_FORK = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
