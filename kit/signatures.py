"""What the signature schemes of webhooks share. Text from a header may hold anything."""

import base64
import binascii
import hmac
import re
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

FRESH_SECONDS: Final = 300
SHORTEST_RSA_KEY: Final = 2048

_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)


class UnusableSecret(ValueError):
    """A key that cannot verify anything; the sentence is for staff."""


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """The MAC of the parts joined by points, as Stripe and Standard Webhooks both sign."""
    return hmac.digest(key, b".".join(parts), "sha256")


def is_same(expected: str, given: str) -> bool:
    """Compare in constant time; `hmac.compare_digest` alone raises for text beyond ASCII."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "backslashreplace"))


def decoded_base64(text: str) -> bytes | None:
    """The bytes behind canonical base64, else None.

    Spare bits and stray characters are refused: two spellings of one signature would be two posts.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None


def seconds_old(stamp: str, now: datetime) -> int | None:
    """How long before `now` the Unix `stamp` lies (negative if after); None if it is no stamp."""
    if not _UNIX_SECONDS.fullmatch(stamp):
        return None
    return int(now.timestamp()) - int(stamp)


@lru_cache(maxsize=256)
def rsa_public_key(text: str) -> RSAPublicKey | None:
    """The key in a PEM public key, a PEM certificate, or the bare base64 that lies between a PEM
    key's lines; None for anything else and for keys under 2048 bits."""
    key: object
    try:
        if "BEGIN CERTIFICATE" in text:
            key = load_pem_x509_certificate(text.strip().encode()).public_key()
        elif "BEGIN" in text:
            key = load_pem_public_key(text.strip().encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= SHORTEST_RSA_KEY else None


def is_rsa_sha256(signature: bytes, content: bytes, key: RSAPublicKey) -> bool:
    """Whether the holder of `key` signed `content` (RSASSA-PKCS1-v1_5 with SHA-256)."""
    try:
        key.verify(signature, content, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
