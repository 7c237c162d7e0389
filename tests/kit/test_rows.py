"""Rows made in bulk are what Django's constructor and queries would have made."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection

from kit.bulk import insert_many
from kit.rows import Row
from loyalty.models import CapUse, Standing
from loyalty.services.ledger import open_accounts
from members.models import Event, Member
from tests import build

ROWS = [model for model in apps.get_models() if issubclass(model, Row)]
KEY = UUID(int=7)


def is_made_for_each(field: Any) -> bool:
    return field.has_default() and callable(field.default) and field.default not in (list, dict)


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_a_new_row_has_the_defaults_that_the_constructor_gives(model: type[Row]) -> None:
    made, constructed = model.new(), model()

    assert made.__dict__.keys() == constructed.__dict__.keys()
    assert (made._state.adding, made._state.db) == (True, None)
    for field in model._meta.concrete_fields:
        ours, theirs = getattr(made, field.attname), getattr(constructed, field.attname)
        assert type(ours) is type(theirs)
        assert (ours != theirs) if is_made_for_each(field) else (ours == theirs)


def test_a_new_row_keeps_what_it_is_given_and_makes_the_rest_anew() -> None:
    first, second = (Event.new(member_id=KEY, kind="paid", id=KEY) for _ in range(2))

    assert (first.member_id, first.kind, first.pk) == (KEY, "paid", KEY)
    assert first.details == {}
    assert first.details is not second.details


@pytest.mark.parametrize("name", ["member", "pk", "nonsense"])
def test_a_name_that_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        CapUse.new(**{name: 1})


@pytest.mark.django_db
def test_a_new_row_may_be_saved() -> None:
    member = build.member()

    Standing.new(member_id=member.pk, balance=5).save(force_insert=True)

    kept = Standing.objects.select_related("member", "tier").get()
    assert (kept.balance, kept.payments, kept.member, kept.tier) == (5, 0, member, None)


@pytest.mark.django_db
def test_many_new_rows_are_stored_as_one_by_one_and_what_is_sealed_stays_sealed() -> None:
    home, name = build.region(), '陳大文 \\ "\t\n'
    rows = [
        Member.new(region_id=home.pk, name=name, born_on=day) for day in (None, date(1990, 2, 3))
    ]

    insert_many(rows)

    assert [
        (row.name, row.born_on, row.page_version) for row in Member.objects.order_by("pk")
    ] == [
        (name, None, 1),
        (name, date(1990, 2, 3), 1),
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM members_member WHERE name LIKE %s", ["%陳%"])
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_a_deferred_column_is_asked_for_when_it_is_read(
    django_assert_num_queries: Any,
) -> None:
    member = build.member(name="陳大文")

    found = Member.objects.defer("name").get()

    assert found == member
    assert found.get_deferred_fields() == {"name"}
    assert (found._state.adding, found._state.db) == (False, "default")
    with django_assert_num_queries(1):
        assert found.name == "陳大文"


@pytest.mark.django_db
def test_related_rows_are_loaded_along(django_assert_num_queries: Any) -> None:
    member = build.member()
    open_accounts([member.pk])

    with django_assert_num_queries(1):
        standing = Standing.objects.select_related("member", "tier").get()
        assert standing.member.code == member.code
        assert standing.tier is None


@pytest.mark.django_db
def test_related_rows_that_are_there_already_are_not_asked_for(
    django_assert_num_queries: Any,
) -> None:
    member = build.member()
    found, region = type(member).objects.get(), member.region

    with django_assert_num_queries(0):
        found.relate(region=region, home_store=None)
        assert (found.region, found.home_store) == (region, None)
