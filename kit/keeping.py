"""Settings that every batch asks for, read once and kept until any of them changes."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from django.db import connection, models

from kit.facts import Fact

Whole = TypeVar("Whole")


class Kept(Generic[Whole]):
    """What `load` makes of all rows of some small tables.

    Each call asks the database for a digest of the tables, in one short query, and loads anew only
    if it differs: nobody ever works with settings that were replaced before the call.
    """

    def __init__(self, load: Callable[[], Whole], *tables: type[models.Model]) -> None:
        self._load: Final = load
        self._digest: Final = f"SELECT md5(concat_ws('|', {', '.join(map(_text_of, tables))}))"
        self._kept: tuple[str, Whole] | None = None

    def __call__(self) -> Whole:
        with connection.cursor() as cursor:
            cursor.execute(self._digest)
            digest = str(cursor.fetchone()[0])
        # The digest is older than what is loaded after it: at worst the next call loads again.
        if self._kept is None or self._kept[0] != digest:
            self._kept = (digest, self._load())
        return self._kept[1]


def _text_of(table: type[models.Model]) -> str:
    """The rows as text; of facts, which never change, the keys are enough."""
    key, name = f'row."{table._meta.pk.column}"', table._meta.db_table
    shown = key if issubclass(table, Fact) else "row"
    return f"(SELECT string_agg({shown}::text, '|' ORDER BY {key}) FROM {name} row)"  # noqa: S608
