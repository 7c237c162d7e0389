"""Many rows in one statement, where Django's own way costs more than the database does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Final, TypeAlias

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.db.models import BooleanField, F, Func, Value

Column: TypeAlias = models.Field[Any, Any]
# How a value of a column, other than NULL, is written as PostgreSQL's text.
Writer: TypeAlias = Callable[[Any], str]


def fetch_all(statement: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query that is asked so often that composing it would cost more than it."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def insert_many(rows: Sequence[models.Model]) -> None:
    """`COPY … FROM STDIN`: insert new `rows` of one model, in their order.

    Constraints, triggers and errors are those of any INSERT. bulk_create binds arrays, in which
    psycopg escapes each quotation mark by itself: with JSON in them that took a third of settling.
    """
    if not rows:
        return
    meta = rows[0]._meta
    # A key that the database counts up comes from there; the rows here do not learn it.
    columns = [c for c in meta.concrete_fields if not isinstance(c, models.AutoField)]
    names = ", ".join(f'"{column.column}"' for column in columns)
    writers = [(column.attname, _writer(column)) for column in columns]
    statement = f'COPY "{meta.db_table}" ({names}) FROM STDIN'
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            held = row.__dict__  # A new row defers nothing; Django's descriptors take their time.
            copy.write_row(
                [
                    None if (value := held[name]) is None else write(value)
                    for name, write in writers
                ]
            )
    alias = connection.alias
    for row in rows:
        row._state.adding, row._state.db = False, alias


def update_many(rows: Sequence[models.Model], fields: Sequence[str]) -> int:
    """`UPDATE … FROM unnest(…)`: write `fields` of `rows` as they stand; returns how many.

    bulk_update writes a CASE with a branch for each row and field, which PostgreSQL walks for
    every row; this stays linear.
    """
    if not rows:
        return 0
    meta = rows[0]._meta
    key: Column = meta.pk
    columns = [c for c in meta.concrete_fields if c.name in fields]
    assignments = ", ".join(f'"{column.column}" = given."{column.column}"' for column in columns)
    arrays = ", ".join(f"%s::{_type(column)}[]" for column in (key, *columns))
    names = ", ".join(f'"{column.column}"' for column in (key, *columns))
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{meta.db_table}" AS kept SET {assignments}'  # noqa: S608 - names of columns
            f" FROM unnest({arrays}) AS given ({names})"
            f' WHERE kept."{key.column}" = given."{key.column}"',
            [
                _array(_writer(column), [getattr(row, column.attname) for row in rows])
                for column in (key, *columns)
            ],
        )
        return int(cursor.rowcount)


def _type(column: Column) -> str:
    """The bare type: `numeric(19, 4)` and `varchar(200)` cast arrays as well, serials do not."""
    return str(
        column.rel_db_type(connection) if column.primary_key else column.db_type(connection)
    )


def _bytes(value: bytes | memoryview) -> str:
    return f"\\x{bytes(value).hex()}"


_WRITERS: Final[Sequence[tuple[type[Column], Writer]]] = (
    (models.JSONField, DjangoJSONEncoder().encode),
    (models.BinaryField, _bytes),
    (models.UUIDField, attrgetter("hex")),
    # What Django's models hold of these already reads as PostgreSQL writes it. A batch has few
    # moments, and writes them many times.
    (models.DateTimeField, lru_cache(1000)(str)),
    (models.DecimalField, str),
    (models.IntegerField, str),
    (models.BooleanField, str),
    (models.CharField, str),
    (models.TextField, str),
)


def _writer(column: Column) -> Writer:
    if isinstance(column, models.ForeignKey):
        return _writer(column.target_field)
    if isinstance(column, ArrayField):
        return partial(_array, _writer(column.base_field))
    if type(column).__module__.startswith("django."):
        for kind, write in _WRITERS:
            if isinstance(column, kind):
                return write
    # A field of our own, such as one that encrypts, has its own way.
    return lambda value: str(column.get_prep_value(value))


def _array(write: Writer, values: Iterable[Any]) -> str:
    """An array literal; what stands in quotes is taken as it is, whatever its characters."""
    parts = ("NULL" if value is None else _quoted(write(value)) for value in values)
    return "{" + ",".join(parts) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def is_any_of(column: str, values: Iterable[Any]) -> Func:
    """`column = ANY(array)`, to be passed to `filter`: one parameter however many values.

    `__in` writes a placeholder for each, which for 500 costs more than the query.
    """
    return Func(
        F(column),
        Value(list(values)),
        template="%(expressions)s)",
        arg_joiner=" = ANY(",
        output_field=BooleanField(),
    )
