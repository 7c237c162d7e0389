"""Products by spreadsheet, and the tree of categories that grows with them."""

import pytest

from payments.imports.products import ProductSheet
from payments.models import Category, Product
from tests import build
from tests.imports.sheets import csv_file, problems, totals, upload

pytestmark = pytest.mark.django_db

HEADER = ["SKU", "Name", "繁體名稱", "簡體名稱", "Category", "Category name", "Parent"]


def test_products_come_with_their_categories() -> None:
    content = csv_file(
        HEADER,
        ["TEA-1", "Oolong", "烏龍", "乌龙", "tea", "Tea", "drinks"],
        ["TEA-2", "Green tea", "", "", "Tea", "", ""],
    )

    result = upload(ProductSheet, content)

    assert totals(result) == {"new": 2}
    assert ("New categories", 2) in result.summary
    oolong = Product.objects.get(sku="TEA-1")
    assert (oolong.name, oolong.name_zh_hant, oolong.name_zh_hans) == ("Oolong", "烏龍", "乌龙")
    assert oolong.category == Product.objects.get(sku="TEA-2").category
    tea = Category.objects.get(code="tea")
    assert (tea.name, tea.parent) == ("Tea", Category.objects.get(code="drinks"))


def test_the_same_file_twice_changes_nothing() -> None:
    content = csv_file(HEADER, ["TEA-1", "Oolong", "", "", "tea", "Tea", "drinks"])
    upload(ProductSheet, content)

    again = upload(ProductSheet, content)

    assert totals(again) == {"skip": 1}
    assert (Product.objects.count(), Category.objects.count()) == (1, 2)


def test_a_known_product_is_changed_and_an_empty_cell_changes_nothing() -> None:
    build.product("TEA-1", build.category("tea"))

    result = upload(ProductSheet, csv_file(HEADER, ["TEA-1", "", "烏龍", "", "cups", "Cups", ""]))

    product = Product.objects.get()
    assert totals(result) == {"update": 1}
    assert (product.name, product.name_zh_hant) == ("TEA-1", "烏龍")
    assert product.category == Category.objects.get(code="cups")


def test_a_category_moves_under_its_parent() -> None:
    tea = build.category("tea")
    build.product("TEA-1", tea)

    result = upload(ProductSheet, csv_file(HEADER, ["TEA-1", "", "", "", "tea", "", "drinks"]))

    tea.refresh_from_db()
    assert totals(result) == {"update": 1}
    assert tea.parent == Category.objects.get(code="drinks")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["", "Oolong", "", "", "", "", ""]], "empty but needed"),
        ([["A", "", "", "", "", "", ""]], "needs a name"),
        ([["A", "A", "", "", "", "", "drinks"]], "no category"),
        ([["A", "A", "", "", "tea", "", "tea"]], "below itself"),
        (
            [["A", "A", "", "", "x", "", "y"], ["B", "B", "", "", "y", "", "x"]],
            "below itself",
        ),
        (
            [["A", "A", "", "", "x", "", "y"], ["B", "B", "", "", "x", "", "z"]],
            "Another row puts this category under “y”",
        ),
        ([["A", "A", "", "", "", "", ""], ["A", "B", "", "", "", "", ""]], "row 2 already"),
    ],
)
def test_a_row_that_cannot_be_is_refused(rows: list[list[str]], words: str) -> None:
    result = upload(ProductSheet, csv_file(HEADER, *rows))

    assert words in str(problems(result))
    assert not Product.objects.exists()
    assert not Category.objects.exists()


def test_brand_cost_and_supply_come_under_chinese_headers_too() -> None:
    build.programme()
    header = ["貨號", "名稱", "品牌", "條碼", "成本", "成本貨幣", "上市日期", "可用天數"]
    row = ["TEA-1", "Oolong", "Laohe", "4891234567893", "31.5", "", "2026-09-01", "30"]

    result = upload(ProductSheet, csv_file(header, row))
    again = upload(ProductSheet, csv_file(header, row))

    assert (totals(result), totals(again)) == ({"new": 1}, {"skip": 1})
    product = Product.objects.get()
    assert (product.brand, product.barcode, product.days_of_supply) == (
        "Laohe",
        "4891234567893",
        30,
    )
    assert str(product.unit_cost) == "HKD 31.5000"
    assert str(product.launched_on) == "2026-09-01"


@pytest.mark.parametrize(
    ("cost", "days", "words"),
    [
        ("31.555", "30", "no amount of HKD"),
        ("-1", "30", "no amount"),
        ("1", "2.5", "whole number"),
    ],
)
def test_a_cost_or_supply_that_cannot_be_is_refused(cost: str, days: str, words: str) -> None:
    build.programme()
    header = ["SKU", "Name", "unit cost", "days of supply"]

    result = upload(ProductSheet, csv_file(header, ["A", "A", cost, days]))

    assert words in str(problems(result))
    assert not Product.objects.exists()


def test_a_product_that_sales_taught_is_completed_by_a_file() -> None:
    build.programme()
    Product.objects.create(sku="BAG", name="BAG", is_learnt=True)

    upload(ProductSheet, csv_file(["SKU", "Name", "Brand"], ["BAG", "Bag", "Laohe"]))

    product = Product.objects.get()
    assert (product.name, product.brand, product.is_learnt) == ("Bag", "Laohe", False)
