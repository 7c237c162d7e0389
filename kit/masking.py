"""Personal data made unreadable but still recognisable, for lists and payloads."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from kit.field_keys import Holds, held_by

DOTS: Final = "•••"
_EMAIL: Final = re.compile(r"(?<![^\s@\"'<>])[^\s@\"'<>]+@[^\s@\"'<>]+\.[^\s@\"'<>]+")
_DATE: Final = (
    r"(?<!\d)(?:\d{4}[-/]\d\d?[-/]\d\d?|\d\d?-\d\d?-\d{4})(?!\d)"
    r"(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)?"
)
# Seven digits or more, which are no part of a code (WEB-20261121) and no amount (1234567.00).
_PHONE: Final = (
    r"(?<![A-Za-z0-9_])(?<!\d\.)(?<![A-Z0-9]-)"
    r"[+＋]?\(?\d(?:[ \u00a0\u3000\-–－()]{0,3}\d){6,}(?![A-Z0-9_])(?!\.\d)"
)
_DATE_OR_PHONE: Final = re.compile(f"(?P<date>{_DATE})|{_PHONE}")
_PHONE_ALONE: Final = re.compile(rf"(?!{_DATE}$)\s*{_PHONE}\s*")
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/*|+=-]+")
_MEMBER_CODE: Final = re.compile(r"(?=.*\d|[A-Z]{6,}$)[A-Za-z0-9_.-]+")
# Some platforms call by "name" what happened: payment_intent.succeeded.
_EVENT: Final = re.compile(
    r"(?:payment|refund|charge|dispute|order|invoice|payout|settlement|customer)[a-z_]*"
    r"(?:\.[a-z_]+)+"
)
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
    """Free text with its e-mail addresses and phone numbers masked."""
    return _DATE_OR_PHONE.sub(
        lambda found: found[0] if found["date"] else mask_tail(found[0]), _mask_emails(text)
    )


def mask_payload(value: Any, *, depth: int = 0, key: str = "", about: Holds | None = None) -> Any:
    """A copy of a platform's payload whose personal fields cannot be read.

    It stands below `key`, in what is `about` a person or a thing.
    """
    if depth > _DEEPEST:
        return DOTS
    if isinstance(value, Mapping):
        within = _about(held_by(key), about)
        return {
            name: item
            if _is_amount(name, item, value)
            else mask_payload(item, depth=depth + 1, key=_key_of(name, value), about=within)
            for name, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [mask_payload(item, depth=depth + 1, key=key, about=about) for item in value]
    if value is None or isinstance(value, bool):
        return value
    return _mask_leaf(value, key=key, about=about, depth=depth)


def _about(holds: Holds, about: Holds | None) -> Holds | None:
    """What an object is about: what its key says, or what it stands in."""
    if about is Holds.PERSON or holds in (Holds.PERSON, Holds.MEMBER, Holds.NAME):
        return Holds.PERSON
    return Holds.THING if holds is Holds.THING else about


def _key_of(name: Any, among: Mapping[Any, Any]) -> str:
    """{"key": "nickname", "value": "Mei"}: what the shop itself asked for."""
    named = [among.get(each) for each in ("key", "name", "label")] if name == "value" else []
    return next((each for each in named if isinstance(each, str)), str(name))


def _is_amount(name: Any, item: Any, among: Mapping[Any, Any]) -> bool:
    """{"currency": "JPY", "value": "1280000"}"""
    has_currency = any("currency" in str(each).lower() for each in among)
    is_one = not isinstance(item, str) or _CODE.fullmatch(item) is not None
    return name == "value" and has_currency and is_one and not isinstance(item, Mapping | list)


def _mask_leaf(value: Any, *, key: str, about: Holds | None, depth: int) -> Any:
    holds, text = held_by(key), str(value)
    if holds is Holds.ANYTHING and about is Holds.PERSON:
        holds = Holds.PERSON
    if holds is Holds.REFERENCE and about is Holds.PERSON:
        holds = Holds.NUMBER_OF_PERSON
    if not _is_personal(holds, text, about):
        return (
            _mask_inside(text, key=key, about=about, depth=depth)
            if isinstance(value, str)
            else value
        )
    return _mask_personal(text, is_number=holds is Holds.NUMBER_OF_PERSON)


def _is_personal(holds: Holds, text: str, about: Holds | None) -> bool:
    if holds is Holds.MEMBER:
        return not _MEMBER_CODE.fullmatch(text) or _PHONE_ALONE.fullmatch(text) is not None
    if holds is Holds.NAME:
        return about is not Holds.THING and not _EVENT.fullmatch(text)
    if holds is Holds.DEAL:
        return about is Holds.PERSON and not _CODE.fullmatch(text)
    if holds is Holds.THING:
        return about is Holds.PERSON
    return holds in (Holds.PERSON, Holds.NUMBER_OF_PERSON)


def _mask_personal(text: str, *, is_number: bool) -> str:
    """Of numbers the end is shown, by which they are compared; of words nothing."""
    if _EMAIL.fullmatch(text):
        return mask_email(text)
    is_shown = _PHONE_ALONE.fullmatch(text) or (is_number and _CODE.fullmatch(text))
    return mask_tail(text) if is_shown else (DOTS if text else "")


def _mask_emails(text: str) -> str:
    return _EMAIL.sub(lambda found: mask_email(found[0]), text)


def _mask_plain(text: str, holds: Holds) -> str:
    """A reference may look like a phone; one with words around it is none."""
    is_reference = holds in (Holds.MEASURE, Holds.DEAL, Holds.REFERENCE)
    return (
        _mask_emails(text)
        if is_reference and " " not in text and text.isascii()
        else (mask_text(text))
    )


def _mask_inside(text: str, *, key: str, about: Holds | None, depth: int) -> str:
    """Text, in which platforms hand back what the shop gave along: JSON, or a form."""
    if text[:1] in ("{", "["):
        try:
            inner = json.loads(text)
            masked = mask_payload(inner, depth=depth + 1, key=key, about=about)
        except (ValueError, RecursionError):
            return _mask_plain(text, held_by(key))
        return text if masked == inner else json.dumps(masked, ensure_ascii=False)
    if "%3D" in text or _FORM.fullmatch(text):
        form = dict(parse_qsl(text if "=" in text else unquote(text), keep_blank_values=True))
        masked = mask_payload(form, depth=depth + 1, key=key, about=about)
        if masked != form:
            return "&".join(f"{name}={value}" for name, value in masked.items())
    return _mask_plain(text, held_by(key))
