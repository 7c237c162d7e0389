"""As whom the bundled PostgreSQL runs: ourselves, unless we are root, whom it refuses."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.local import tied
from config.local.address import ordinary_account


@dataclass(frozen=True)
class Account:
    """`prefix` goes before each program; `uid` and `gid` are 0 where no change is needed."""

    prefix: tuple[str, ...] = ()
    uid: int = 0
    gid: int = 0

    def run(self, program: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *program],
            user=self.uid or None,
            group=self.gid or None,
            extra_groups=[] if self.uid else None,
            cwd="/",
            text=True,
            capture_output=True,
            check=False,
        )

    def tied(self, program: list[str], *, signal: int) -> list[str]:
        return tied.command([*self.prefix, *program], signal=signal, uid=self.uid, gid=self.gid)

    def may_reach(self, path: Path) -> bool:
        return self.run(["test", "-x", str(path)]).returncode == 0

    def make_folder(self, path: Path) -> None:
        """A folder for this account alone; what exists keeps its mode and its owner."""
        if path.exists():
            return
        path.mkdir(mode=0o700, parents=True)
        self.own(path)

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def for_server() -> Account:
    """Root may be called an ordinary user in a namespace of its own: no new account is needed and
    every file stays root's. Where the system forbids that (most containers), `nobody` it is."""
    if os.geteuid() != 0:
        return Account()
    other = stand_in()
    if unshare := shutil.which("unshare"):
        namespace = Account(
            (unshare, "--user", f"--map-user={other.uid}", f"--map-group={other.gid}")
        )
        if namespace.run(["true"]).returncode == 0:
            return namespace
    return other


def stand_in() -> Account:
    entry = ordinary_account()  # PostgreSQL wants a user who is listed in /etc/passwd.
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)
