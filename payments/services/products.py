"""Products and categories as another system keeps them: many at once, by their codes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import transaction

from kit.work import hold_keys
from payments.models import Category, Product

ADDED: Final = "added"
CHANGED: Final = "changed"
SAME: Final = "same"


def upsert_products(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Add or change products by their SKU, each named once; what became of each.

    An item holds columns of Product with `category` as a row; what it leaves out stays as it is.
    """
    return _upsert(Product, "sku", items, {"is_learnt": False})


def upsert_categories(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The same for categories, by their code; a parent must be there before its children."""
    return _upsert(Category, "code", items, {})


def _upsert(
    model: Any, key: str, items: Sequence[Mapping[str, Any]], fixed: Mapping[str, Any]
) -> dict[str, str]:
    with transaction.atomic():
        hold_keys([f"catalogue:{model._meta.model_name}"])  # One writer: none overtakes another.
        known = {
            getattr(row, key): row
            for row in model.objects.filter(**{f"{key}__in": [item[key] for item in items]})
        }
        fresh, changed = [], []
        outcomes, columns = {}, set()
        for item in items:
            wanted = {**item, **fixed}
            row = known.get(item[key])
            if row is None:
                fresh.append(model(**{"name": item[key], **wanted}))
                outcomes[item[key]] = ADDED
                continue
            differing = {n for n, value in wanted.items() if getattr(row, n) != value}
            for name in differing:
                setattr(row, name, wanted[name])
            if differing:
                changed.append(row)
            columns |= differing
            outcomes[item[key]] = CHANGED if differing else SAME
        model.objects.bulk_create(fresh)
        if changed:
            model.objects.bulk_update(changed, sorted(columns))
    return outcomes
