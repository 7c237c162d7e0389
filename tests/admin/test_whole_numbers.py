"""Lists that are searched by whole numbers find them on an index, however a code is typed."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kit.admin_lists import found_by, is_whole
from loyalty.models import Award, Coupon, Transfer
from members.models import Event
from payments.models import Callback, Order
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.build import NOON

# Rows of uploaded files, and questions to platforms that only hint.
WITHOUT_AN_INDEX = {
    "payments.Query.order_ref",
    "payments.SettlementRow.payment_ref",
    "payments.SettlementRow.effect_ref",
    "payments.SettlementRow.order_ref",
}


def whole_lookups() -> Iterator[tuple[type[Model], str]]:
    for model, desk in admin.site._registry.items():
        names = list(desk.search_fields)
        yield from ((model, name) for name in names if is_whole(names))


def some_value(model: Any, path: list[str]) -> str:
    """What stands there in any row, so that the look-up goes its whole way."""
    *through, column, _exact = path
    for name in through:
        model = model._meta.get_field(name).related_model
    return str(model.objects.values_list(column, flat=True).first() or "X")


def plan_of(sql: str) -> str:
    """As if the tables were large: of a small one the planner reads every row in any case, and
    would walk through some index for it. A bitmap is made of the rows that an index finds."""
    with connection.cursor() as cursor:
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN {sql}")
        lines = [line for (line,) in cursor.fetchall()]
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{way} = on")
    return "\n".join(lines)


def plans_of(model: type[Model], lookup: str) -> list[str]:
    term = some_value(model, lookup.split("__"))
    with CaptureQueriesContext(connection) as asked:
        list(model._base_manager.filter(found_by(model, [lookup], term)).values("pk"))
    return [plan_of(one["sql"]) for one in asked.captured_queries if "WHERE" in one["sql"]]


def is_on_an_index(plan: str) -> bool:
    return "Bitmap Index Scan" in plan and "Seq Scan" not in plan


def test_every_whole_number_is_found_on_an_index(world: World) -> None:
    found = {
        f"{model._meta.label}.{lookup.removesuffix('__exact')}": plans
        for model, lookup in whole_lookups()
        if (plans := plans_of(model, lookup))
    }

    slow = {name for name, plans in found.items() if not all(map(is_on_an_index, plans))}
    assert slow == WITHOUT_AN_INDEX
    assert len(found) >= 20


def test_a_list_of_two_numbers_stands_on_both_indexes(world: World, as_boss: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        as_boss.get(url_of(Coupon, "changelist"), {"q": world.near.member.code})

    (listed,) = [one["sql"] for one in asked.captured_queries if 'issued_at" DESC' in one["sql"]]
    plan = plan_of(listed)
    assert re.search(r"Index Cond: \(\(code\)::text = ", plan)
    assert re.search(r"Index Cond: \(member_id = ", plan)
    assert "Seq Scan on loyalty_coupon " not in plan


def found(client: Client, model: Any, term: str) -> list[Any]:
    return list(client.get(url_of(model, "changelist"), {"q": term}).context["cl"].result_list)


def spaced(code: str) -> str:
    return f" {code[:4]} {code[4:7]}-{code[7:]} "


@pytest.mark.parametrize("typed", [str, str.lower, spaced])
def test_a_code_is_found_however_it_is_typed(
    world: World, as_boss: Client, as_manager: Client, typed: Callable[[str], str]
) -> None:
    near, far = (typed(side.coupon.code) for side in (world.near, world.far))
    of_mei = found(as_boss, Coupon, typed(world.near.member.code))

    assert found(as_boss, Coupon, near) == [world.near.coupon]
    assert found(as_manager, Coupon, near) == [world.near.coupon]
    assert found(as_manager, Coupon, far) == []
    assert {row.member for row in of_mei} == {world.near.member}


def test_numbers_of_other_tables_are_found_from_there(world: World, as_boss: Client) -> None:
    mei = world.near.member
    award = Award.objects.filter(member=mei)[0]

    assert found(as_boss, Award, award.transaction.payment_ref) == [award]
    assert {row.member for row in found(as_boss, Event, mei.code.lower())} == {mei}
    sides = [
        {row.debit.member, row.credit.member} for row in found(as_boss, Transfer, mei.code.lower())
    ]
    assert sides
    assert all(mei in pair for pair in sides)
    assert found(as_boss, Award, "no such number") == []
    assert found(as_boss, Award, "---") == []


def test_a_number_with_spaces_is_one_number(world: World, as_boss: Client) -> None:
    order = Order.objects.create(
        order_ref="Web 17 b", amount=5, currency="HKD", ordered_at=NOON, received_at=NOON
    )
    Order.objects.create(
        order_ref="Web", amount=5, currency="HKD", ordered_at=NOON, received_at=NOON
    )

    assert found(as_boss, Order, " Web 17 b ") == [order]
    assert found(as_boss, Order, "web 17 b") == []


def test_a_delivery_key_is_found_in_each_account(world: World, as_boss: Client) -> None:
    here = Callback.objects.filter(account=world.near.account)[0]

    assert found(as_boss, Callback, here.delivery_key) == [here]
    assert found(as_boss, Callback, here.delivery_key[:-1]) == []
