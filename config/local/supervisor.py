"""Behind `make run`: the database, then everything that needs it, until Ctrl-C."""

import http.client
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config import settings
from config.local import places, tied
from config.local.children import NICENESS_OF_ROAD, Child, Family
from config.local.lock import TOKEN, CannotStartError, taken
from config.local.server import FAST_SHUTDOWN, Server, ServerError

_ROAD = ["manage.py", "road"]
_CELERY = ["-m", "celery", "--quiet", "--app", "config.celery:app"]
_WORKER = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]


class StoppedError(Exception):
    """Somebody asked us to stop while we were still starting."""


@dataclass
class Plan:
    data_dir: Path
    host: str
    port: int
    root: Path
    has_own_server: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    follows_parent: bool = False

    @property
    def address(self) -> str:
        shown = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::", "::1"} else self.host  # noqa: S104
        return f"http://{shown}:{self.port}"


class Supervisor:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._token = secrets.token_hex(16)
        self._parent = os.getppid()
        self._is_stopping = False
        self._server: Server | None = None
        self._database: Child | None = None
        self.family = Family(self._environment(), _say)

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` means it.
                signal.signal(number, self._stop)
        started = time.monotonic()
        with taken(self._plan.data_dir, self._plan.address, self._token) as lock:
            self._check_port()
            try:
                self._start()
                _say("regulars", f"ready after {time.monotonic() - started:.0f} s")
                self._welcome()
                while not self._has_to_stop():
                    self.family.tick()
            except StoppedError:
                _say("regulars", "stopped before it was ready")
            finally:
                lock.note(is_stopping=True)
                self._end()

    def _start(self) -> None:
        steps = [self._step("build", ["manage.py", "build"])]
        if self._plan.has_own_server:
            self._start_server()
        owner_url = os.environ.get("DATABASE_OWNER_URL", "")
        prepare = self._step("prepare", ["manage.py", "prepare", "--verbosity", "0"])
        prepare.environment = {"DATABASE_ROLE": "owner", "DATABASE_OWNER_URL": owner_url}
        steps += [prepare, self._step("first start", ["manage.py", "first_start"])]
        for step in steps:
            self._finish(step)
        for child in self._lasting():
            self.family.start(child)
        while not _answers(self._plan.host, self._plan.port):
            self._wait_a_little()

    def _start_server(self) -> None:
        server = Server.of(self._plan.data_dir)
        server.make()
        self._server = server
        if server.data.parent != self._plan.data_dir:
            _say("database", f"its files are in {server.data}: its account cannot reach DATA_DIR")
        self._database = Child(
            "database",
            server.command,
            stop_signal=FAST_SHUTDOWN,
            before_start=server.clear_leftovers,
        )
        self.family.start(self._database)
        while not server.is_ready():
            if self._database.failures > 20:
                raise CannotStartError("The database does not start; its lines above say why.")
            self._wait_a_little()
        unfinished = places.unfinished_demo_file(self._plan.data_dir)
        if unfinished.exists():
            _say("database", "the last start ended while it made the demo; beginning afresh")
            server.drop_database()
            unfinished.unlink()
        server.make_database()

    def _lasting(self) -> list[Child]:
        plan = self._plan
        workers = os.environ.get("WEB_WORKERS", "2")
        threads = os.environ.get("WEB_THREADS", "4")  # A slow sender holds one of them.
        web = ["-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
        web += ["--host", plan.host, "--port", str(plan.port), "--no-ws"]
        web += ["--workers", workers, "--blocking-threads", threads]
        web += ["--blocking-threads-idle-timeout", "600"]  # An idle thread's connection is warm.
        web += ["--respawn-failed-workers", "--respawn-interval", "0.2", "--log-level", "warning"]
        return [
            self._child("web", web),
            *(
                self._child("road" if part == "points" else part, [*_ROAD, part], nice=nice)
                for part, nice in NICENESS_OF_ROAD.items()
            ),
            # One, and after all others in line: an import must not slow down a payment.
            self._child("worker", [*_CELERY, "worker", *_WORKER], nice=10),
            self._child("beat", [*_CELERY, "beat", "--loglevel", "WARNING"], nice=5),
        ]

    def _child(self, name: str, arguments: list[str], *, nice: int = 0) -> Child:
        program = [sys.executable, *arguments]
        return Child(name, lambda: tied.command(program, signal=signal.SIGTERM, nice=nice))

    def _step(self, name: str, arguments: list[str]) -> Child:
        child = self._child(name, arguments)
        child.is_lasting = False
        return child

    def _finish(self, step: Child) -> None:
        self.family.start(step)
        while step.process is not None:
            self._wait_a_little()
        self.family.children.remove(step)
        if step.exit_code:
            raise CannotStartError(f"`{step.name}` failed; its lines above say why.")

    def _end(self) -> None:
        others = [child for child in self.family.children if child is not self._database]
        self.family.end(others, patience=15)
        if self._database:
            self.family.end([self._database], patience=60)
        if self._server:
            with suppress(OSError):  # Not empty, if it would not end well.
                self._server.sockets.rmdir()

    def _wait_a_little(self) -> None:
        self.family.tick(0.05)
        if self._has_to_stop():
            raise StoppedError

    def _has_to_stop(self) -> bool:
        # If `make` is killed, nobody is left to whom Ctrl-C would get through.
        is_orphan = self._plan.follows_parent and os.getppid() != self._parent
        return self._is_stopping or is_orphan

    def _stop(self, *_: Any) -> None:
        self._is_stopping = True

    def _environment(self) -> dict[str, str]:
        inherited = {**os.environ, **self._plan.environment}
        own = {
            "DATA_DIR": str(self._plan.data_dir),
            "PORT": str(self._plan.port),
            "DATABASE_ROLE": "runtime",
            "DATABASE_OWNER_URL": "",
            "PYTHONUNBUFFERED": "1",
            TOKEN: self._token,
        }
        return {**inherited, **own}

    def _check_port(self) -> None:
        family = socket.AF_INET6 if ":" in self._plan.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._plan.host, self._plan.port))
            except OSError as error:
                raise CannotStartError(
                    f"{self._plan.host}:{self._plan.port} cannot be used ({error.strerror})."
                    f" Choose another port: make run PORT={self._plan.port + 1}"
                ) from error

    def _welcome(self) -> None:
        file = places.admin_password_file(self._plan.data_dir)
        lines = ["", f"  Regulars is at {self._plan.address}/admin/"]
        if file.exists():
            with suppress(ValueError):
                file = file.relative_to(Path.cwd())
            lines.append(f"  Sign in as {places.ADMIN_NAME} with the password in {file}")
            if sys.stdout.isatty():
                lines.append(f"  (at first: {file.read_text().strip()})")
        lines += ["  Ctrl-C ends everything.", ""]
        _say("", "\n".join(lines))


def _answers(host: str, port: int) -> bool:
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(near, port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _say(name: str, line: str) -> None:
    with suppress(OSError):  # Whoever listened is gone; the work goes on.
        print(f"{name:>11} | {line}" if name else line, flush=True)


def _plan() -> Plan:
    return Plan(
        data_dir=settings.DATA_DIR,
        host=os.environ.get("HOST", "") or "127.0.0.1",
        port=int(os.environ.get("PORT", "") or 8000),
        root=settings.BASE_DIR,
        has_own_server=not os.environ.get("DATABASE_URL"),
        follows_parent="--follow-parent" in sys.argv,
    )


def main() -> None:
    os.umask(0o077)
    try:
        plan = _plan()
        os.chdir(plan.root)
        Supervisor(plan).run()
    except (CannotStartError, ServerError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
