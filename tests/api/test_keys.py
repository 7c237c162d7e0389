import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from members.keys import find_key, make_key, rotate_key
from members.models import ApiKey, ApiRate
from members.throttling import forget_handfuls, forget_rates, take
from tests.api import till
from tests.api.conftest import caller
from tests.api.operations import OPERATIONS

NEW_MINUTE: Final = till.NOON

pytestmark = pytest.mark.django_db


def test_a_key_is_kept_as_a_hash_only() -> None:
    key, plain = make_key("Till 1", scopes=["coupons:redeem"], store=till.store())

    key.refresh_from_db()
    assert plain.startswith(f"rk_{key.prefix}_")
    assert key.hash == hashlib.sha256(plain.encode()).hexdigest()
    assert find_key(plain.encode(), now=till.NOON) == key
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

    assert find_key(wrong.encode(), now=till.NOON) is None
    assert find_key(plain.encode(), now=till.NOON) is not None


def test_a_key_that_was_switched_off_is_refused() -> None:
    key, plain = make_key("Till 1", scopes=till.all_scopes())
    ApiKey.objects.update(is_enabled=False)

    assert caller(plain=plain)("get", "members/M1").status_code == 401
    key.refresh_from_db()
    assert key.last_used_on is None


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_each_operation_wants_its_own_scope(method: str, path: str, scope: str) -> None:
    others = [other for other in till.all_scopes() if other != scope]
    address = re.sub(r"{[a-z_]*id}", str(UUID(int=0)), path.replace("{identity_id}", "1"))
    address = address.replace("{code}", "M1").replace("{order_ref}", "A").replace("{sku}", "A")

    refused = caller(scopes=others)(method, address, once="a")
    answered = caller(scopes=[scope])(method, address, once="b")

    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"
    assert answered.status_code in (200, 400, 404)


def test_the_day_of_use_is_written_once_a_day(django_assert_num_queries: Any) -> None:
    key, plain = make_key("Till 1", scopes=till.all_scopes())
    call = caller(plain=plain)

    call("get", "members/M1")
    key.refresh_from_db()
    assert key.last_used_on == timezone.localdate()
    with django_assert_num_queries(2):  # The key and the member; no update, no count.
        call("get", "members/M1")

    ApiKey.objects.update(last_used_on=timezone.localdate() - timedelta(days=1))
    call("get", "members/M1")
    key.refresh_from_db()
    assert key.last_used_on == timezone.localdate()


def test_each_key_has_its_own_rate() -> None:
    key, plain = make_key("Till", scopes=till.all_scopes(), requests_per_minute=2)
    one, two = caller(plain=plain), caller()

    with time_machine.travel(NEW_MINUTE, tick=False):
        answers = [one("get", "members/M1") for _ in range(3)]
        other = two("get", "members/M1")

    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert [answer["RateLimit"] for answer in answers] == [
        '"key";r=1;t=60',
        '"key";r=0;t=60',
        '"key";r=0;t=60',
    ]
    assert answers[2]["RateLimit-Policy"] == '"key";q=2;w=60'
    assert answers[2]["Retry-After"] == "60"
    assert answers[2].json()["code"] == "throttled"
    assert other.status_code == 404
    assert ApiRate.objects.get(subject=f"key:{key.pk}").taken == 2


def test_a_rate_holds_over_all_processes_and_seldom_asks_the_database() -> None:
    passed, asked = 0, []

    for _process in range(3):
        forget_handfuls()  # As in a process of its own.
        for _request in range(50):
            with CaptureQueriesContext(connection) as queries:
                passed += take("key:1", limit=120, now=till.NOON).is_allowed
            asked.append(len(queries))

    assert passed == 120
    assert sum(asked) == 60  # Two at a time.
    assert take("key:1", limit=120, now=till.NOON + timedelta(minutes=1)).is_allowed


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_no_more_than_the_limit() -> None:
    def ask(_number: int) -> int:
        try:
            return sum(take("key:2", limit=60, now=till.NOON).is_allowed for _ in range(25))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        passed = sum(threads.map(ask, range(4)))

    assert passed == 60


def test_counts_that_nobody_needs_are_forgotten(runtime_role: str) -> None:
    take("key:1", limit=9, now=till.NOON)
    take("key:2", limit=9, now=till.NOON + timedelta(minutes=30))

    assert forget_rates(now=till.NOON + timedelta(minutes=61)) == 1

    assert [row.subject for row in ApiRate.objects.all()] == ["key:2"]


def test_who_tries_many_keys_must_wait_but_good_keys_of_that_address_work() -> None:
    good = caller()

    with time_machine.travel(NEW_MINUTE, tick=False):
        tried = [
            Client().get("/api/v1/members/M1", headers={"Authorization": "Bearer rk_wrong"})
            for _ in range(31)
        ]
        answer = good("get", "members/M1")

    assert [one.status_code for one in tried] == [401] * 30 + [429]
    assert tried[30]["Retry-After"] == "60"
    assert answer.status_code == 404


def test_neighbours_in_one_ipv6_network_are_one_visitor() -> None:
    for tail in ("1", "2:3", "ffff"):
        Client(REMOTE_ADDR=f"2001:db8::{tail}").get(
            "/api/v1/members/M1", headers={"Authorization": "Bearer rk_wrong"}
        )

    assert [(row.subject, row.taken) for row in ApiRate.objects.all()] == [
        ("address:2001:db8::/64", 3)
    ]


def test_a_rotated_key_works_beside_the_old_one_until_that_ends_by_itself() -> None:
    key, first = make_key("Till 1", scopes=till.all_scopes())

    second = rotate_key(key, overlap=timedelta(hours=24), now=till.NOON)

    just_before = till.NOON + timedelta(hours=24, microseconds=-1)
    assert second.startswith(f"rk_{key.prefix}_")
    assert second != first
    assert [find_key(one.encode(), now=just_before) for one in (first, second)] == [key, key]
    at_the_end = till.NOON + timedelta(hours=24)
    assert find_key(first.encode(), now=at_the_end) is None
    assert find_key(second.encode(), now=at_the_end) == key


def test_a_second_rotation_ends_what_the_first_one_left_over() -> None:
    key, first = make_key("Till 1", scopes=till.all_scopes())
    second = rotate_key(key, overlap=timedelta(days=7), now=till.NOON)

    third = rotate_key(key, overlap=timedelta(0), now=till.NOON)

    found = [find_key(one.encode(), now=till.NOON) for one in (first, second, third)]
    assert found == [None, None, key]


def test_an_expired_key_says_so() -> None:
    _key, plain = make_key("Partner", scopes=till.all_scopes(), expires_at=till.NOON)

    with time_machine.travel(till.NOON - timedelta(seconds=1), tick=False):
        before = caller(plain=plain)("get", "members/M1")
    with time_machine.travel(till.NOON, tick=False):
        after = caller(plain=plain)("get", "members/M1")

    assert before.status_code == 404
    assert (after.status_code, after.json()["code"]) == (401, "key_expired")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("203.0.113.7", 404),
        ("203.0.113.8", 403),
        ("::ffff:203.0.113.7", 404),
        ("2001:db8:1:2::9", 404),
        ("2001:db8:2::1", 403),
        ("", 403),
    ],
)
def test_a_key_works_from_its_addresses_only(address: str, status: int) -> None:
    _key, plain = make_key(
        "Partner", scopes=till.all_scopes(), addresses=["203.0.113.7", "2001:db8:1::/48"]
    )
    headers = {"Authorization": f"Bearer {plain}"}

    answer = Client(REMOTE_ADDR=address).get("/api/v1/members/M1", headers=headers)

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "address_not_allowed"
