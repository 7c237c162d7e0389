"""What every test stands on: a private PostgreSQL server, and the roles of a real installation."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from pytest_django.plugin import DjangoDbBlocker

from config import roles
from config.local.address import is_bundled
from members.services.announcing import forget_listeners
from tests.chromium import browser, complaints, page  # noqa: F401 - fixtures for every test

_ROOT = Path(__file__).resolve().parent.parent
_SYSTEM_ACCOUNTS = "INSERT INTO loyalty_pointaccount (id, kind) VALUES " + ", ".join(
    f"('{uuid5(NAMESPACE_URL, f'regulars:point-account:{kind}')}', '{kind}')"
    for kind in ("issued", "expired", "adjusted")
)
_server = pytest.StashKey["subprocess.Popen[bytes]"]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server once, in the process that the others of a parallel run come from.

    It lives as long as the pipe to it is open, so it goes however this process goes.
    """
    is_worker = hasattr(config, "workerinput")
    if is_worker or not is_bundled(settings.DATABASES["default"]):
        return
    command = [sys.executable, "-m", "config.local.server", os.environ["TESTS_DATA_DIR"]]
    process = subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        pytest.exit("The tests' database did not start.", returncode=3)
    config.stash[_server] = process


def pytest_unconfigure(config: pytest.Config) -> None:
    if process := config.stash.get(_server, None):
        process.communicate()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database, with the grants that `manage.py prepare` would have made."""
    with django_db_blocker.unblock(), transaction.atomic():
        _ensure_role(settings.DATABASE_RUNTIME_ROLE)
        roles.grant_runtime(connection, settings.DATABASE_RUNTIME_ROLE)
    _let_flush_truncate_facts()


def _ensure_role(role: str) -> None:
    """Several workers may make it at once: it belongs to the server, not to a database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(%s)", [role])
        (name,) = cursor.fetchone()
        cursor.execute(
            f"DO $$ BEGIN CREATE ROLE {name};"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )


@pytest.fixture(autouse=True)
def _nobody_listens_yet() -> None:
    """Which endpoints there are is remembered for seconds; each test has its own."""
    forget_listeners()


@pytest.fixture
def runtime_role(db: None) -> Iterator[str]:
    """The test runs with the rights of the web server, the road and the workers."""
    role = connection.ops.quote_name(settings.DATABASE_RUNTIME_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
    yield settings.DATABASE_RUNTIME_ROLE
    # A transaction that the test broke takes the role with it when it is rolled back.
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def _let_flush_truncate_facts() -> None:
    """Tests that commit are cleaned up by TRUNCATE, which the guards of facts refuse."""
    operations = type(connection.ops)  # Of every connection: a browser's loop opens its own.
    truncations = operations.sql_flush

    def sql_flush(ops: Any, *args: Any, **options: Any) -> list[str]:
        statements = truncations(ops, *args, **options)
        return [
            "SET session_replication_role = replica",
            *statements,
            "RESET session_replication_role",
            # Migrations made these, and TRUNCATE took them.
            _SYSTEM_ACCOUNTS,
        ]

    operations.sql_flush = sql_flush  # type: ignore[method-assign, assignment]
