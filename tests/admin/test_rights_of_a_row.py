"""A page asks for many rights to one row. It reads the row once for them, anew in each request."""

from collections import Counter
from typing import Any, cast

from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from kit.admin import BaseAdmin
from members.models import Member
from tests.admin.conftest import World
from tests.admin.test_pages import PAGE_BUDGET, admin_models, queries_of, url_of
from tests.admin.test_scope import visible


def times_read(client: Client, model: Any, key: Any) -> int:
    """How often one and the same look-up of the page's own row was made."""
    with CaptureQueriesContext(connection) as asked:
        client.get(url_of(model, "change", key))
    table = f'FROM "{model._meta.db_table}"'
    looked_up = Counter(one["sql"] for one in asked.captured_queries if table in one["sql"])
    return max(looked_up.values(), default=0)


def test_no_page_reads_its_row_again_for_each_right(world: World, as_manager: Client) -> None:
    rows = {model: visible(model, world.manager) for model in admin_models()}

    read = {
        model._meta.label: times_read(as_manager, model, min(keys, key=str))
        for model, keys in rows.items()
        if keys
    }

    assert len(read) > 20
    assert {name: times for name, times in read.items() if times > 2} == {}


def test_the_page_of_a_member_opens_within_its_budget_for_one_store_too(
    world: World, as_manager: Client
) -> None:
    url = url_of(Member, "change", world.near.member.pk)
    as_manager.get(url)

    assert queries_of(as_manager, url) <= PAGE_BUDGET + 5  # Who they are, and which stores.


def test_who_has_lost_a_row_changes_it_no_more(world: World, as_manager: Client) -> None:
    mei, url = world.near.member, url_of(Member, "change", world.near.member.pk)
    opened = as_manager.get(url)
    form = {"name": "Mei", "region": mei.region_id, "language": "en"}
    Member.objects.filter(pk=mei.pk).update(
        home_store=world.far.store, region=world.far.store.region
    )

    as_manager.post(url, {**form, "home_store": world.near.store.pk, "born_on": ""})

    assert opened.status_code == 200
    mei.refresh_from_db()
    assert (mei.name, mei.home_store) == ("Mei Chan", world.far.store)


def test_rights_are_asked_of_the_row_as_it_was_read_last(world: World) -> None:
    desk = cast("BaseAdmin", admin.site._registry[Member])
    mei, request = world.near.member, RequestFactory().get("/")
    request.user = world.manager

    first = desk.known(request, mei.pk)
    Member.objects.filter(pk=mei.pk).update(language="zh-hans")
    again = desk.known(request, mei.pk)
    fresh = desk.get_object(request, str(mei.pk))

    assert first is again
    assert (first.language, fresh.language) == ("en", "zh-hans")
    assert desk.known(request, mei.pk) is fresh
    assert desk.known(request, world.far.member.pk) is None
    assert not desk.is_in_scope(request, world.far.member)
