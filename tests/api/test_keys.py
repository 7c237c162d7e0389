import hashlib
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from members.keys import KeyRate, find_key, make_key
from members.models import ApiKey
from tests.api import till
from tests.api.conftest import caller

pytestmark = pytest.mark.django_db


def test_a_key_is_kept_as_a_hash_only() -> None:
    key, plain = make_key("Till 1", scopes=["coupons:redeem"], store=till.store())

    key.refresh_from_db()
    assert plain.startswith(f"rk_{key.prefix}_")
    assert key.hash == hashlib.sha256(plain.encode()).hexdigest()
    assert find_key(plain.encode()) == key
    assert all(plain not in str(value) for value in vars(key).values())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer rk_",
        "Bearer rk_00000000_" + "a" * 43,
        "Bearer rk_\x00_" + "a" * 43,
        "Bearer ünïcode",
        "Basic dTpw",
    ],
)
def test_without_a_good_key_the_answer_is_401(header: str) -> None:
    answer = Client().get("/api/v1/coupons/C1", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 401


def test_a_wrong_secret_behind_a_right_prefix_is_refused() -> None:
    _key, plain = make_key("Till 1", scopes=[])
    wrong = plain[:-1] + ("A" if plain[-1] != "A" else "B")

    assert find_key(wrong.encode()) is None
    assert find_key(plain.encode()) is not None


def test_a_key_that_was_switched_off_is_refused() -> None:
    key, plain = make_key("Till 1", scopes=till.all_scopes())
    ApiKey.objects.update(is_enabled=False)

    assert caller(plain=plain)("get", "members/M1").status_code == 401
    key.refresh_from_db()
    assert key.last_used_on is None


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", "coupons/C1", "coupons:read"),
        ("post", "coupons/C1/redeem", "coupons:redeem"),
        ("post", f"coupon-uses/{'0' * 8}-0000-0000-0000-{'0' * 12}/cancel", "coupons:redeem"),
        ("post", "sales", "sales:write"),
        ("get", "members/M1", "members:read"),
    ],
)
def test_each_address_wants_its_own_scope(method: str, path: str, scope: str) -> None:
    others = [other for other in till.all_scopes() if other != scope]

    refused = caller(scopes=others)(method, path, once="a")
    answered = caller(scopes=[scope])(method, path, once="b")

    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"
    assert answered.status_code in (400, 404)


def test_the_day_of_use_is_written_once_a_day(django_assert_num_queries: Any) -> None:
    key, plain = make_key("Till 1", scopes=till.all_scopes())
    call = caller(plain=plain)

    call("get", "members/M1")
    key.refresh_from_db()
    assert key.last_used_on == timezone.localdate()
    with django_assert_num_queries(2):  # The key and the member; no update.
        call("get", "members/M1")

    ApiKey.objects.update(last_used_on=timezone.localdate() - timedelta(days=1))
    call("get", "members/M1")
    key.refresh_from_db()
    assert key.last_used_on == timezone.localdate()


def test_each_key_has_its_own_rate() -> None:
    one, two = caller(), caller()

    with patch.object(KeyRate, "rate", "2/min", create=True):
        answers = [one("get", "members/M1").status_code for _ in range(3)]
        other = two("get", "members/M1").status_code

    assert answers == [404, 404, 429]
    assert other == 404
