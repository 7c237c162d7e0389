"""Advisory locks: by key for a few, by family for many, and the two shut each other out."""

import threading

import pytest
from django.db import OperationalError, connection, transaction

from kit.work import hold_keys

pytestmark = pytest.mark.django_db(transaction=True)

MANY = [f"payment:7:{number}" for number in range(1_001)]


def locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def is_shut_out(keys: list[str]) -> bool:
    """Whether another connection has to wait for `keys` while we hold ours."""
    waited: list[bool] = []

    def take() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                hold_keys(keys)
            waited.append(False)
        except OperationalError:
            waited.append(True)
        finally:
            connection.close()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return waited[0]


def test_a_large_upload_takes_one_lock_for_its_family() -> None:
    with transaction.atomic():
        hold_keys(MANY)

        assert locks() == 1


def test_a_few_keys_shut_out_only_themselves() -> None:
    with transaction.atomic():
        hold_keys(["payment:7:1", "clue:phone:a"])

        assert locks() == 4
        assert is_shut_out(["payment:7:1"])
        assert is_shut_out(["clue:email:b", "clue:phone:a"])
        assert not is_shut_out(["payment:7:2", "clue:phone:b"])


def test_a_large_upload_and_single_keys_of_its_family_take_turns() -> None:
    with transaction.atomic():
        hold_keys(MANY)

        assert is_shut_out(["payment:7:5000"])
        assert not is_shut_out(["payment:8:1", "clue:phone:a"])
    with transaction.atomic():
        hold_keys(["payment:7:5000"])

        assert is_shut_out(MANY)
