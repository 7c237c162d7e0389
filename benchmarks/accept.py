"""Accepting: the callback URL beside a bare DRF view that inserts the same row by the ORM.

Both are in one server; short rounds take turns, so that noise of the machine meets both alike.
Platforms that sign with RSA are measured apart, with posts signed beforehand.
"""

import base64
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from urllib.parse import urlencode, urljoin, urlsplit
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.merchant import Merchant
from benchmarks.place import Connection, web
from benchmarks.report import Result
from config.simulation.till import Door, Wire, door_of, payment
from payments.models import Account
from payments.providers.standard import sign
from payments.services.accounts import set_secrets

_CONNECTIONS = 8
_FLOOR = 0.65
_MOST_PER_S = 3000  # Of posts that are signed beforehand.

Posts = Iterator[tuple[dict[str, str], bytes]]

_TABLE = """
CREATE TABLE bare_callback (LIKE payments_callback INCLUDING ALL);
ALTER TABLE bare_callback ADD COLUMN body bytea NOT NULL;
GRANT SELECT, INSERT ON bare_callback TO regulars;
"""


def measure(
    merchant: Merchant, owner: Connection, *, rounds: int, seconds: float
) -> Iterator[Result]:
    owner.execute(_TABLE)
    codes = [member.code for member in merchant.members[:1000]]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    alipay = _alipay_account(key)
    with web(DJANGO_SETTINGS_MODULE="benchmarks.bare.settings") as url:
        till = door_of(url)
        kinds: dict[str, tuple[str, Callable[[], Posts]]] = {
            "till": (till.path, lambda: _of_till(till, codes)),
            "RSA": (
                f"/callbacks/alipay/{alipay.token}/",
                lambda: _of_alipay(key, codes, int(_MOST_PER_S * seconds)),
            ),
        }
        for name, (path, posts) in kinds.items():
            yield _compare(name, urljoin(url, path), posts, rounds=rounds, seconds=seconds)


def _compare(
    name: str, ours: str, posts: Callable[[], Posts], *, rounds: int, seconds: float
) -> Result:
    bare = urljoin(ours, "/bare/")
    for url in (ours, bare):
        _rate(url, posts(), seconds=1.0)  # Connections, caches, first imports.
    pairs = [
        (_rate(ours, posts(), seconds=seconds), _rate(bare, posts(), seconds=seconds))
        for _ in range(rounds)
    ]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return Result(
        name=f"accept ({name}): callbacks/s beside a bare view",
        figures={
            "callbacks_per_s": statistics.median(mine for mine, _ in pairs),
            "bare_per_s": statistics.median(theirs for _, theirs in pairs),
            "ratio": ratio,
        },
        wanted=f"ratio ≥ {_FLOOR}",
        is_met=ratio >= _FLOOR,
    )


def _rate(url: str, posts: Posts, *, seconds: float) -> float:
    """Posts answered with 200 in a second, by as many persistent connections as keep it busy."""
    turns, deadline = threading.Lock(), time.perf_counter() + seconds

    def send() -> int:
        to = urlsplit(url)
        wire, sent = Wire(to), 0
        while time.perf_counter() < deadline:
            with turns:
                headers, body = next(posts)
            status, _ = wire.post(to.path, headers, body)
            if status != 200:
                raise RuntimeError(f"The server answered {status}.")
            sent += 1
        wire.close()
        return sent

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        senders = [pool.submit(send) for _ in range(_CONNECTIONS)]
        return sum(sender.result() for sender in senders) / seconds


def _of_till(door: Door, codes: list[str]) -> Posts:
    run = uuid4().hex[:8]
    for number in count():
        now = datetime.now(UTC)  # noqa: TID251 - a till's own clock.
        code, at = codes[number % len(codes)], now.replace(microsecond=0)
        body = payment(ref=f"{run}-{number}", amount="88", currency="HKD", at=at, member=code)
        yield sign(body, secret=door.secret, message_id=f"{run}-{number}", at=now), body


def _alipay_account(key: rsa.RSAPrivateKey) -> Account:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    account = Account(provider="alipay", name="Alipay")
    set_secrets(account, [public.decode()])
    account.save()
    return account


def _of_alipay(key: rsa.RSAPrivateKey, codes: list[str], most: int) -> Posts:
    """Signed before the clock runs: signing costs the sender far more than checking costs us."""
    run = uuid4().hex[:8]
    return iter([_alipay_post(key, f"{run}-{n}", codes[n % len(codes)]) for n in range(most)])


def _alipay_post(key: rsa.RSAPrivateKey, ref: str, code: str) -> tuple[dict[str, str], bytes]:
    fields = {
        "notify_id": ref,
        "notify_type": "trade_status_sync",
        "trade_no": ref,
        "out_trade_no": f"order-{ref}",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "88.00",
        "gmt_payment": "2026-11-21 12:00:00",
        "passback_params": code,
        "charset": "utf-8",
    }
    content = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    signed = key.sign(content.encode(), PKCS1v15(), SHA256())
    form = {**fields, "sign_type": "RSA2", "sign": base64.b64encode(signed).decode()}
    headers = {"content-type": "application/x-www-form-urlencoded", "webhook-id": ref}
    return headers, urlencode(form).encode()
