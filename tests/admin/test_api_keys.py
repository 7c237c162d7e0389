"""The admin of API keys: a secret is shown once, rotated with an overlap, and narrowed."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.keys import find_key, make_key
from members.models import ApiKey
from tests.admin.steps import act

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def shown_key(answer: Any) -> str:
    found = re.search(r"rk_[0-9A-Z]{8}_[A-Za-z0-9_-]{43}", answer.content.decode())
    assert found is not None
    return found[0]


def form(**given: Any) -> dict[str, Any]:
    return {"name": "Partner", "scopes": ["members:read"], "is_enabled": "on"} | given


def test_a_key_is_made_with_its_limits_and_shown_once(desk: Client) -> None:
    typed = form(addresses="203.0.113.7, 2001:db8::1/48", requests_per_minute="60")

    answer = desk.post(reverse("admin:members_apikey_add"), typed, follow=True)

    key = ApiKey.objects.get()
    assert find_key(shown_key(answer).encode(), now=timezone.now()) == key
    assert key.addresses == ["203.0.113.7", "2001:db8::/48"]
    assert key.requests_per_minute == 60
    page = desk.get(reverse("admin:members_apikey_change", args=[key.pk]))
    assert f"rk_{key.prefix}" not in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"addresses": "the office"}, "addresses"),
        ({"addresses": "203.0.113.700"}, "addresses"),
        ({"requests_per_minute": "0"}, "requests_per_minute"),
        ({"scopes": []}, "scopes"),
    ],
)
def test_a_limit_that_is_none_is_refused(desk: Client, typed: Any, field: str) -> None:
    answer = desk.post(reverse("admin:members_apikey_add"), form(**typed))

    assert list(answer.context["adminform"].form.errors) == [field]
    assert not ApiKey.objects.exists()


def test_rotating_shows_a_new_secret_and_keeps_the_old_one_for_a_while(desk: Client) -> None:
    key, first = make_key("Till", scopes=["members:read"])
    before = timezone.now()

    second = shown_key(act(desk, ApiKey, key, "rotate", hours="24"))

    key.refresh_from_db()
    assert key.old_until is not None
    assert timedelta(hours=24) <= key.old_until - before < timedelta(hours=24, minutes=5)
    for plain in (first, second):
        assert find_key(plain.encode(), now=timezone.now()) == key
    assert find_key(first.encode(), now=key.old_until) is None


def test_who_may_only_look_cannot_rotate() -> None:
    key, first = make_key("Till", scopes=["members:read"])
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    answer = act(client, ApiKey, key, "rotate", hours="0")

    assert answer.status_code in (302, 403)
    assert find_key(first.encode(), now=timezone.now()) == key
