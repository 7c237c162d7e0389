"""Pages of a list by cursor: stable while rows come in, however deep one reads.

A cursor names the last row that was seen by columns that never change, the last of which is
unique. So a page never repeats or skips a row that was there when the reading began; what is
booked meanwhile stands where its own time puts it. The id alone would not do: ids are not made in
the order in which rows can be seen.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.models import Model, Q, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from rest_framework import serializers

from kit.http import LineOfText, StrictSerializer

_ROWS: Final = 50
_MOST_ROWS: Final = 200
_SEAL_LETTERS: Final = 16


class PageIn(StrictSerializer):
    """What every list takes in its query."""

    limit = serializers.IntegerField(
        default=_ROWS, min_value=1, max_value=_MOST_ROWS, help_text="Rows in a page."
    )
    cursor = LineOfText(
        longest=500, required=False, help_text="`next_cursor` of the page before; else left out."
    )


class PageOut(serializers.Serializer[Any]):
    """What every list answers beside its `items`."""

    next_cursor = serializers.CharField(
        allow_null=True, help_text="For the next page; null: this was the last one."
    )


def page_of(
    rows: QuerySet[Any],
    asked: Mapping[str, Any],
    *,
    order: Sequence[str],
    show: Callable[[Any], Mapping[str, Any]],
) -> dict[str, Any]:
    """One page of `rows`, sorted by `order` (columns that never change, all up or all down).

    `asked` is the checked query: the cursor is good for the same question only.
    """
    question = _question(rows.model, asked, order)
    if given := asked.get("cursor", ""):
        rows = rows.filter(_behind(rows.model, order, _unseal(given, question)))
    found = list(rows.order_by(*order)[: asked["limit"] + 1])
    shown = found[: asked["limit"]]
    has_more = len(found) > len(shown)
    return {
        "items": [show(row) for row in shown],
        "next_cursor": _seal(_place(shown[-1], order), question) if has_more else None,
    }


def _question(model: type[Model], asked: Mapping[str, Any], order: Sequence[str]) -> str:
    filters = sorted(
        (name, str(value)) for name, value in asked.items() if name not in ("cursor", "limit")
    )
    return json.dumps([model._meta.label_lower, list(order), filters])


def _place(row: Any, order: Sequence[str]) -> list[str]:
    columns = (row._meta.get_field(name.removeprefix("-")) for name in order)
    return [column.value_to_string(row) for column in columns]


def _behind(model: type[Model], order: Sequence[str], place: Sequence[str]) -> Q:
    """The rows that come after `place`: (a, b) < (x, y), written so that an index can help."""
    names = [name.removeprefix("-") for name in order]
    is_down = order[0].startswith("-")
    comparison = "lt" if is_down else "gt"
    columns: list[Any] = [model._meta.get_field(name) for name in names]
    values = [column.to_python(text) for column, text in zip(columns, place, strict=True)]
    behind, same = Q(), Q()
    for name, value in zip(names, values, strict=True):
        behind |= same & Q(**{f"{name}__{comparison}": value})
        same &= Q(**{name: value})
    return Q(**{f"{names[0]}__{comparison}e": values[0]}) & behind


def _seal(place: list[str], question: str) -> str:
    text = json.dumps([place, _proof(place, question)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unseal(cursor: str, question: str) -> list[str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place, proof = json.loads(text)
        is_ours = constant_time_compare(str(proof), _proof(place, question))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        is_ours = False
    if not is_ours:
        raise serializers.ValidationError(
            {"cursor": [_("Send the next_cursor of the page before, with the same filters.")]}
        )
    return list(place)


def _proof(place: Any, question: str) -> str:
    return salted_hmac("kit.paging", json.dumps([place, question])).hexdigest()[:_SEAL_LETTERS]
