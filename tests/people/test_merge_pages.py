"""The pages on which staff merge two members and undo it."""

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from config.groups import make_groups
from members.models import Member, Merge, StaffScope
from members.services.identities import find_by_code
from tests import build
from tests.build import NOON
from tests.people.cast import books_are_clean, merge, pay, settle, stand_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme(language="en")
    build.tiers(basic="0", silver="300")
    build.earning_rule()
    make_groups()


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def two() -> tuple[Member, Member]:
    hk = build.region("HK")
    mei = build.member(wallet="a", name="Mei Chan", region=hk, home_store=build.store())
    double = build.member(wallet="b", region=hk, home_store=build.store())
    pay("a", "100", now=NOON - timedelta(days=1))
    pay("b", "250", now=NOON - timedelta(days=1))
    settle()
    return mei, double


def url(name: str, member: Member) -> str:
    return reverse(f"admin:members_member_{name}", args=[member.pk])


def text(page: object) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))  # type: ignore[attr-defined]


def test_the_preview_shows_what_comes_and_changes_nothing(boss: Client) -> None:
    mei, double = two()

    page = boss.get(url("merge_with", mei), {"member": str(double.pk)})

    assert page.status_code == 200
    row = next(row for row in page.context["table"]["rows"] if row[0] == "Points")
    assert row == ("Points", "250", "100", "350")
    tiers = next(row for row in page.context["table"]["rows"] if row[0] == "Tier")
    assert tiers == ("Tier", "Basic", "Basic", "Silver")
    assert not Merge.objects.exists()
    assert (stand_of(mei).balance, stand_of(double).balance) == (100, 250)


def test_the_preview_says_what_the_survivor_lacks_and_the_merge_copies_none_of_it(
    boss: Client,
) -> None:
    mei, double = two()
    Member.objects.filter(pk=double.pk).update(born_on=date(1990, 5, 4))
    Member.objects.filter(pk=mei.pk).update(home_store=None)
    asked = {"member": str(double.pk), "stays": "this"}

    page = text(boss.get(url("merge_with", mei), asked))
    turned = text(boss.get(url("merge_with", mei), asked | {"stays": "other"}))
    boss.post(url("merge_with", mei), asked | {"reason": "The same phone"})

    lacks = "{} lacks what {} has: {}. A merge copies none of it"
    assert lacks.format(mei.code, double.code, "date of birth, home store") in page
    assert lacks.format(double.code, mei.code, "name") in turned
    kept = Member.objects.get(pk=mei.pk)
    assert (kept.name, kept.home_store, kept.born_on) == ("Mei Chan", None, None)


def test_merging_and_undoing_it_by_the_pages(boss: Client) -> None:
    mei, double = two()
    asked = {"member": str(double.pk), "stays": "this", "reason": "The same phone"}

    merged = boss.post(url("merge_with", mei), asked, follow=True)

    assert find_by_code(double.code) == mei
    assert stand_of(mei).balance == 350
    assert f"{double.code} was merged into {mei.code}" in text(merged)
    fact = Merge.objects.get()
    assert (fact.reason, fact.actor) == ("The same phone", User.objects.get())

    preview = boss.get(url("undo_merge", double))
    row = next(row for row in preview.context["table"]["rows"] if row[0] == "Points")
    assert row == ("Points", "350", "250", "100")

    boss.post(url("undo_merge", double), {"reason": "They are mother and daughter"})

    assert (stand_of(mei).balance, stand_of(double).balance) == (100, 250)
    assert Merge.objects.get().undone_reason == "They are mother and daughter"
    assert books_are_clean()


def test_the_other_one_may_stay(boss: Client) -> None:
    mei, double = two()
    asked = {"member": str(double.pk), "stays": "other", "reason": "The same phone"}

    boss.post(url("merge_with", mei), asked)

    assert find_by_code(mei.code) == double


def test_without_a_reason_it_asks_again_and_nothing_changes(boss: Client) -> None:
    mei, double = two()

    page = boss.post(url("merge_with", mei), {"member": str(double.pk), "reason": ""})

    assert page.status_code == 200
    assert not Merge.objects.exists()


def test_whoever_was_merged_elsewhere_is_refused_in_words(boss: Client) -> None:
    mei, double = two()
    third = build.member()
    merge(double, third)

    page = boss.get(url("merge_with", mei), {"member": str(double.pk)}, follow=True)

    assert f"{double.code} was merged into {third.code} already" in text(page)


def test_a_manager_merges_only_within_their_scope() -> None:
    mei, double = two()
    abroad = build.member(region=build.region("TW"))
    manager = User.objects.create_user("manager", is_staff=True)
    manager.groups.add(Group.objects.get(name="Store manager"))
    StaffScope.objects.create(user=manager).stores.add(build.store())
    client = Client()
    client.force_login(manager)

    far = client.post(url("merge_with", mei), {"member": str(abroad.pk), "reason": "Same"})
    merge(double, abroad)
    undone = client.post(url("undo_merge", double), {"reason": "Not the same"})

    assert far.status_code == 200
    assert undone.status_code == 403
    assert Merge.objects.get().undone_at is None
    assert Merge.objects.get().survivor == abroad


def test_without_the_right_there_are_no_such_pages() -> None:
    mei, _double = two()
    marketing = User.objects.create_user("marketing", is_staff=True)
    marketing.groups.add(Group.objects.get(name="Marketing"))
    StaffScope.objects.create(user=marketing, sees_everything=True)
    client = Client()
    client.force_login(marketing)

    assert client.get(url("merge_with", mei)).status_code == 403
    assert client.get(url("undo_merge", mei)).status_code == 403
