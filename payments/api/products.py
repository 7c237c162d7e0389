"""/api/v1/products and /api/v1/categories: what is sold, read by pages and written in bulk."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import (
    LineOfText,
    PlainDecimal,
    StrictSerializer,
    query_of,
)
from kit.money import LARGEST, MoneyError, exponent
from kit.paging import PageIn, PageOut, page_of
from members.api import (
    CHANGE_PROBLEMS,
    IDEMPOTENCY_KEY,
    LOOK_UP_PROBLEMS,
    ApiView,
    answer_once,
)
from members.models import ApiKey
from payments.api.bulk import BULK, MOST_ITEMS, RESULTS, Kind, ResultsOut, write_items
from payments.api.orders import text_in_path
from payments.models import Category, Product
from payments.services.products import upsert_categories, upsert_products


class NamesIn(StrictSerializer):
    name = LineOfText(longest=120, required=False, help_text="English, or your own language.")
    name_zh_hant = LineOfText(longest=120, required=False)
    name_zh_hans = LineOfText(longest=120, required=False)


class CostIn(StrictSerializer):
    amount = PlainDecimal()
    currency = LineOfText(longest=3, help_text="ISO 4217.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        try:
            exponent(given["currency"].upper())
        except MoneyError as problem:
            raise serializers.ValidationError(
                {"currency": [_("This is not a currency of ISO 4217.")]}
            ) from problem
        amount: Decimal = given["amount"]
        if amount >= LARGEST or amount != round(amount, 4):
            raise serializers.ValidationError({"amount": [_("A cost has at most four decimals.")]})
        return given


class ProductIn(NamesIn):
    """What is left out stays as it is; a new product is named by its SKU until it has a name."""

    sku = LineOfText(longest=60)
    category = LineOfText(longest=40, required=False, help_text="The code of a category.")
    brand = LineOfText(longest=80, required=False)
    barcode = LineOfText(longest=40, required=False)
    cost = CostIn(required=False, allow_null=True, help_text="What one costs you.")
    launched_on = serializers.DateField(required=False, allow_null=True)
    days_of_supply = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=3660
    )


class CategoryIn(NamesIn):
    code = LineOfText(longest=40)
    # The name is DRF's own too; only fields have need of Field.parent, when they are bound.
    parent = LineOfText(  # type: ignore[assignment]
        longest=40, required=False, help_text="Its code; empty: none. It must be there already."
    )


# The stubs do not know that `many` makes a list, which has a length.
class ProductsIn(StrictSerializer):
    items = ProductIn(many=True, max_length=MOST_ITEMS, min_length=1)  # type: ignore[call-arg]


class CategoriesIn(StrictSerializer):
    items = CategoryIn(many=True, max_length=MOST_ITEMS, min_length=1)  # type: ignore[call-arg]


class ProductFilterIn(PageIn):
    category = LineOfText(longest=40, required=False, help_text="The code of a category.")
    brand = LineOfText(longest=80, required=False)


class CostOut(serializers.Serializer[Any]):
    amount = serializers.CharField()
    currency = serializers.CharField()


class ProductOut(serializers.Serializer[Any]):
    sku = serializers.CharField()
    name = serializers.CharField()
    name_zh_hant = serializers.CharField()
    name_zh_hans = serializers.CharField()
    category = serializers.CharField(allow_null=True)
    brand = serializers.CharField()
    barcode = serializers.CharField()
    cost = CostOut(allow_null=True)
    launched_on = serializers.DateField(allow_null=True)
    days_of_supply = serializers.IntegerField(allow_null=True)
    is_learnt = serializers.BooleanField(help_text="True: all we know of it came from sales.")


class ProductPageOut(PageOut):
    items = ProductOut(many=True)


class CategoryOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    name_zh_hant = serializers.CharField()
    name_zh_hans = serializers.CharField()
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]


class CategoryPageOut(PageOut):
    items = CategoryOut(many=True)


_PRODUCT: Final = {
    "sku": "TEA-OOLONG",
    "name": "Oolong",
    "name_zh_hant": "烏龍茶",
    "name_zh_hans": "乌龙茶",
    "category": "tea",
    "brand": "Mountain",
    "barcode": "4891234567893",
    "cost": {"amount": "31.50", "currency": "HKD"},
    "launched_on": "2026-09-01",
    "days_of_supply": 30,
    "is_learnt": False,
}
_CATEGORY: Final = {
    "code": "tea",
    "name": "Tea",
    "name_zh_hant": "茶",
    "name_zh_hans": "茶",
    "parent": "drinks",
}


class ProductsView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.PRODUCTS_READ
    write_scope: ClassVar[str] = ApiKey.Scope.PRODUCTS_WRITE

    @extend_schema(
        operation_id="list_products",
        summary="Products, by SKU",
        tags=["products"],
        parameters=[ProductFilterIn],
        responses={200: ProductPageOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "A page", response_only=True, value={"items": [_PRODUCT], "next_cursor": None}
            )
        ],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, ProductFilterIn)
        rows = Product.objects.select_related("category")
        if asked.get("category"):
            rows = rows.filter(category__code=asked["category"])
        if asked.get("brand"):
            rows = rows.filter(brand=asked["brand"])
        return Response(page_of(rows, asked, order=("sku",), show=show_product))

    @extend_schema(
        operation_id="write_products",
        summary="Add or change products in bulk",
        description=BULK,
        tags=["products"],
        parameters=[IDEMPOTENCY_KEY],
        request=ProductsIn,
        responses={200: ResultsOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "Two",
                request_only=True,
                value={
                    "items": [
                        {"sku": "TEA-OOLONG", "name": "Oolong", "name_zh_hant": "烏龍茶"},
                        {"sku": "CUP-BLUE", "name": "Blue cup", "brand": "Kiln"},
                    ]
                },
            ),
            RESULTS,
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        return Response(write_items(request, _PRODUCTS))


class ProductView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.PRODUCTS_READ

    @extend_schema(
        operation_id="read_product",
        summary="One product",
        tags=["products"],
        responses={200: ProductOut, **LOOK_UP_PROBLEMS},
        examples=[OpenApiExample("A product", response_only=True, value=_PRODUCT)],
    )
    def get(self, request: Request, sku: str) -> Response:
        rows = Product.objects.select_related("category")
        product = rows.filter(sku=text_in_path(sku)).first()
        if product is None:
            raise NotFound(_("There is no product with this SKU."), "product_unknown")
        return Response(show_product(product))


class CategoriesView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.PRODUCTS_READ
    write_scope: ClassVar[str] = ApiKey.Scope.PRODUCTS_WRITE

    @extend_schema(
        operation_id="list_categories",
        summary="Categories, by code",
        tags=["products"],
        parameters=[PageIn],
        responses={200: CategoryPageOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "A page", response_only=True, value={"items": [_CATEGORY], "next_cursor": None}
            )
        ],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, PageIn)
        rows = Category.objects.select_related("parent")
        return Response(page_of(rows, asked, order=("code",), show=show_category))

    @extend_schema(
        operation_id="write_categories",
        summary="Add or change categories in bulk",
        description=BULK,
        tags=["products"],
        parameters=[IDEMPOTENCY_KEY],
        request=CategoriesIn,
        responses={200: ResultsOut, **CHANGE_PROBLEMS},
        examples=[
            OpenApiExample(
                "One below another",
                request_only=True,
                value={"items": [{"code": "tea", "name": "Tea", "parent": "drinks"}]},
            ),
            RESULTS,
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        return Response(write_items(request, _CATEGORIES))


def show_product(row: Product) -> dict[str, Any]:
    cost = row.unit_cost
    shown = {
        "sku": row.sku,
        "name": row.name,
        "name_zh_hant": row.name_zh_hant,
        "name_zh_hans": row.name_zh_hans,
        "category": row.category.code if row.category else None,
        "brand": row.brand,
        "barcode": row.barcode,
        "cost": {"amount": f"{cost.amount:f}", "currency": cost.currency} if cost else None,
        "launched_on": row.launched_on,
        "days_of_supply": row.days_of_supply,
        "is_learnt": row.is_learnt,
    }
    return dict(ProductOut(shown).data)


def show_category(row: Category) -> dict[str, Any]:
    shown = {
        "code": row.code,
        "name": row.name,
        "name_zh_hant": row.name_zh_hant,
        "name_zh_hans": row.name_zh_hans,
        "parent": row.parent.code if row.parent else None,
    }
    return dict(CategoryOut(shown).data)


def _product_columns(
    item: Mapping[str, Any], categories: Mapping[str, Category]
) -> dict[str, Any]:
    columns = _without_blank_name(item)
    if "category" in columns:
        columns["category"] = _category(columns["category"], categories, "category")
    if "cost" in columns:
        cost = columns.pop("cost")
        columns["cost"] = cost["amount"] if cost else None
        columns["cost_currency"] = cost["currency"].upper() if cost else ""
    return columns


def _category_columns(
    item: Mapping[str, Any], categories: Mapping[str, Category]
) -> dict[str, Any]:
    columns = _without_blank_name(item)
    if "parent" not in columns:
        return columns
    parent = _category(columns["parent"], categories, "parent")
    above: Category | None = parent
    while above is not None:
        if above.code == columns["code"]:
            raise serializers.ValidationError(
                {"parent": [_("A category cannot stand below itself.")]}
            )
        above = next((c for c in categories.values() if c.pk == (above and above.parent_id)), None)
    if columns["code"] in categories:  # So that the next item sees the tree as it will be.
        categories[columns["code"]].parent_id = parent.pk if parent else None
    columns["parent"] = parent
    return columns


def _without_blank_name(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "name" or value}


def _category(code: str, categories: Mapping[str, Category], field: str) -> Category | None:
    if code and code not in categories:
        raise serializers.ValidationError({field: [_("There is no such category.")]})
    return categories[code] if code else None


_PRODUCTS: Final = Kind("sku", ProductIn, _product_columns, upsert_products)
_CATEGORIES: Final = Kind("code", CategoryIn, _category_columns, upsert_categories)
