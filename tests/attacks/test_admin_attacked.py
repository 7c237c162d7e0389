"""Staff who may do much, but only in one store; and settings that would stop everything."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from members.models import ApiKey, Programme, Region, StaffScope
from payments.models import Account, Callback
from tests.admin.conftest import World, _at_noon, _fresh_cache, as_boss, as_manager, world
from tests.build import NOON

__all__ = ["_at_noon", "_fresh_cache", "as_boss", "as_manager", "world"]  # Fixtures.

PROGRAMME = {
    "name": "Regulars",
    "language": "en",
    "zone": "Asia/Hong_Kong",
    "currency": "HKD",
    "points_valid_months": 12,
    "bodies_kept_months": 13,
    "downgrade": "never",
    "tier_kept_days": 1,
    "sender_address": "",
}


def test_staff_of_one_store_make_no_key_for_all_stores(as_manager: Client) -> None:
    before = ApiKey.objects.count()

    answer = as_manager.post(
        reverse("admin:members_apikey_add"),
        {"name": "Mine", "scopes": ["sales:write"], "store": "", "is_enabled": "on"},
    )

    assert answer.status_code == 403
    assert ApiKey.objects.count() == before


def test_staff_of_one_store_make_no_account_of_all_stores(
    world: World, as_manager: Client
) -> None:
    before = Account.objects.count()
    url = reverse("admin:payments_account_add")
    asked = {
        "provider": "standard",
        "name": "Mine",
        "relay-TOTAL_FORMS": "0",
        "relay-INITIAL_FORMS": "0",
    }

    answer = as_manager.post(url, {**asked, "store": ""})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["store"]
    assert Account.objects.count() == before

    as_manager.post(url, {**asked, "store": world.near.store.pk})
    assert Account.objects.filter(name="Mine", store=world.near.store).count() == 1


@pytest.mark.parametrize(
    "change",
    [{"zone": "Nowhere/Land"}, {"zone": "Asia"}, {"currency": "ZZZ"}, {"currency": "USD"}],
)
def test_the_programme_refuses_what_would_stop_everything(
    as_boss: Client, change: dict[str, Any]
) -> None:
    """The currency is a good one in the last case, but money came in already."""
    before = Programme.objects.values().get()

    answer = as_boss.post(
        reverse("admin:members_programme_change", args=[before["id"]]), {**PROGRAMME, **change}
    )

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == list(change)
    assert Programme.objects.values().get() == before


@pytest.mark.parametrize("change", [{"zone": "../../etc/passwd"}, {"currency": "hkd"}])
def test_a_region_refuses_what_would_stop_its_payments(
    world: World, as_boss: Client, change: dict[str, Any]
) -> None:
    region = world.near.store.region
    good = {
        "code": "HK",
        "name": "HK",
        "currency": "HKD",
        "zone": "Asia/Hong_Kong",
        "language": "en",
    }

    answer = as_boss.post(
        reverse("admin:members_region_change", args=[region.pk]), {**good, **change}
    )

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == list(change)
    assert Region.objects.get(pk=region.pk).zone == region.zone


def test_a_coupon_in_an_unknown_currency_is_refused(as_boss: Client) -> None:
    answer = as_boss.post(
        reverse("admin:loyalty_coupontype_add"),
        {"code": "odd", "name": "Odd", "benefit": "amount", "value": "10", "currency": "ZZZ"},
    )

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["currency"]


@pytest.mark.parametrize("place", ["cross-site", "same-site"])
def test_no_link_on_another_site_makes_staff_act(
    world: World, as_boss: Client, place: str
) -> None:
    """A cookie goes along where somebody follows a link, and a link asks for no token."""
    callback = Callback.objects.exclude(due_at=NOON).first()
    assert callback is not None
    url = reverse("admin:payments_callback_replay_one", args=[callback.pk])
    before = Callback.objects.values().get(pk=callback.pk)

    lured = as_boss.get(url, headers={"Sec-Fetch-Site": place})
    after = Callback.objects.values().get(pk=callback.pk)
    clicked = as_boss.get(url, headers={"Sec-Fetch-Site": "same-origin"})

    assert (lured.status_code, after) == (403, before)
    assert clicked.status_code == 302
    assert Callback.objects.get(pk=callback.pk).due_at == NOON


def test_no_action_of_any_page_runs_for_a_link_on_another_site(
    world: World, as_boss: Client
) -> None:
    """What asks first, by a dialog, is posted."""
    answers = {}
    for model, desk in admin.site._registry.items():
        row = model._default_manager.first()
        for act in desk._get_base_actions_detail() if row else ():  # type: ignore[attr-defined]
            url = reverse(f"admin:{act.action_name}", args=[row.pk])  # type: ignore[union-attr]
            page = as_boss.get(url, headers={"Sec-Fetch-Site": "cross-site"})
            answers[act.action_name] = page.status_code

    assert {name: status for name, status in answers.items() if status not in (200, 403)} == {}
    assert len(answers) > 15


@pytest.mark.parametrize("lookup", ["born_on", "born_on__lte", "born_on__year", "name__contains"])
def test_who_may_not_read_a_birthday_cannot_find_it_by_filters(
    world: World, as_boss: Client, lookup: str
) -> None:
    cashier = world.nobody
    cashier.groups.set(Group.objects.filter(name="Cashier"))
    StaffScope.objects.create(user=cashier, sees_everything=True)
    as_cashier = Client()
    as_cashier.force_login(cashier)
    url = reverse("admin:members_member_changelist")

    asked = as_cashier.get(url, {lookup: "1990"})

    assert asked.status_code == 400
    assert as_cashier.get(url, {"region__id__exact": "1"}).status_code == 200
    assert as_boss.get(url, {"born_on__year": "1990"}).status_code == 200
