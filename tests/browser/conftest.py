"""Real Chromium against a real server, with the shop of the admin's tests."""

from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from playwright.sync_api import Page

from tests.admin.conftest import World, make_world
from tests.build import NOON

PASSWORD = "only-for-tests"


@pytest.fixture
def shop(transactional_db: None, settings: Any, tmp_path: Path) -> World:
    settings.EMAIL_FILE_PATH = tmp_path
    cache.clear()
    with time_machine.travel(NOON, tick=False):
        world = make_world()
    for user in (world.boss, world.manager):
        user.set_password(PASSWORD)
        user.save()
    return world


def sign_in(page: Page, name: str = "boss") -> None:
    page.goto("/admin/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")
