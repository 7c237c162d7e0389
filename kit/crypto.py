"""Personal data at rest: AES-256-GCM, and a keyed hash to find equal values."""

import base64
import hashlib
import hmac
import os
from functools import cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

from kit.said import Explained

_NONCE_BYTES: Final = 12


class CannotDecrypt(Explained):
    """The key of this value is missing from ENCRYPTION_KEYS, or the value was tampered with."""


def encrypt(plain: bytes, *, context: str) -> bytes:
    """`key id, 0, nonce, ciphertext`; `context` binds the value to its column."""
    name, key = next(iter(settings.ENCRYPTION_KEYS.items()))
    nonce = os.urandom(_NONCE_BYTES)
    return name.encode() + b"\0" + nonce + _cipher(key).encrypt(nonce, plain, context.encode())


def decrypt(stored: bytes, *, context: str) -> bytes:
    name, _, rest = bytes(stored).partition(b"\0")
    named = name.decode("ascii", "replace")
    key = settings.ENCRYPTION_KEYS.get(named)
    if key is None:
        raise CannotDecrypt("ENCRYPTION_KEYS holds no key “%(name)s”.", name=named)
    try:
        nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        return _cipher(key).decrypt(nonce, sealed, context.encode())
    except InvalidTag as problem:
        raise CannotDecrypt("A value of %(place)s fails its seal.", place=context) from problem


def blind_index(kind: str, value: str) -> str:
    """A keyed hash (HMAC-SHA256) by which equal values find each other without being readable."""
    oldest = list(settings.ENCRYPTION_KEYS.values())[-1]
    message = f"{kind}\0{value}".encode()
    return hmac.new(_index_key(oldest), message, hashlib.sha256).hexdigest()


@cache
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@cache
def _index_key(key: bytes) -> bytes:
    return hmac.new(key, b"blind index", hashlib.sha256).digest()


class EncryptedTextField(models.TextField[str, str]):
    """Text that stands encrypted in the database (base64); equality filters find nothing."""

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or value == "":
            return None if value is None else ""
        return base64.b64encode(encrypt(str(value).encode(), context=self._context)).decode()

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        if not value:
            return value
        return decrypt(base64.b64decode(value), context=self._context).decode()

    @property
    def _context(self) -> str:
        return f"{self.model._meta.label_lower}.{self.name}"
