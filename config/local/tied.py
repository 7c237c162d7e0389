"""Run a program whose life hangs on its parent's: `tied.py SIGNAL PARENT NICE UID GID PROGRAM …`.

If the parent is killed, the kernel sends SIGNAL to the program. This is a file of its own, run
with nothing but the standard library, because it stands between the parent and every program
that it starts; doing it between fork and exec would be unsafe.
"""

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    signal, parent, nice, uid, gid = map(int, arguments[:5])
    program = arguments[5:]
    os.nice(nice)
    if uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":  # After setuid, which would undo it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # The parent went before the knot was tied.
    os.execvp(program[0], program)  # noqa: S606 - no shell is the point.


def command(
    program: list[str], *, signal: int, nice: int = 0, uid: int = 0, gid: int = 0
) -> list[str]:
    """The command line that runs `program` tied to the process that calls this."""
    knot = [str(number) for number in (signal, os.getpid(), nice, uid, gid)]
    return [sys.executable, "-I", "-S", str(Path(__file__)), *knot, *program]


if __name__ == "__main__":
    main(sys.argv[1:])
