"""Keys and what they protect."""

import base64
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from kit.crypto import CannotDecrypt, blind_index, decrypt, encrypt
from kit.keyring import encryption_keys, secret_key

KEYS = {"new": b"n" * 32, "old": b"o" * 32}


@pytest.fixture(autouse=True)
def _two_keys(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = KEYS


def test_what_is_sealed_opens_with_its_key_and_in_its_column_only(settings: Any) -> None:
    sealed = encrypt("陳美玲".encode(), context="member.name")

    assert "陳美玲".encode() not in sealed
    assert decrypt(sealed, context="member.name").decode() == "陳美玲"
    with pytest.raises(CannotDecrypt):
        decrypt(sealed, context="member.phone")
    with pytest.raises(CannotDecrypt):
        decrypt(sealed[:-1] + bytes([sealed[-1] ^ 1]), context="member.name")
    settings.ENCRYPTION_KEYS = {"old": KEYS["old"]}
    with pytest.raises(CannotDecrypt):
        decrypt(sealed, context="member.name")


def test_a_new_key_in_front_changes_neither_old_values_nor_the_index(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = {"old": KEYS["old"]}
    sealed, index = encrypt(b"x", context="c"), blind_index("phone", "+85291234567")

    settings.ENCRYPTION_KEYS = KEYS

    assert decrypt(sealed, context="c") == b"x"
    assert blind_index("phone", "+85291234567") == index
    assert blind_index("email", "+85291234567") != index


@pytest.mark.parametrize("given", ["", "short", "change-me-change-me-change-me-change-me"])
def test_production_refuses_a_missing_or_demo_secret(given: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        secret_key(given, tmp_path, is_production=True)
    assert list(tmp_path.iterdir()) == []


def test_production_refuses_to_make_its_own_encryption_key(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        encryption_keys([], tmp_path, is_production=True)


@pytest.mark.parametrize(
    "entry", ["nocolon", "a:short", ":" + base64.b64encode(b"k" * 32).decode()]
)
def test_a_key_that_is_none_is_refused_with_advice(entry: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="base64"):
        encryption_keys([entry], tmp_path, is_production=True)


def test_a_local_start_makes_its_secrets_once_and_for_itself_alone(tmp_path: Path) -> None:
    first = secret_key("", tmp_path, is_production=False)

    assert secret_key("", tmp_path, is_production=False) == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert encryption_keys([], tmp_path, is_production=False) == encryption_keys(
        [], tmp_path, is_production=False
    )
