"""Products and categories, learnt from the lines of baskets where they are unknown."""

from collections.abc import Iterable, Sequence

from kit.bulk import fetch_all
from payments.models import Category, Product
from payments.providers.base import NoticeLine


def learn_products(lines: Sequence[NoticeLine]) -> dict[str, int]:
    """Product ids by SKU; what is unknown is added with the name and category of its line."""
    by_sku = {line.sku: line for line in lines}
    if not by_sku:
        return {}
    known = _known(by_sku)
    missing = [by_sku[sku] for sku in sorted(by_sku.keys() - known.keys())]
    if missing:
        categories = _learn_categories({line.category for line in missing} - {""})
        Product.objects.bulk_create(
            [
                Product(
                    sku=line.sku,
                    name=(line.name or line.sku)[:120],
                    category_id=categories.get(line.category),
                    is_learnt=True,
                )
                for line in missing
            ],
            ignore_conflicts=True,  # Another process may have learnt it in this moment.
        )
        known = _known(by_sku)
    return known


def _known(skus: Iterable[str]) -> dict[str, int]:
    statement = "SELECT sku, id FROM payments_product WHERE sku = ANY(%s::text[])"
    return dict(fetch_all(statement, [list(skus)]))


def _learn_categories(codes: set[str]) -> dict[str, int]:
    Category.objects.bulk_create(
        [Category(code=code, name=code) for code in sorted(codes)], ignore_conflicts=True
    )
    return dict(Category.objects.filter(code__in=codes).values_list("code", "pk"))
