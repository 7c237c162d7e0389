"""Writing many rows of the catalogue in one request, with a result for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from kit.http import FieldProblem, StrictSerializer, checked, field_errors
from payments.models import Category
from payments.services.products import ADDED, CHANGED, SAME

MOST_ITEMS: Final = 500
REFUSED: Final = "refused"


class ItemsIn(StrictSerializer):
    """The list itself is checked as a whole, its items one by one: a bad one spoils no other."""

    items = serializers.ListField(
        child=serializers.DictField(), max_length=MOST_ITEMS, min_length=1
    )


class ItemResultOut(serializers.Serializer[Any]):
    key = serializers.CharField(allow_null=True, help_text="The SKU or code that was sent.")
    outcome = serializers.ChoiceField(choices=[ADDED, CHANGED, SAME, REFUSED])
    # The name is RFC 9457's own; of Serializer.errors only input has need.
    errors = FieldProblem(many=True)  # type: ignore[assignment]


class ResultsOut(serializers.Serializer[Any]):
    items = ItemResultOut(many=True, help_text="In the order in which they were sent.")


RESULTS: Final = OpenApiExample(
    "One of each",
    response_only=True,
    value={
        "items": [
            {"key": "TEA-OOLONG", "outcome": "changed", "errors": []},
            {
                "key": "CUP-BLUE",
                "outcome": "refused",
                "errors": [
                    {"pointer": "#/items/1/category", "detail": "There is no such category."}
                ],
            },
        ]
    },
)
BULK: Final = (
    "Up to 500 in one request. Each item has its own result: a bad one is refused with its "
    "errors, and the others are written."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is written: by which key, checked by which form, turned into columns and upserted."""

    key: str
    form: type[StrictSerializer]
    columns: Callable[[Mapping[str, Any], Mapping[str, Category]], dict[str, Any]]
    upsert: Callable[[Sequence[Mapping[str, Any]]], Mapping[str, str]]


def write_items(request: Request, kind: Kind) -> dict[str, Any]:
    """Check each item, write the good ones, and say what became of every one."""
    items = checked(ItemsIn, request.data)["items"]
    categories = {row.code: row for row in Category.objects.all()}
    read: dict[int, dict[str, Any]] = {}
    refused: dict[int, list[dict[str, str]]] = {}
    for place, item in enumerate(items):
        try:
            read[place] = kind.columns(checked(kind.form, item), categories)
        except serializers.ValidationError as problem:
            refused[place] = _errors(place, problem.detail)
    good: dict[str, dict[str, Any]] = {}
    for place, columns in read.items():
        name = columns[kind.key]
        if name in good:
            refused[place] = _errors(place, {kind.key: [_("This stands in the list twice.")]})
        else:
            good[name] = columns
    outcomes = kind.upsert(list(good.values()))
    results = []
    for place, item in enumerate(items):
        given = item.get(kind.key)
        name = read[place][kind.key] if place in read else given
        results.append(
            {
                "key": name if isinstance(name, str) else None,
                "outcome": REFUSED if place in refused else outcomes[name],
                "errors": refused.get(place, []),
            }
        )
    return dict(ResultsOut({"items": results}).data)


def _errors(place: int, detail: Any) -> list[dict[str, str]]:
    return [
        {"pointer": f"#/items/{place}{pointer}", "detail": str(words)}
        for pointer, words in field_errors(detail)
    ]
