"""Facts: rows that are written once. The database itself refuses to change or delete them."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, ClassVar, Self

from django.db import models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from kit.bulk import insert_many
from kit.ids import uuid7
from kit.rows import Row


class FactIsWrittenOnce(Exception):
    """Somebody tried to delete a fact; a correction is a new fact that names the old one."""


class Fact(Row):
    """A write-once row: a column may go from NULL to a value, never from one value to another.

    A trigger holds it (`GuardFact` in the migration that creates the table), for every role and
    every tool. The columns of `Work`, which say what is still to be done, are exempt by name.
    """

    exempt: ClassVar[tuple[str, ...]] = ("due_at", "attempts", "waiting_for", "error")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta:
        abstract = True

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise FactIsWrittenOnce(type(self).__name__)

    @classmethod
    def record(cls, rows: Iterable[Self]) -> list[Self]:
        """Insert `rows`, sorted by id so that two writers never wait for each other crosswise."""
        ordered = sorted(rows, key=attrgetter("id"))
        insert_many(ordered)
        return ordered


def guarded_columns(model: type[models.Model], exempt: tuple[str, ...]) -> list[str]:
    columns = [str(field.column) for field in model._meta.concrete_fields]
    return [column for column in columns if column not in exempt]


class GuardFact(Operation):
    """Migration operation: (re)make the triggers that keep `model_name`'s rows as written.

    Run it again in any migration that adds a column to a fact; tests/architecture compares.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, exempt: tuple[str, ...] = ()) -> None:
        self.model_name = model_name
        self.exempt = exempt

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Triggers are not part of Django's model state."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        columns = guarded_columns(model, (*Fact.exempt, *self.exempt))
        for statement in guard_statements(model._meta.db_table, columns):
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        for name in ("fact_unchanged", "fact_kept", "fact_kept_whole"):
            schema_editor.execute(f'DROP TRIGGER IF EXISTS {name} ON "{table}"')

    def describe(self) -> str:
        return f"Keep rows of {self.model_name} as written"


def guard_statements(table: str, columns: list[str]) -> list[str]:
    """SQL of the guard. The WHEN clause is plain expressions, so an update of Work columns costs
    nothing but a few comparisons; the function only ever raises."""
    changed = " OR ".join(
        f'(OLD."{column}" IS NOT NULL AND NEW."{column}" IS DISTINCT FROM OLD."{column}")'
        for column in columns
    )
    return [
        """
        CREATE OR REPLACE FUNCTION refuse_to_change_fact() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% of a fact in % is refused: record a correction instead',
                TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        f'DROP TRIGGER IF EXISTS fact_unchanged ON "{table}"',
        f'DROP TRIGGER IF EXISTS fact_kept ON "{table}"',
        f'DROP TRIGGER IF EXISTS fact_kept_whole ON "{table}"',
        _trigger("fact_unchanged", f'BEFORE UPDATE ON "{table}" FOR EACH ROW WHEN ({changed})'),
        _trigger("fact_kept", f'BEFORE DELETE ON "{table}" FOR EACH ROW'),
        _trigger("fact_kept_whole", f'BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT'),
    ]


def _trigger(name: str, occasion: str) -> str:
    return f"CREATE TRIGGER {name} {occasion} EXECUTE FUNCTION refuse_to_change_fact()"
