from typing import Any

import pytest

from payments.models import Category, Product
from tests import build
from tests.api.conftest import Call

pytestmark = pytest.mark.django_db


def write(call: Call, *items: Any, kind: str = "products", once: str = "1") -> Any:
    return call("post", kind, {"items": list(items)}, once=once)


def outcomes(answer: Any) -> list[tuple[str, str]]:
    return [(item["key"], item["outcome"]) for item in answer.json()["items"]]


def test_products_are_added_and_changed_and_the_bad_ones_spoil_no_other(call: Call) -> None:
    build.category("tea")
    Product.objects.create(sku="TEA", name="TEA", brand="Mountain", is_learnt=True)
    full = {
        "sku": "TEA",
        "name": "Oolong",
        "name_zh_hant": "烏龍茶",
        "category": "tea",
        "barcode": "4891234567893",
        "cost": {"amount": "31.50", "currency": "HKD"},
        "launched_on": "2026-09-01",
        "days_of_supply": 30,
    }

    answer = write(
        call,
        full,
        {"sku": "CUP"},
        {"sku": "POT", "category": "pots"},
        {"sku": "CUP", "name": "Again"},
        {"sku": "JAR", "colour": "red", "days_of_supply": 0},
        {"name": "Nameless"},
    )

    assert answer.status_code == 200
    assert outcomes(answer) == [
        ("TEA", "changed"),
        ("CUP", "added"),
        ("POT", "refused"),
        ("CUP", "refused"),
        ("JAR", "refused"),
        (None, "refused"),
    ]
    errors = [[e["pointer"] for e in item["errors"]] for item in answer.json()["items"]]
    assert errors == [
        [],
        [],
        ["#/items/2/category"],
        ["#/items/3/sku"],
        ["#/items/4/colour"],
        ["#/items/5/sku"],
    ]
    assert call("get", "products/TEA").json() == full | {
        "name_zh_hans": "",
        "brand": "Mountain",
        "cost": {"amount": "31.5000", "currency": "HKD"},
        "is_learnt": False,
    }
    assert call("get", "products/CUP").json()["name"] == "CUP"
    assert Product.objects.count() == 2


def test_the_same_again_changes_nothing(call: Call) -> None:
    item = {"sku": "TEA", "name": "Oolong", "cost": {"amount": "31.5", "currency": "HKD"}}
    first = write(call, item)

    again = write(call, item)
    other_key = write(call, item, once="2")
    other_body = write(call, {"sku": "CUP"})

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert outcomes(other_key) == [("TEA", "same")]
    assert (other_body.status_code, other_body.json()["code"]) == (409, "idempotency_key_reused")
    assert Product.objects.count() == 1


def test_what_is_null_is_taken_away_and_what_is_left_out_stays(call: Call) -> None:
    build.product("TEA", build.category("tea"))
    write(call, {"sku": "TEA", "cost": {"amount": "1", "currency": "HKD"}, "days_of_supply": 9})

    write(call, {"sku": "TEA", "cost": None, "days_of_supply": None}, once="2")
    write(call, {"sku": "TEA", "category": ""}, once="3")

    product = Product.objects.get()
    assert (product.unit_cost, product.days_of_supply, product.category) == (None, None, None)
    assert product.name == "TEA"


def test_categories_stand_in_a_tree_and_never_below_themselves(call: Call) -> None:
    build.category("drinks")

    write(call, {"code": "tea", "name": "Tea", "parent": "drinks"}, kind="categories")
    ring = write(
        call,
        {"code": "drinks", "parent": "tea"},
        {"code": "new", "parent": "nowhere"},
        kind="categories",
        once="2",
    )

    assert outcomes(ring) == [("drinks", "refused"), ("new", "refused")]
    listed = call("get", "categories").json()["items"]
    assert [(row["code"], row["parent"]) for row in listed] == [
        ("drinks", None),
        ("tea", "drinks"),
    ]
    assert Category.objects.count() == 2


def test_two_categories_in_one_request_make_no_ring(call: Call) -> None:
    for code in ("a", "b"):
        build.category(code)

    answer = write(
        call, {"code": "a", "parent": "b"}, {"code": "b", "parent": "a"}, kind="categories"
    )

    assert outcomes(answer) == [("a", "changed"), ("b", "refused")]
    assert Category.objects.get(code="b").parent is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/items"),
        ({"items": []}, "#/items"),
        ({"items": "TEA"}, "#/items"),
        ({"items": ["TEA"]}, "#/items/0"),
        ({"items": [{"sku": "A"}] * 501}, "#/items"),
        ({"products": []}, "#/products"),
    ],
)
def test_a_list_that_is_none_is_refused(call: Call, body: Any, pointer: str) -> None:
    answer = call("post", "products", body, once="1")

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not Product.objects.exists()


def test_products_are_listed_by_pages_and_filters(call: Call) -> None:
    for sku in ("C", "A", "B"):
        build.product(sku, build.category("tea") if sku != "B" else None)

    first = call("get", "products", {"limit": 2}).json()
    second = call("get", "products", {"limit": 2, "cursor": first["next_cursor"]}).json()
    tea = call("get", "products", {"category": "tea"}).json()

    assert [row["sku"] for row in first["items"]] == ["A", "B"]
    assert ([row["sku"] for row in second["items"]], second["next_cursor"]) == (["C"], None)
    assert [row["sku"] for row in tea["items"]] == ["A", "C"]


@pytest.mark.parametrize("sku", ["NONE", "%00", "x" * 101])
def test_an_unknown_product_is_not_found(call: Call, sku: str) -> None:
    assert call("get", f"products/{sku}").status_code == 404
