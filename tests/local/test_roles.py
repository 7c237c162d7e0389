"""The rights of the role that everything runs as."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection

from kit.facts import Fact

FACTS = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, Fact))


def test_there_are_facts_to_protect() -> None:
    assert {"payments_transaction", "loyalty_award", "loyalty_transfer"} <= set(FACTS)


@pytest.mark.parametrize("table", FACTS)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_runtime_role_may_not_remove_a_fact(
    runtime_role: str, table: str, statement: str
) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
        cursor.execute(statement.format(connection.ops.quote_name(table)))


def test_the_runtime_role_owns_nothing(runtime_role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [runtime_role]
        )
        assert cursor.fetchone() == (0,)


def test_the_runtime_role_may_not_make_tables(runtime_role: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
        cursor.execute("CREATE TABLE freedom (id int)")


def test_the_runtime_role_reads_and_writes_what_staff_edit(runtime_role: str) -> None:
    group = Group.objects.create(name="Night shift")
    group.delete()

    assert not Group.objects.filter(name="Night shift").exists()


def test_the_runtime_role_may_not_remove_raw_bodies(runtime_role: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
        cursor.execute("DELETE FROM payments_callbackbody")


def test_the_runtime_role_queues_and_takes_tasks(runtime_role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send('celery', '{\"n\": 1}'::jsonb)")
        cursor.execute("SELECT msg_id, message FROM pgmq.read('celery', 30, 1)")
        number, message = cursor.fetchone()
        cursor.execute("SELECT pgmq.delete('celery', %s::bigint)", [number])

        assert '"n": 1' in str(message)
        assert cursor.fetchone() == (True,)
