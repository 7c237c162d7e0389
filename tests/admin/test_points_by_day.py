"""The points on the first page: signed by the side of the member, and moves left out."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from config.people import merge
from loyalty.services.points import adjust_points
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss")


def points_part(boss: User) -> dict[str, Any]:
    client = Client()
    client.force_login(boss)
    part: dict[str, Any] = client.get(reverse("admin:index")).context["points"]
    return part


def sums_of(part: dict[str, Any]) -> dict[str, float]:
    return {row["label"]: sum(row["data"]) for row in json.loads(part["chart"])["datasets"]}


def test_points_given_and_taken_by_hand_are_set_off_against_each_other(boss: User) -> None:
    build.programme()
    member = build.member()
    adjust_points(member, points=1000, reason="A gift", actor=boss, now=NOON)
    adjust_points(member, points=-400, reason="A mistake", actor=boss, now=NOON)

    part = points_part(boss)

    assert sums_of(part) == {"adjusted": 600}
    assert part["table"]["rows"] == [("adjusted", "600")]


def test_points_taken_by_hand_stand_below_zero(boss: User) -> None:
    build.programme()
    member = build.member(now=NOON)
    adjust_points(member, points=100, reason="A gift", actor=boss, now=NOON)
    adjust_points(member, points=-100, reason="A mistake", actor=boss, now=NOON)
    adjust_points(build.member(), points=30, reason="A gift", actor=boss, now=NOON)
    other = build.member()
    adjust_points(other, points=50, reason="A gift", actor=boss, now=NOON - timedelta(days=40))
    adjust_points(other, points=-50, reason="A mistake", actor=boss, now=NOON)

    part = points_part(boss)

    assert sums_of(part) == {"adjusted": -20}
    assert part["table"]["rows"] == [("adjusted", "-20")]


def test_what_a_merge_moves_is_no_loss(boss: User) -> None:
    build.programme()
    gone, kept = build.member(), build.member()
    adjust_points(gone, points=1000, reason="A gift", actor=boss, now=NOON)
    merge(gone, kept, reason="The same person", actor=boss, now=NOON)

    part = points_part(boss)

    assert sums_of(part) == {"adjusted": 1000}
    assert part["table"]["rows"] == [("adjusted", "1,000")]
