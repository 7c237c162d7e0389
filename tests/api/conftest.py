from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from members.keys import make_key
from members.models import Store
from members.throttling import forget_handfuls
from tests.api import till

# Any: the test client's answers have more than their class says, such as json().
Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def _fresh_rate() -> None:
    forget_handfuls()


@pytest.fixture
def call() -> Call:
    return caller()


def caller(
    *, scopes: list[str] | None = None, store: Store | None = None, plain: str = ""
) -> Call:
    """Calls with one key: `call("post", "coupons/C…/redeem", {...}, once="key 1")`."""
    if not plain:
        _key, plain = make_key(
            "Till 1", scopes=till.all_scopes() if scopes is None else scopes, store=store
        )

    def call(method: str, path: str, body: Any = None, *, once: str = "", **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {plain}", **headers}
        if once:
            headers["Idempotency-Key"] = once
        send = getattr(Client(raise_request_exception=True), method)
        if method == "get":
            return send(f"/api/v1/{path}", body, headers=headers)
        return send(
            f"/api/v1/{path}", {} if body is None else body, "application/json", headers=headers
        )

    return call
