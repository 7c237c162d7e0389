"""Facts are written once, for every role; and the runtime role owns none of them."""

from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from kit.facts import Fact, guarded_columns
from tests import build

FACTS = sorted(
    (model for model in apps.get_models() if issubclass(model, Fact)), key=lambda m: m.__name__
)

pytestmark = pytest.mark.django_db


def run(sql: str, values: list[Any] | None = None) -> Any:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else None


@pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)
def test_the_guard_watches_every_column_but_those_of_work(model: type[Fact]) -> None:
    exempt = tuple(getattr(model, "exempt", Fact.exempt))

    ((definition,),) = run(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = %s::regclass AND tgname = 'fact_unchanged'",
        [model._meta.db_table],
    )

    plain = definition.replace('"', "")
    watched = {column for column in guarded_columns(model, ()) if f"old.{column} " in plain}
    assert watched == set(guarded_columns(model, exempt))


@pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)
def test_no_fact_can_be_deleted_or_truncated(model: type[Fact], runtime_role: str) -> None:
    for sql in (f"DELETE FROM {model._meta.db_table}", f"TRUNCATE {model._meta.db_table}"):
        with pytest.raises(DatabaseError, match=r"permission denied|refused"):
            run(sql)


@pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)
def test_the_runtime_role_does_not_own_the_table(model: type[Fact], runtime_role: str) -> None:
    ((owner,),) = run(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass",
        [model._meta.db_table],
    )

    assert owner != runtime_role
    with pytest.raises(DatabaseError, match=r"must be owner|permission denied"):
        run(f"ALTER TABLE {model._meta.db_table} DISABLE TRIGGER ALL")


def test_a_written_column_cannot_be_rewritten_but_work_can(runtime_role: str) -> None:
    mei = build.member()

    with pytest.raises(DatabaseError, match="refused"):
        run("UPDATE members_event SET kind = 'paid' WHERE member_id = %s", [mei.pk])
    run("UPDATE members_event SET attempts = 3 WHERE member_id = %s", [mei.pk])

    (event,) = mei.events.all()
    assert (event.kind, event.attempts) == ("joined", 3)
