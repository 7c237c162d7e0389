"""What the signature schemes of webhooks share. Text from a header may hold anything."""

import base64
import binascii
import hmac
import re
from datetime import datetime
from typing import Final

FRESH_SECONDS: Final = 300

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
