"""Personal data made unreadable but still recognisable, for lists and payloads."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

DOTS: Final = "•••"
# What stands below these is personal, however deep: {"phone": {"national_number": "…"}}.
_PERSON: Final = (
    r"name|nick|mail|phone|mobile|tel|address|street|postal|line[12]$|city|birth|dob$|passport"
    r"|logon|fingerprint|(?:^|_)id_?(?:no|number|card)$"
)
_PERSONAL: Final = re.compile(_PERSON, re.IGNORECASE)
_PERSONAL_KEY: Final = re.compile(
    rf"{_PERSON}|buyer|payer|customer|open_?id|user_?id|card|iban|ip$|last4", re.IGNORECASE
)
_EMAIL: Final = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+\.[^\s@\"'<>]+")
# International numbers, and mobile numbers of Taiwan and the mainland, which look like no amount.
_PHONE: Final = re.compile(r"\+\d[\d \-]{6,}\d|(?<!\d)(?:09\d{8}|1[3-9]\d{9})(?!\d)")
_FORM: Final = re.compile(r"[^\s=&]+=[^\s&]*(?:&[^\s=&]+=[^\s&]*)*")
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


def mask_payload(value: Any, *, depth: int = 0, is_personal: bool = False) -> Any:
    """A copy of a platform's payload whose personal fields cannot be read; `is_personal`: all of
    its leaves are."""
    if depth > _DEEPEST:
        return DOTS
    if isinstance(value, Mapping):
        return {
            key: _mask_field(str(key), item, depth=depth + 1, is_personal=is_personal)
            for key, item in value.items()
        }
    if isinstance(value, str):
        return mask_value(value) if is_personal else _mask_inside(value, depth=depth)
    if isinstance(value, Sequence):
        return [mask_payload(item, depth=depth + 1, is_personal=is_personal) for item in value]
    return _mask_number(value) if is_personal else value


def _mask_field(key: str, value: Any, *, depth: int, is_personal: bool) -> Any:
    is_object = isinstance(value, Mapping)
    named = _PERSONAL if is_object else _PERSONAL_KEY
    is_named = named.search(key) is not None
    return mask_payload(value, depth=depth, is_personal=is_personal or is_named)


def _mask_inside(text: str, *, depth: int) -> str:
    """Text, in which platforms hand back what the shop gave along: JSON, or a form."""
    if text[:1] in ("{", "["):
        try:
            inner = json.loads(text)
            masked = mask_payload(inner, depth=depth + 1)
        except (ValueError, RecursionError):
            return mask_text(text)
        return text if masked == inner else json.dumps(masked, ensure_ascii=False)
    if "%3D" in text or _FORM.fullmatch(text):
        form = dict(parse_qsl(text if "=" in text else unquote(text), keep_blank_values=True))
        masked = mask_payload(form, depth=depth + 1)
        if masked != form:
            return "&".join(f"{name}={value}" for name, value in masked.items())
    return mask_text(text)


def _mask_number(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else mask_value(str(value))
