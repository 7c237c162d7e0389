"""Addresses of actions are typed and mangled: they name a row, or there is no such page."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from payments.models import Disclosure
from tests.admin.conftest import World

NONSENSE = ["nonsense", "1\x00", "9" * 30, "0199a1f4-7c3e-7d22-9a51-0e7b6a4f2d10"]


def addresses(key: str) -> dict[str, str]:
    desks: list[Any] = list(admin.site._registry.values())
    names = {act.action_name for desk in desks for act in desk._get_base_actions_detail()}
    return {name: reverse(f"admin:{name}", args=[key]) for name in sorted(names)}


@pytest.mark.parametrize("key", NONSENSE)
def test_an_action_on_no_row_is_a_page_that_is_not_there(
    key: str, world: World, as_boss: Client, as_manager: Client
) -> None:
    answers = {
        (name, client is as_boss, verb): getattr(client, verb)(
            url, {"_form_submitted": "1", "reason": "Complaint 4711"}
        ).status_code
        for name, url in addresses(key).items()
        for client in (as_boss, as_manager)
        for verb in ("get", "post")
    }

    # 200 is a dialog that asks first, 403 what refuses before it looks for the row.
    assert {at: code for at, code in answers.items() if code not in {200, 403, 404}} == {}
    assert answers["payments_callback_replay_one", True, "get"] == 404
    assert answers["members_delivery_resend_one", True, "get"] == 404
    assert answers["members_endpoint_show_deliveries", True, "get"] == 404
    assert answers["payments_alarm_see_one", True, "get"] == 404
    assert Disclosure.objects.count() == 0


@pytest.mark.parametrize("key", NONSENSE)
def test_no_unmasked_page_of_no_row(key: str, world: World, as_boss: Client) -> None:
    disclosure = "0199a1f4-7c3e-7d22-9a51-0e7b6a4f2d10"
    url = reverse("admin:payments_callback_unmasked", args=[key, disclosure])

    assert as_boss.get(url).status_code == 404
