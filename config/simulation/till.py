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


class Till:
    """One persistent connection; it is made anew after the server closed it."""

    def __init__(self, door: Door) -> None:
        self._door = door
        kind = _CONNECTIONS[door.url.scheme]
        self._connection = kind(door.url.hostname or "", door.url.port, timeout=_PATIENCE)

    def post(self, body: bytes, *, message_id: str = "") -> tuple[int, float]:
        """The answer's status, and when the last byte had been sent; raises NoAnswer."""
        headers: Mapping[str, str] = {
            "content-type": "application/json",
            **sign(
                body,
                secret=self._door.secret,
                message_id=message_id or str(uuid4()),
                at=datetime.now(UTC),  # noqa: TID251 - a till is an edge, with a clock of its own.
            ),
        }
        try:
            self._connection.request("POST", self._door.path, body=body, headers=dict(headers))
            sent_at = time.perf_counter()
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as problem:
            self._connection.close()
            raise NoAnswer(str(problem)) from problem
        return response.status, sent_at

    def close(self) -> None:
        self._connection.close()


_CONNECTIONS: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
