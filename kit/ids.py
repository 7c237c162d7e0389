"""Identifiers: time-ordered keys for facts, and codes that people read and type."""

import random
import secrets
import threading
import time
import uuid
from typing import Final

# Crockford's alphabet without U, plus nothing that looks like something else.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_latest = 0
_LOOKALIKES: Final = str.maketrans("ILOU", "110V")


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then random bits.

    Ids of one process rise strictly: the first of a millisecond is random, and each that follows
    lies a random step behind (its section 6.2, method 2). Asking the system for random bits takes
    longer than all the rest, and a batch of payments makes thousands of ids. Commit order is
    another matter: an id is never a cursor. Nor is it a secret.
    """
    global _latest  # noqa: PLW0603 - the one thing that a monotonic sequence must remember
    milliseconds = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    with _lock:
        if milliseconds > _latest >> 80:
            # Version 7 and variant 2; one bit is left clear, for the steps to carry into.
            drawn = secrets.randbits(80) & ~(0xF << 76 | 0x7 << 61)
            _latest = milliseconds << 80 | drawn | 0x7 << 76 | 0x2 << 62
        else:
            _latest += 1 + random.getrandbits(32)
        return uuid.UUID(int=_latest)


def new_code(prefix: str = "", *, length: int = 9) -> str:
    """A random code of `length` characters behind `prefix`, the last one a check character."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(length - 1))
    return f"{prefix}{body}{check_character(body)}"


def normal_code(typed: str) -> str:
    """What a person typed or a scanner read, without spaces, dashes and look-alike letters."""
    kept = "".join(character for character in typed.upper() if character.isalnum())
    return kept.translate(_LOOKALIKES)


def is_valid_code(code: str, prefix: str = "") -> bool:
    """Whether the check character fits: catches every single slip and swap of neighbours."""
    body = code.removeprefix(prefix)
    return (
        code.startswith(prefix)
        and len(body) > 1
        and all(character in ALPHABET for character in body)
        and check_character(body[:-1]) == body[-1]
    )


def check_character(body: str) -> str:
    """Luhn's algorithm modulo 32 over our alphabet (ISO/IEC 7812-1, annex B, generalised)."""
    total, factor = 0, 2
    for character in reversed(body):
        addend = factor * ALPHABET.index(character)
        total += addend // 32 + addend % 32
        factor = 3 - factor
    return ALPHABET[-total % 32]
