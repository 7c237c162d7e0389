"""Every admin page opens, within its budget of queries, however many rows there are."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.models import Tier
from payments.models import Rate
from tests import build
from tests.admin.conftest import World, trade
from tests.build import NOON

LIST_BUDGET = 8
PAGE_BUDGET = 30
HOME_BUDGET = 25


def admin_models() -> list[Any]:
    return sorted(admin.site._registry, key=lambda model: str(model._meta.label))


def url_of(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url, follow=True)
    assert response.status_code == 200, url
    return len(queries)


def queries_of_lists(client: Client) -> dict[Any, int]:
    client.get("/admin/")  # Fills the cache of the badges.
    return {model: queries_of(client, url_of(model, "changelist")) for model in admin_models()}


def test_every_list_opens_within_its_budget(world: World, as_boss: Client) -> None:
    found = queries_of_lists(as_boss)

    assert {model: number for model, number in found.items() if number > LIST_BUDGET} == {}


def test_no_list_asks_more_for_more_rows(world: World, as_boss: Client) -> None:
    before = queries_of_lists(as_boss)
    for n in range(4):
        Tier.objects.create(code=f"t{n}", name=f"T{n}", rank=10 + n, threshold=Decimal(1000 + n))
        Rate.objects.create(
            currency=f"X{n}",
            quote_currency="HKD",
            valid_from=NOON.date(),
            rate=Decimal(2),
            entered_at=NOON,
        )
        build.earning_rule(name=f"Rule {n}")
        build.store(f"S{n}", region=world.near.store.region)
        build.product(f"P{n}", build.category(f"c{n}"))
    for side in (world.near, world.far):
        trade(side, once="again")

    after = queries_of_lists(as_boss)

    grown = {
        model: (before[model], after[model]) for model in after if after[model] > before[model]
    }
    assert grown == {}


def test_every_row_opens_within_its_budget(world: World, as_boss: Client) -> None:
    rows = [row for row in (model._default_manager.first() for model in admin_models()) if row]
    as_boss.get("/admin/")  # Fills the cache of the badges.

    found = {row: queries_of(as_boss, url_of(type(row), "change", row.pk)) for row in rows}

    assert len(rows) >= 25
    assert {row: number for row, number in found.items() if number > PAGE_BUDGET} == {}


def test_every_form_for_a_new_row_opens_or_is_refused(world: World, as_boss: Client) -> None:
    codes = {model: as_boss.get(url_of(model, "add")).status_code for model in admin_models()}

    assert set(codes.values()) <= {200, 403}
    assert sum(code == 200 for code in codes.values()) >= 12


def test_the_first_page_and_the_stuck_page_open_within_their_budget(
    world: World, as_boss: Client
) -> None:
    assert queries_of(as_boss, reverse("admin:index")) <= HOME_BUDGET
    assert queries_of(as_boss, reverse("admin:stuck")) <= HOME_BUDGET


def test_the_health_page_says_how_long_work_has_waited(db: None, client: Client) -> None:
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "lag_seconds": 0.0}
