"""Accounts at platforms: their keys, and a short memory of them for the callback view.

Some platforms tell of payments by settlement files alone: accounts there have no keys.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from members.models import Store
from members.selectors import phone_country_of
from payments.models import Account, Relay
from payments.providers import all_providers
from payments.providers.base import Keys, Provider

BY_FILE: Final = {
    "octopus": gettext_lazy("Octopus, by file"),
    "fps": gettext_lazy("FPS, by file"),
    "bank": gettext_lazy("Bank transfer, by file"),
}

# A changed secret counts in every web process after this long, without a query for each post.
_REMEMBERED_SECONDS: Final = 5.0
_MOST_REMEMBERED: Final = 1000

_memory: dict[tuple[str, str], tuple[float, "KnownAccount | None"]] = {}
_by_id: dict[int, tuple[float, "KnownAccount"]] = {}


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """`phone_country`: whose numbers its payers write without a country."""

    id: int
    provider: Provider
    keys: Keys
    store_id: int | None = None
    order_wait: timedelta = timedelta(0)
    relay_id: int | None = None
    phone_country: str = ""


def add_account_by_file(provider: str, *, name: str, store: Store | None) -> Account:
    return Account.objects.create(provider=provider, name=name, store=store)


def keys_of(account: Account) -> Keys:
    return Keys(secrets=secrets_of(account), settings=account.settings, url=callback_url(account))


def callback_url(account: Account) -> str:
    """The account's own URL, as it is given to the platform."""
    base = str(settings.PUBLIC_URL).rstrip("/")
    return f"{base}/callbacks/{account.provider}/{account.token}/"


def secrets_of(account: Account) -> tuple[str, ...]:
    """The active secrets, newest first."""
    return tuple(json.loads(account.secrets)) if account.secrets else ()


def set_secrets(account: Account, secrets: Sequence[str]) -> None:
    """Replace the active secrets (newest first); the caller saves the account."""
    account.secrets = json.dumps([secret.strip() for secret in secrets if secret.strip()])


def known_account(provider_code: str, token: str) -> KnownAccount | None:
    """The enabled account behind a callback URL, at most five seconds old."""
    now = time.monotonic()
    kept = _memory.get((provider_code, token))
    if kept and kept[0] > now:
        return kept[1]
    found = _look_up(provider_code, token)
    if found or kept:  # Guessed tokens are not remembered: they would fill the memory.
        if len(_memory) >= _MOST_REMEMBERED:
            _memory.clear()
        _memory[provider_code, token] = (now + _REMEMBERED_SECONDS, found)
    return found


def forget_accounts() -> None:
    """Drop this process's memory of accounts (tests; a save in the admin)."""
    _memory.clear()
    _by_id.clear()


def known_accounts(pks: Iterable[int]) -> dict[int, KnownAccount]:
    """Accounts by id, enabled or not, at most five seconds old: unsealing keys costs more than
    reading a post with them."""
    now, wanted = time.monotonic(), set(pks)
    fresh = {pk: kept[1] for pk, kept in _by_id.items() if pk in wanted and kept[0] > now}
    missing = wanted - fresh.keys()
    if missing:
        found = {row.pk: _known(row) for row in _accounts().filter(pk__in=missing)}
        _by_id.update({pk: (now + _REMEMBERED_SECONDS, account) for pk, account in found.items()})
        fresh |= found
    return fresh


def _look_up(provider_code: str, token: str) -> KnownAccount | None:
    provider = all_providers().get(provider_code)
    if provider is None or "\0" in token:  # Which PostgreSQL takes for no text at all.
        return None
    account = _accounts().filter(provider=provider_code, token=token, is_enabled=True).first()
    if account is None:
        return None
    return _known(account)


def _accounts() -> QuerySet[Account]:
    return Account.objects.select_related("relay", "store__region")


def _known(account: Account) -> KnownAccount:
    relay: Relay | None = getattr(account, "relay", None)
    return KnownAccount(
        id=account.pk,
        provider=all_providers()[account.provider],
        keys=keys_of(account),
        store_id=account.store_id,
        order_wait=timedelta(seconds=account.order_wait_seconds),
        relay_id=relay.pk if relay is not None and relay.is_enabled else None,
        phone_country=phone_country_of(account.store),
    )
