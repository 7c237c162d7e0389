"""The bytes of a post as they came: sealed for the database, opened for translating."""

import json
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection

from kit.crypto import decrypt, encrypt
from payments.providers.base import Inbound

_CONTEXT: Final = "payments.body"
# What a platform signs or means by; cookies, addresses of proxies and the like are not kept.
# `authorization` is: Adyen vouches by it for what its signature leaves out, and a refused post
# must prove itself again in a replay. It lies sealed like the body, and no page shows it.
_DROPPED_HEADERS: Final = frozenset({"cookie", "x-forwarded-for", "x-real-ip"})


def seal(inbound: Inbound) -> bytes:
    headers = {
        name: value for name, value in inbound.headers.items() if name not in _DROPPED_HEADERS
    }
    head = json.dumps([inbound.method, inbound.url, headers]).encode()
    return encrypt(len(head).to_bytes(4) + head + inbound.body, context=_CONTEXT)


def unseal(sealed: bytes | memoryview, *, received_at: datetime | None = None) -> Inbound:
    plain = decrypt(bytes(sealed), context=_CONTEXT)
    size = int.from_bytes(plain[:4])
    method, url, headers = json.loads(plain[4 : 4 + size])
    return Inbound(
        method=method,
        url=url,
        headers=headers,
        body=plain[4 + size :],
        received_at=received_at,
    )


def make_partitions(*, today: date, months: int = 3) -> None:
    """The tables of this month and the next `months`; those that stand already stay."""
    with connection.cursor() as cursor:
        for number in range(months + 1):
            day = today.replace(day=1) + timedelta(days=31 * number)
            cursor.execute("SELECT payments_callback_body_partition(%s)", [day])
