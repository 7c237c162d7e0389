"""Personal data made unreadable but still recognisable, for lists and payloads."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

DOTS: Final = "•••"
_PERSONAL_KEY: Final = re.compile(
    r"(name|mail|phone|mobile|tel|address|logon|buyer|payer|customer|open_?id|user_?id|card|iban"
    r"|birth|ip$|fingerprint|last4|postal|line[12]$|city)",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+\.[^\s@\"'<>]+")
_PHONE: Final = re.compile(r"\+\d[\d \-]{6,}\d")
_DEEPEST: Final = 20


def mask_name(name: str) -> str:
    return f"{name[0]}{DOTS}" if name else ""


def mask_email(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}{DOTS}@{domain}" if at else mask_tail(address)


def mask_tail(value: str, *, shown: int = 3) -> str:
    """The last characters of a phone or number; of a short one, nothing."""
    return f"{DOTS}{value[-shown:]}" if len(value) > shown * 2 else (DOTS if value else "")


def mask_value(value: str) -> str:
    return mask_email(value) if "@" in value else mask_tail(value)


def mask_text(text: str) -> str:
    """Free text with its e-mail addresses and international phone numbers masked."""
    masked = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    return _PHONE.sub(lambda found: mask_tail(found[0]), masked)


def mask_payload(value: Any, *, depth: int = 0) -> Any:
    """A copy of a platform's payload whose personal fields cannot be read."""
    if depth > _DEEPEST:
        return DOTS
    if isinstance(value, Mapping):
        return {
            key: _mask_leaf(item)
            if _PERSONAL_KEY.search(str(key)) and isinstance(item, str | int)
            else mask_payload(item, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Sequence):
        return [mask_payload(item, depth=depth + 1) for item in value]
    return value


def _mask_leaf(value: str | int) -> Any:
    return value if isinstance(value, bool) else mask_value(str(value))
