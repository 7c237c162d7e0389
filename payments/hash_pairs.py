"""HashKey and HashIV: the two halves of one secret, as Taiwan's platforms issue them."""

import re
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kit.signatures import UnusableSecret
from kit.untrusted import Unreadable, json_object
from payments.providers.base import SettingField

PARTS: Final = (
    SettingField("hash_key", _("HashKey"), is_required=True),
    SettingField("hash_iv", _("HashIV"), is_required=True),
)

_LETTERS_AND_DIGITS: Final = re.compile(r"[0-9A-Za-z]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class HashPair:
    key: str
    iv: str


def read_pair(secret: str, *, key_length: int, iv_length: int) -> HashPair | None:
    """The pair in a secret of two parts; None if it is not one of these lengths."""
    try:
        return checked_pair(secret, key_length=key_length, iv_length=iv_length)
    except UnusableSecret:
        return None


def checked_pair(secret: str, *, key_length: int, iv_length: int) -> HashPair:
    """As read_pair; raises UnusableSecret with a sentence that says which half is wrong."""
    key, iv = _halves(secret)
    if (len(key), len(iv)) == (iv_length, key_length) and key_length != iv_length:
        raise UnusableSecret(_("HashKey and HashIV are exchanged."))
    for name, half, length in (("HashKey", key, key_length), ("HashIV", iv, iv_length)):
        if len(half) != length or not _LETTERS_AND_DIGITS.fullmatch(half):
            raise UnusableSecret(
                gettext(
                    "%(name)s must be exactly %(length)d letters and digits. "
                    "Yours has %(count)d characters."
                )
                % {"name": name, "length": length, "count": len(half)}
            )
    if key == iv:
        raise UnusableSecret(_("HashKey and HashIV must differ."))
    return HashPair(key, iv)


def _halves(secret: str) -> tuple[str, str]:
    """Out of the two fields of the form, or of two words where they were pasted as one text."""
    text = secret.strip()
    if text.startswith("{"):
        try:
            parts = json_object(text.encode("utf-8", "replace"))
        except Unreadable:
            return "", ""
        key, iv = (parts.get(field.name) for field in PARTS)
        return str(key or "").strip(), str(iv or "").strip()
    words = text.split()
    return (words[0], words[1]) if len(words) == 2 else (text, "")
