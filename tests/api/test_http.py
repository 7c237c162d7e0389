import json
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.http import LARGEST_BODY, field_errors
from loyalty.models import CouponUse
from members.keys import make_key
from members.models import ApiCall
from payments.models import Transaction
from tests.api import till
from tests.api.conftest import Call

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid"),
        (b"{", 400, "parse_error"),
        (b"[]", 400, "parse_error"),
        (b'"x"', 400, "parse_error"),
        (b'{"amount": NaN}', 400, "parse_error"),
        (b'{"kind": "payment", "kind": "refund"}', 400, "parse_error"),
        (b'{"a": "\xff"}', 400, "parse_error"),
        (b"[" * 100_000, 400, "parse_error"),
        (rb'{"kind": "\ud800"}', 400, "parse_error"),
        (rb'{"\udfff": 1}', 400, "parse_error"),
        (rb'{"lines": [{"\ud83d": ["\uDBFF"]}]}', 400, "parse_error"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "parse_error"),
        (b" " * (LARGEST_BODY + 1), 413, "body_too_large"),
    ],
)
def test_a_body_that_is_not_one_plain_object_is_refused(
    call: Call, body: bytes, status: int, code: str
) -> None:
    answer = call("post", "sales", body, once="1")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert not Transaction.objects.exists()
    assert not ApiCall.objects.exists()


def test_other_media_methods_and_addresses_are_problems_too(call: Call) -> None:
    _key, plain = make_key("Till", scopes=till.all_scopes())
    headers = {"Authorization": f"Bearer {plain}", "Idempotency-Key": "1"}

    form = Client().post("/api/v1/sales", {"kind": "payment"}, headers=headers)
    method = call("get", "sales")
    nowhere = Client().get("/api/v2/sales")

    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    for answer in (form, method, nowhere):
        assert answer["Content-Type"] == "application/problem+json"


def test_a_database_that_is_away_asks_for_another_try(call: Call) -> None:
    with patch("payments.api.sales.book_sales", side_effect=OperationalError("gone")):
        answer = call(
            "post",
            "sales",
            {
                "kind": "payment",
                "order_ref": "A-1",
                "amount": "1",
                "currency": "HKD",
                "occurred_at": "2026-11-20T00:00:00Z",
            },
            once="1",
        )

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "1"
    assert not ApiCall.objects.exists()


def test_pointers_follow_rfc_6901() -> None:
    errors = {"a/b": ["one", "two"], "lines": [{}, {"~": ["three"]}], "non_field_errors": ["four"]}

    assert list(field_errors(errors)) == [
        ("/a~1b", "one"),
        ("/a~1b", "two"),
        ("/lines/1/~0", "three"),
        ("", "four"),
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
likely = st.sampled_from(
    ["payment", "refund", "HKD", "JPY", "1.00", "0", "2026-11-20T00:00:00Z", "M000000000", "TST"]
)
fields = st.sampled_from(
    [
        "kind",
        "order_ref",
        "refund_ref",
        "amount",
        "currency",
        "occurred_at",
        "store",
        "method",
        "member",
        "phone",
        "email",
        "lines",
        "bill",
        "sku",
        "ordered_at",
        "paid",
        "return_ref",
        "code",
        "region",
        "born_on",
        "consents",
        "identities",
        "identity",
        "items",
    ]
)
lines = st.lists(
    st.dictionaries(st.sampled_from(["sku", "amount", "quantity"]), likely | anything, max_size=3),
    max_size=2,
)
bodies = st.dictionaries(fields, likely | anything | lines, max_size=9)
GOOD = {
    "kind": "payment",
    "order_ref": "A-1",
    "amount": "1.00",
    "currency": "HKD",
    "occurred_at": "2026-11-20T00:00:00Z",
}
fuzz = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@fuzz
@given(body=bodies | bodies.map(lambda body: GOOD | body))
def test_no_body_is_our_fault(call: Call, body: dict[str, Any]) -> None:
    text = json.dumps(body)

    for path in (
        "sales",
        "coupons/C00000000000/redeem",
        "orders",
        "orders/A-1/returns",
        "members",
        "members/look-up",
        "members/M000000000/consents",
        "products",
    ):
        answer = call("post", path, text, once="x" + str(abs(hash(text))))
        assert answer.status_code < 500
        assert answer.json()
    assert not CouponUse.objects.exists()


@fuzz
@given(code=st.text(min_size=1).filter(lambda code: "/" not in code), query=bodies)
def test_no_address_is_our_fault(call: Call, code: str, query: dict[str, Any]) -> None:
    safe = quote(code, errors="replace")

    for path in (
        f"coupons/{safe}",
        f"members/{safe}",
        f"members/{safe}/points",
        f"orders/{safe}",
        f"products/{safe}",
        f"coupon-uses/{safe}/cancel",
        "transactions",
    ):
        written = {name: str(value) for name, value in query.items()}
        try:
            answer = call("get", path, written)
        except UnicodeEncodeError:
            continue  # The test's own client cannot send a lone surrogate.
        assert answer.status_code in (200, 400, 404, 405, 429)


@fuzz
@given(header=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_no_header_is_our_fault(header: str) -> None:
    for name in ("Authorization", "Idempotency-Key", "Accept-Language", "Accept", "Content-Type"):
        answer = Client().get(
            "/api/v1/members/M1", headers={"Authorization": "Bearer x", name: header}
        )
        assert answer.status_code in (401, 406, 429)


def test_an_address_with_a_zero_byte_is_refused() -> None:
    page, api = Client().get("/admin/login/?next=%00"), Client().get("/api/v1/products?a=%00")

    assert (page.status_code, page["Content-Type"]) == (400, "text/plain")
    assert (api.status_code, api["Content-Type"]) == (400, "application/problem+json")
    assert api.json()["code"] == "parse_error"
