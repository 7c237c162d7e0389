"""Content is masked for everybody; who unmasks it says why, and that is kept."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from config.groups import make_groups
from members.models import StaffScope
from payments.models import Callback, Conflict, Disclosure, Rejection
from tests import build
from tests.build import NOON

SUBMITTED = {"_form_submitted": "1", "reason": "Complaint 4711"}


@pytest.fixture
def posts(db: None) -> tuple[Callback, Rejection, Conflict]:
    build.programme()
    build.account(store=build.store())
    paid = build.payment("95.00", ref="p", customer={"wallet": "w", "name": "Chan Tai Man"})
    build.send(paid, message_id="one")
    build.send({**paid, "type": "payment.other"}, message_id="one")
    build.send(paid, secret="whsec_" + "Zm9yZ2VkIHNlY3JldCwgbm90IG91cnMh")
    conflict = Conflict.objects.first()
    rejection = Rejection.objects.first()
    assert conflict is not None
    assert rejection is not None
    return Callback.objects.get(), rejection, conflict


def staff(*rights: str, store: Any = None) -> Client:
    user = User.objects.create_user(f"user{User.objects.count()}", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    if store is not None:
        StaffScope.objects.create(user=user).stores.add(store)
    client = Client()
    client.force_login(user)
    return client


def unmask(client: Client, row: Any, **given: str) -> Any:
    name = f"admin:payments_{row._meta.model_name}_unmask"
    return client.post(reverse(name, args=[row.pk]), {**SUBMITTED, **given})


def test_even_an_administrator_sees_it_masked(
    posts: tuple[Any, ...], admin_client: Client
) -> None:
    for row in posts:
        url = reverse(f"admin:payments_{row._meta.model_name}_change", args=[row.pk])
        page = admin_client.get(url).content.decode()

        assert "Personal data is masked." in page
        assert "Chan Tai Man" not in page
    assert Disclosure.objects.count() == 0


def test_a_reason_opens_it_for_minutes_and_is_kept(
    posts: tuple[Any, ...], admin_client: Client
) -> None:
    for row in posts:
        with time_machine.travel(NOON, tick=False):
            url = unmask(admin_client, row)["HX-Redirect"]
            page = admin_client.get(url)
        with time_machine.travel(NOON + timedelta(minutes=11), tick=False):
            later = admin_client.get(url)

        assert page.status_code == 200
        assert "Chan Tai Man" in page.content.decode()
        assert "no-store" in page["Cache-Control"]
        assert later.status_code == 403
    kept = Disclosure.objects.order_by("pk")
    assert [(row.subject, row.reason, row.seen_at) for row in kept] == [
        ("callback", "Complaint 4711", NOON),
        ("rejection", "Complaint 4711", NOON),
        ("conflict", "Complaint 4711", NOON),
    ]


def test_without_a_reason_nothing_opens(posts: tuple[Any, ...], admin_client: Client) -> None:
    answer = unmask(admin_client, posts[0], reason="  ")

    assert "HX-Redirect" not in answer
    assert Disclosure.objects.count() == 0


def test_a_short_reason_in_chinese_is_a_reason(
    posts: tuple[Any, ...], admin_client: Client
) -> None:
    refused = unmask(admin_client, posts[0], reason="查")
    taken = unmask(admin_client, posts[0], reason=" 客訴 ")

    assert "HX-Redirect" not in refused
    assert "HX-Redirect" in taken
    assert [row.reason for row in Disclosure.objects.all()] == ["客訴"]


def test_a_double_click_is_one_disclosure(posts: tuple[Any, ...], admin_client: Client) -> None:
    opened = []
    for seconds in (0, 1, 59):
        with time_machine.travel(NOON + timedelta(seconds=seconds), tick=False):
            opened.append(unmask(admin_client, posts[0])["HX-Redirect"])

    assert len(set(opened)) == 1
    assert Disclosure.objects.get().seen_at == NOON


def test_another_post_reason_person_or_minute_is_another_disclosure(
    posts: tuple[Any, ...], admin_client: Client
) -> None:
    other = staff("view_callback", "unmask_callback", store=posts[0].account.store)
    with time_machine.travel(NOON, tick=False):
        unmask(admin_client, posts[0])
        unmask(admin_client, posts[1])
        unmask(admin_client, posts[0], reason="Audit")
        unmask(other, posts[0])
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        unmask(admin_client, posts[0])

    kept = Disclosure.objects.order_by("seen_at", "subject", "reason", "seen_by")
    assert [(row.subject, row.reason, row.seen_at - NOON) for row in kept] == [
        ("callback", "Audit", timedelta(0)),
        ("callback", "Complaint 4711", timedelta(0)),
        ("callback", "Complaint 4711", timedelta(0)),
        ("rejection", "Complaint 4711", timedelta(0)),
        ("callback", "Complaint 4711", timedelta(seconds=60)),
    ]


def test_the_page_opens_for_nobody_else(posts: tuple[Any, ...], admin_client: Client) -> None:
    url = unmask(admin_client, posts[0])["HX-Redirect"]
    other = staff("view_callback", "unmask_callback", store=posts[0].account.store)

    assert other.get(url).status_code == 403


def test_the_right_is_asked_for_and_the_scope(posts: tuple[Any, ...]) -> None:
    callback = posts[0]
    near = staff("view_callback", store=callback.account.store)
    far = staff("view_callback", "unmask_callback", store=build.store("FAR"))

    answers = [unmask(client, callback) for client in (near, far)]

    assert not any("HX-Redirect" in answer for answer in answers)
    assert Disclosure.objects.count() == 0


def test_a_disclosure_cannot_be_undone(posts: tuple[Any, ...], admin_client: Client) -> None:
    unmask(admin_client, posts[0])

    with pytest.raises(IntegrityError), transaction.atomic():
        Disclosure.objects.update(reason="Nothing")
    page = admin_client.get(reverse("admin:payments_disclosure_changelist")).content.decode()
    assert "Complaint 4711" in page


def test_no_group_but_administrators_unmasks_unasked(db: None) -> None:
    make_groups()

    groups = Group.objects.filter(permissions__codename="unmask_callback")
    assert [group.name for group in groups] == ["Administrator"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"[" * 3_000, "[[[["),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "&quot;a&quot;"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "&quot;a&quot;"),
        (rb'{"a": "\ud800"}', "&quot;a&quot;: &quot;?&quot;"),
        (rb'{"\ud800": 1}', "&quot;?&quot;: 1"),
        (b'{"a": "\xed\xa0\x80"}', "&quot;a&quot;"),
    ],
)
def test_whatever_somebody_left_can_be_looked_at(
    body: bytes, shown: str, db: None, admin_client: Client
) -> None:
    build.programme()
    account = build.account()
    Client().post(f"/callbacks/standard/{account.token}/", body, content_type="application/json")
    left = Rejection.objects.get()

    masked = admin_client.get(reverse("admin:payments_rejection_change", args=[left.pk]))
    unmasked = admin_client.get(unmask(admin_client, left)["HX-Redirect"])

    assert (masked.status_code, unmasked.status_code) == (200, 200)
    assert shown in masked.content.decode()
    assert shown in unmasked.content.decode()
