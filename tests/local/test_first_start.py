"""What a new installation is given, and what it is spared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from config.management.commands import first_start
from tests import build

pytestmark = pytest.mark.django_db


@pytest.fixture
def started(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> Callable[[], list[str]]:
    """Make a first start; returns the commands that it calls."""
    called: list[str] = []
    monkeypatch.setattr(first_start, "call_command", lambda name, **_: called.append(name))
    monkeypatch.delenv("DEMO", raising=False)
    settings.DATA_DIR = tmp_path

    def start() -> list[str]:
        call_command("first_start")
        return called

    return start


def test_an_empty_shop_on_ones_own_machine_is_given_the_demo(
    started: Callable[[], list[str]], tmp_path: Path
) -> None:
    assert started() == ["demo"]
    password = (tmp_path / "admin-password.txt").read_text().strip()
    assert User.objects.get(username="admin").check_password(password)


def test_production_invents_nobody_unless_told(
    started: Callable[[], list[str]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IS_PRODUCTION = True
    assert started() == []

    monkeypatch.setenv("DEMO", "1")
    assert started() == ["demo"]


def test_who_has_begun_is_left_alone(started: Callable[[], list[str]]) -> None:
    build.region()

    assert started() == []
