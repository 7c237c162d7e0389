"""A till: payments as our own protocol writes them, signed and posted over one connection."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

from payments.models import Account
from payments.providers.standard import sign
from payments.services.accounts import secrets_of

_PATIENCE: Final = 30.0


class NoTill(Exception):
    """There is nobody in whose name a till could send; the message says what to do."""


class NoAnswer(Exception):
    """The post may or may not have arrived: a till would send it again."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a till posts, and the secret it signs with."""

    account_id: int
    url: SplitResult
    path: str
    secret: str


def door_of(url: str) -> Door:
    """The callback URL of the merchant's own tills on the server at `url`; raises NoTill."""
    account = Account.objects.filter(provider="standard", is_enabled=True).order_by("pk").first()
    if account is None:
        raise NoTill("There is no enabled account for tills. Add one under Payment accounts.")
    secrets = secrets_of(account)
    if not secrets:
        raise NoTill(f"The account {account.name} has no secret. Give it one in the admin.")
    path = f"/callbacks/{account.provider}/{account.token}/"
    return Door(account_id=account.pk, url=urlsplit(url), path=path, secret=secrets[0])


def payment(*, ref: str, amount: str, currency: str, at: datetime, **more: Any) -> bytes:
    body = {"payment_ref": ref, "amount": amount, "currency": currency, "paid_at": at.isoformat()}
    return json.dumps({"type": "payment.succeeded", "data": {**body, **more}}).encode()


class Wire:
    """One persistent connection; it is made anew after the server closed it."""

    def __init__(self, url: SplitResult) -> None:
        kind = _CONNECTIONS[url.scheme]
        self._connection = kind(url.hostname or "", url.port, timeout=_PATIENCE)

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, float]:
        """The answer's status, and when the last byte had been sent; raises NoAnswer."""
        try:
            self._connection.request("POST", path, body=body, headers=dict(headers))
            sent_at = time.perf_counter()
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as problem:
            self._connection.close()
            raise NoAnswer(str(problem)) from problem
        return response.status, sent_at

    def close(self) -> None:
        self._connection.close()


class Till:
    """Posts to its door over a wire of its own, signed at that moment."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._wire = Wire(door.url)

    def post(self, body: bytes, *, message_id: str = "") -> tuple[int, float]:
        """The answer's status, and when the last byte had been sent; raises NoAnswer."""
        now = datetime.now(UTC)  # noqa: TID251 - a till is an edge, with a clock of its own.
        headers = sign(
            body, secret=self._door.secret, message_id=message_id or str(uuid4()), at=now
        )
        headers = {"content-type": "application/json", **headers}
        return self._wire.post(self._door.path, headers, body)

    def close(self) -> None:
        self._wire.close()


_CONNECTIONS: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
