"""The OpenAPI document is complete and true; the page that shows it needs nobody else's server."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.api import till
from tests.api.conftest import Call
from tests.api.operations import OPERATIONS


def schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # Untyped.
    document: dict[str, Any] = generator().get_schema(request=None, public=True)
    return document


def test_the_document_is_valid_and_its_making_warns_of_nothing() -> None:
    GENERATOR_STATS.reset()

    document = schema()

    validate_schema(document)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS
    found = {
        (method, path.removeprefix("/api/v1/"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert found == {(method, path) for method, path, _scope in OPERATIONS}


def test_every_operation_names_its_key_and_every_mutation_its_idempotency_key() -> None:
    reading = {("post", "members/look-up")}
    document = schema()

    for method, path, scope in OPERATIONS:
        operation = document["paths"][f"/api/v1/{path}"][method]
        asked = operation.get("parameters", [])
        required = [one["name"] for one in asked if one.get("required")]
        is_reading = method == "get" or (method, path) in reading
        assert operation["security"] == [{"apiKey": []}]
        assert ("Idempotency-Key" in required) != is_reading
        assert f"Scope of the key: `{scope}`." in operation["description"]
        assert "required_scope" not in operation["description"]  # Words for who reads the code.
        problem = operation["responses"]["401"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_operation_shows_what_goes_in_what_comes_out_and_each_problem() -> None:
    for path in schema()["paths"].values():
        for operation in path.values():
            bodies = [*operation["responses"].values()]
            bodies += [operation["requestBody"]] if "requestBody" in operation else []
            for body in bodies:
                for content in body.get("content", {}).values():
                    assert content["examples"], operation["operationId"]


@pytest.mark.django_db
def test_the_examples_in_the_document_work_as_they_stand(call: Call) -> None:
    sales = schema()["paths"]["/api/v1/sales"]["post"]["requestBody"]["content"]
    examples = sales["application/json"]["examples"]

    till.member(phone="+85291234567")
    answers = [
        call(
            "post",
            "sales",
            example["value"] | {"occurred_at": "2026-11-20T15:04:05+08:00"},
            once=name,
        )
        for name, example in examples.items()
    ]

    assert [answer.status_code for answer in answers] == [201, 201]


@pytest.mark.django_db
def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() -> None:
    answer = Client().get("/api/docs/")
    page = answer.content.decode()

    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    policy = answer["Content-Security-Policy"]
    assert answer.status_code == 200
    assert "script-src 'self';" in f"{policy};"
    assert not re.search(r"<script(?![^>]*src=)", page)
    assert len(addresses) == 5
    assert all(address.startswith("/") for address in addresses)
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address


@pytest.mark.django_db
def test_the_document_is_served_to_anybody() -> None:
    answer = Client().get("/api/schema/", headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert "Regulars API" in answer.content.decode()
