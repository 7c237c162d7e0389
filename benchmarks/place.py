"""Where measurements run: a database cluster, a web server and a road of their own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg

from config.local import tied
from config.local.children import NICENESS_OF_ROAD
from config.local.server import FAST_SHUTDOWN, Server

_ROOT: Final = Path(__file__).resolve().parent.parent
Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def cluster() -> Iterator[Server]:
    """A cluster as `make run` makes it, fsync on; it goes when we go."""
    with TemporaryDirectory(prefix="regulars-bench-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "DATA_DIR": folder,
            "DATABASE_URL": "",
            "DATABASE_OWNER_URL": "",
            "PRODUCTION": "0",
            "LOG_LEVEL": "ERROR",
        }
        server = Server.of(Path(folder))
        server.make()
        with (Path(folder) / "postgres.log").open("ab") as log:
            process = subprocess.Popen(server.command(), stdout=log, stderr=log)
        try:
            server.wait(process)
            server.make_database()
            _run("manage.py", "prepare", "--verbosity", "0", DATABASE_ROLE="owner")
            yield server
        finally:
            process.send_signal(FAST_SHUTDOWN)
            process.wait()


def superuser(server: Server) -> Connection:
    """For what no part of the product may do: fill tables without asking their guards."""
    return psycopg.connect(
        host=str(server.sockets), dbname="regulars", user="postgres", autocommit=True
    )


@contextmanager
def web(**environment: str) -> Iterator[str]:
    """granian as `make run` starts it, two workers; the address."""
    port = _free_port()
    program = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    program += ["--host", "127.0.0.1", "--port", str(port), "--no-ws", "--workers", "2"]
    program += ["--blocking-threads", "4", "--blocking-threads-idle-timeout", "600"]
    program += ["--log-level", "warning"]
    with _running(program, environment) as process:
        _await_answer(port, process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def road() -> Iterator[None]:
    """All processes of it, as the supervisor runs them."""
    with ExitStack() as running:
        for part, nice in NICENESS_OF_ROAD.items():
            program = [sys.executable, "manage.py", "road", part]
            running.enter_context(_running(program, {}, nice=nice))
        yield


@contextmanager
def _running(
    program: list[str], environment: Mapping[str, str], *, nice: int = 0
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        tied.command(program, signal=signal.SIGTERM, nice=nice),
        cwd=_ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _run(*arguments: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, *arguments], cwd=_ROOT, env={**os.environ, **environment}, check=True
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/callbacks/standard/nobody/")
            connection.getresponse()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("The web server did not start.")
