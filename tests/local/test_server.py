"""The bundled PostgreSQL, really started, in a folder that is awkward to name."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from config.local.server import FAST_SHUTDOWN, Server, ServerError

pytestmark = pytest.mark.processes


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "我的 店").mkdir(mode=0o755)
    server = Server.of(tmp_path / "我的 店" / ".data")
    server.make()
    yield server
    server.clear_leftovers()
    shutil.rmtree(server.sockets, ignore_errors=True)


def started(server: Server) -> "subprocess.Popen[bytes]":
    server.clear_leftovers()
    log = (server.data.parent / "log").open("ab")
    process = subprocess.Popen(server.command(), stderr=log, start_new_session=True)
    server.wait(process)
    return process


def connect(server: Server) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=str(server.sockets), dbname="regulars", user="regulars_owner", autocommit=True
    )


def test_what_was_committed_survives_a_killed_server(server: Server) -> None:
    process = started(server)
    server.make_database()
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    process.kill()
    process.wait()

    process = started(server)

    with connect(server) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
    process.send_signal(FAST_SHUTDOWN)
    assert process.wait(timeout=30) == 0


def test_it_keeps_every_folder_as_private_as_it_was(server: Server) -> None:
    modes = [folder.stat().st_mode & 0o777 for folder in server.data.parents[:2]]

    assert modes == [0o700, 0o755]
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.sockets.stat().st_mode & 0o777 == 0o700


def test_it_listens_on_no_network(server: Server) -> None:
    process = started(server)
    server.make_database()

    with connect(server) as connection:
        assert connection.execute("SHOW listen_addresses").fetchall() == [("",)]
    process.send_signal(FAST_SHUTDOWN)
    process.wait(timeout=30)


def test_a_lock_file_whose_number_now_belongs_to_somebody_else_is_no_rival(
    server: Server,
) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n")

        process = started(server)

        assert stranger.poll() is None
        stranger.kill()
    process.send_signal(FAST_SHUTDOWN)
    assert process.wait(timeout=30) == 0


def test_an_orphaned_server_is_ended_before_the_next_one_starts(server: Server) -> None:
    orphan = started(server)

    process = started(server)

    assert orphan.wait(timeout=5) == 0
    process.send_signal(FAST_SHUTDOWN)
    process.wait(timeout=30)


def test_data_of_another_version_is_refused_with_advice(server: Server) -> None:
    (server.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(ServerError, match="written by PostgreSQL 17"):
        server.make()


def test_a_server_ends_with_the_process_that_started_it(server: Server) -> None:
    folder = server.data.parent
    lines = (
        "import subprocess, sys; from pathlib import Path; from config.local.server import Server",
        "server = Server.of(Path(sys.argv[1]), is_durable=False)",
        "process = subprocess.Popen(server.command(), start_new_session=True)",
        "server.wait(process); print(process.pid, flush=True); sys.stdin.read()",
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    number = int(parent.stdout.readline())

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    gone = psutil.wait_procs([psutil.Process(number)], timeout=10)[0]
    assert [process.pid for process in gone] == [number]
