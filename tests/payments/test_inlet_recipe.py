"""A recipe of the no-code inlet: kept as it was, refused where it contradicts itself, and guessed
from the names of a sample."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.signatures import UnusableSecret
from payments.inlet_guess import guess, guess_lines
from payments.inlet_recipe import BadRecipe, check_recipe, leaves, lists, load_recipe, value_at
from payments.providers import inlet
from tests.payments.providers.test_inlet import TILL

PAYLOADS = Path(__file__).parents[1] / "payloads" / "inlet"


def test_a_recipe_comes_back_as_it_was_kept() -> None:
    assert load_recipe(TILL.dump()) == TILL


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": ""}, "reference"),
        ({"amount": ""}, "amount"),
        ({"amount": "bill.total"}, "amount"),
        ({"currency": ""}, "currency"),
        ({"fixed_currency": "HKD"}, "currency"),
        ({"time": ""}, "time"),
        ({"paid_values": "", "refunded_values": ""}, "paid_values"),
        ({"paid_values": "A", "refunded_values": "a"}, "refunded_values"),
        ({"refund_reference": ""}, "refund_reference"),
        ({"line_sku": ""}, "lines"),
        ({"signature_header": ""}, "signature_header"),
        ({"stamp_header": ""}, "stamp_header"),
        ({"scheme": "form"}, "scheme"),
        ({"scheme": "md5"}, "scheme"),
        ({"algorithm": "sha1"}, "algorithm"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"reply_status": "302"}, "reply_status"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_not_kept(changes: dict[str, str], field: str) -> None:
    with pytest.raises(BadRecipe) as caught:
        check_recipe(replace(TILL, **changes))

    assert field in caught.value.problems


def test_every_field_of_a_sample_is_found_with_its_value() -> None:
    tree: dict[str, Any] = {"a": {"b/c": 1, "d~e": [{"f": "x"}, {"f": "y"}]}, "g": None, "h": []}

    found = dict(leaves(tree))

    assert found == {"/a/b~1c": 1, "/a/d~0e/0/f": "x"}
    assert all(value_at(tree, pointer) == value for pointer, value in found.items())


@pytest.mark.parametrize("secret", ["", "short", "aaaaaaaaaaaaaaaaaaaa"])
def test_a_secret_that_could_be_guessed_is_not_taken(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        inlet.check_secret(secret)

    inlet.check_secret(inlet.make_secret())


def test_names_give_away_what_fields_mean() -> None:
    sample = json.loads((PAYLOADS / "paid.json").read_text())
    [(pointer, rows)] = lists(sample)

    assert guess(leaves(sample)) == {
        "delivery": "/event_id",
        "reference": "/bill/no",
        "amount": "/bill/total",
        "currency": "/bill/currency",
        "time": "/bill/closed_at",
        "time_format": "clock",
        "status": "/status",
        "member": "/customer/card",
        "payer": "/customer/phone",
        "store": "/shop",
        "method": "/pay_type",
    }
    assert guess_lines(pointer, rows[0]) == {
        "lines": "/bill/items",
        "line_sku": "code",
        "line_quantity": "qty",
        "line_amount": "sum",
        "line_name": "title",
    }


def test_names_are_understood_in_camel_case_too() -> None:
    sample = {"paymentId": "p1", "totalAmount": 5, "orderNo": "o1", "items": [{"x": 1}]}

    assert guess(leaves(sample)) == {
        "reference": "/paymentId",
        "amount": "/totalAmount",
        "order": "/orderNo",
    }
    assert guess_lines("/items", ["x"]) == {}


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("2026-11-21T12:00:00+08:00", "iso"),
        ("2026-11-21 12:00:00", "clock"),
        (1795233600, "seconds"),
        ("1795233600000", "milliseconds"),
        ("noon", None),
    ],
)
def test_how_a_time_is_written_is_seen(written: object, form: str | None) -> None:
    guessed = guess(leaves({"time": written}))

    assert guessed.pop("time") == "/time"
    assert guessed.get("time_format") == form
