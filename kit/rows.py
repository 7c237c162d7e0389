"""Rows by the thousand: model instances without the care that Django's constructor takes for each.

Django's way costs as much for a row as the database does: of a batch of payments it was a quarter.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState


class Row(models.Model):
    """A model whose instances are made quickly: those that queries load, and those of `new`."""

    class Meta:
        abstract = True

    @classmethod
    def new(cls, **columns: Any) -> Self:
        """What the constructor makes of these columns, unsaved, and of defaults for the others.

        columns: by the names that they have in the row (`member_id`, never `member`)

        Nobody is told: signals of `pre_init` and `post_init` are not sent. Raises TypeError for a
        name that is no column.
        """
        row = cls.__new__(cls)
        row._state = ModelState()
        held = row.__dict__
        constants, makers = _defaults(cls)
        held |= constants
        held |= columns
        for name, make in makers:
            if name not in columns:
                held[name] = make()
        if len(held) > len(cls._meta.concrete_fields) + 1:  # One is the state.
            raise TypeError(f"{cls.__name__} has no columns {sorted(_strangers(cls, columns))}.")
        return row

    @classmethod
    def from_db(  # type: ignore[override]  # The stubs know a later Django.
        cls, db: str | None, field_names: Sequence[str], values: Sequence[Any]
    ) -> Self:
        """Django's hook for what a query loads. A column left out is asked for when it is read."""
        row = cls.__new__(cls)
        row._state = ModelState()
        row._state.adding, row._state.db = False, db
        row.__dict__.update(zip(field_names, values, strict=True))
        return row

    def relate(self, **related: models.Model | None) -> None:
        """Let relations be these objects, which the row's keys name already.

        Django's way asks for each which databases the two come from.
        """
        self._state.fields_cache.update(related)


@cache
def _defaults(
    model: type[models.Model],
) -> tuple[Mapping[str, Any], Sequence[tuple[str, Callable[[], Any]]]]:
    """Of columns that need not be given: what they all share, and what each row has made anew."""
    fields = model._meta.concrete_fields
    makers = [(f.attname, f.default) for f in fields if f.has_default() and callable(f.default)]
    made = {name for name, _make in makers}
    return {f.attname: f.get_default() for f in fields if f.attname not in made}, makers


def _strangers(model: type[models.Model], columns: Mapping[str, Any]) -> set[str]:
    return set(columns) - {field.attname for field in model._meta.concrete_fields}
