"""Where the secrets come from: the environment, or files that a first local start makes."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_SHORTEST_SECRET = 32


def secret_key(given: str, data_dir: Path, *, is_production: bool) -> str:
    """Django's SECRET_KEY; raises ImproperlyConfigured if production lacks a strong one."""
    if is_production and (len(given) < _SHORTEST_SECRET or "change-me" in given):
        raise ImproperlyConfigured(
            "PRODUCTION is on: set SECRET_KEY to at least 32 random characters of your own."
        )
    return given or _kept(data_dir / "secret_key", lambda: secrets.token_urlsafe(48))


def encryption_keys(given: list[str], data_dir: Path, *, is_production: bool) -> dict[str, bytes]:
    """Keys for personal data by their ids, newest first: `2026a:<base64 of 32 bytes>`.

    The first one encrypts; all decrypt. The blind index uses the last (oldest) one for good.
    """
    if is_production and not given:
        raise ImproperlyConfigured(
            "PRODUCTION is on: set ENCRYPTION_KEYS, and keep a copy apart from the backups."
        )
    entries = given or [_kept(data_dir / "encryption_key", _new_key)]
    keys = {}
    for entry in entries:
        name, _, encoded = entry.partition(":")
        key = _decoded(encoded)
        if not name or len(key) != 32:
            raise ImproperlyConfigured(
                "ENCRYPTION_KEYS wants entries of the form name:base64-of-32-random-bytes."
            )
        keys[name] = key
    return keys


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _new_key() -> str:
    return "local:" + base64.b64encode(secrets.token_bytes(32)).decode()


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`, made at first use; two processes that race agree on one."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(make())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # Another process was first: its secret holds.
    finally:
        draft.unlink()
    return path.read_text().strip()
