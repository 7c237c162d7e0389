"""Enrolling and recognising members at the desk, as by API: what waited for them is theirs at
once, whoever listens is told, and of two cashiers the slower one reads a sentence."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client

from config import pipeline
from members.models import Delivery, Event, Identity, Member
from members.services.identities import find_member
from payments.models import Transaction
from payments.services.enrolling import Newcomer, enrol_customer
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import SUBMITTED, act
from tests.admin.test_pages import url_of
from tests.build import NOON
from tests.webhooks.hearing import endpoint

PHONE = "+85291110000"
TAKEN = "This phone belongs to another member already."


def pay(world: World) -> Transaction:
    """A payment of somebody with this phone, whom nobody knows yet."""
    build.send(build.payment("20.00", ref="p-1", customer={"phone": PHONE}), to=world.near.account)
    pipeline.run(now=NOON)
    row = Transaction.objects.get(payment_ref="p-1")
    assert row.waiting_for == "member"
    return row


def form(world: World, **changes: Any) -> dict[str, Any]:
    region = world.near.store.region
    asked = {"name": "Bo", "region": region.pk, "language": "en", "phone": "9111 0000"}
    return {**asked, "email": "", "home_store": "", "born_on": "", **changes}


def told_of_matches() -> list[tuple[Member, dict[str, Any]]]:
    rows = Event.objects.filter(kind=Event.Kind.LINKED)
    return [(row.member, row.details) for row in rows]


def test_who_is_enrolled_at_the_desk_has_what_they_paid(world: World, as_boss: Client) -> None:
    endpoint("https://shop.example.com/in", types=["payment.matched"])
    row = pay(world)

    as_boss.post(url_of(Member, "add"), form(world, email="bo@example.com"))

    bo = find_member(kind="phone", value=PHONE)
    assert bo is not None
    assert (bo.name, find_member(kind="email", value="bo@example.com")) == ("Bo", bo)
    row.refresh_from_db()
    assert (row.member, row.waiting_for) == (bo, "")
    assert told_of_matches() == [(bo, {"transactions": 1})]
    assert [(sent.member, sent.type) for sent in Delivery.objects.all()] == [
        (bo, "payment.matched")
    ]
    assert LogEntry.objects.get().object_id == str(bo.pk)


def test_who_is_enrolled_by_api_is_told_of_what_they_paid(world: World) -> None:
    row = pay(world)
    newcomer = Newcomer(region=world.near.store.region, language="en", signs=(("phone", PHONE),))

    bo = enrol_customer(newcomer, now=NOON)

    row.refresh_from_db()
    assert row.member == bo
    assert told_of_matches() == [(bo, {"transactions": 1})]


def test_who_is_enrolled_without_a_payment_is_told_of_none(world: World, as_boss: Client) -> None:
    as_boss.post(url_of(Member, "add"), form(world, phone=""))

    bo = Member.objects.latest("joined_at")
    assert (bo.name, bo.region) == ("Bo", world.near.store.region)
    assert told_of_matches() == []


def test_a_member_who_is_given_a_sign_has_what_it_paid(world: World, as_boss: Client) -> None:
    row, mei = pay(world), world.near.member

    act(as_boss, Member, mei, "identify", kind="phone", value=PHONE)

    row.refresh_from_db()
    assert row.member == mei
    assert told_of_matches() == [(mei, {"transactions": 1})]


@pytest.fixture
def somebody_is_faster(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Member]:
    """The phone is free when the form looks, and taken before it is saved."""
    enrolled: list[Member] = []

    def enrol() -> None:
        enrolled.append(build.member(phone=PHONE))
        connections.close_all()

    def slow(**sign: str) -> Member | None:
        found = find_member(**sign)
        if not enrolled:
            another = Thread(target=enrol)
            another.start()
            another.join()
        return found

    monkeypatch.setattr("members.admin.forms.find_member", slow)
    return lambda: enrolled[0]


@pytest.mark.django_db(transaction=True)
def test_of_two_cashiers_who_enrol_one_phone_the_second_is_told(
    world: World, as_boss: Client, somebody_is_faster: Callable[[], Member]
) -> None:
    before = Member.objects.count()

    answer = as_boss.post(url_of(Member, "add"), form(world))

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors == {"phone": [TAKEN]}
    assert find_member(kind="phone", value=PHONE) == somebody_is_faster()
    assert Member.objects.count() == before + 1
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_cashiers_who_add_one_phone_the_second_is_told(
    world: World, as_boss: Client, somebody_is_faster: Callable[[], Member]
) -> None:
    before = list(Identity.objects.filter(member=world.near.member).values())
    url = url_of(Member, "identify", world.near.member.pk)

    answer = as_boss.post(url, {**SUBMITTED, "kind": "phone", "value": PHONE})

    assert answer.status_code == 200
    assert TAKEN in answer.content.decode()
    assert find_member(kind="phone", value=PHONE) == somebody_is_faster()
    assert list(Identity.objects.filter(member=world.near.member).values()) == before
