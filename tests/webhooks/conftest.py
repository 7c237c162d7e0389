"""A process of its own for each test: no call of an earlier one is under way in it."""

from typing import Any

import pytest

from kit.switchboard import Switchboard
from members.services import webhooks


@pytest.fixture(autouse=True)
def _a_new_process(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(webhooks, "_BOARD", Switchboard(webhooks._BOARD._exchange))
