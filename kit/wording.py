"""What was kept by `kit.said`, in words of the active language."""

import json
from typing import Any

from django.utils.translation import gettext

from kit.said import filled


def said_in_words(kept: str) -> str:
    """The sentence; a text that was kept as nothing but text is shown as it is."""
    if kept.startswith('["'):
        try:
            return _in_words(json.loads(kept))
        except (ValueError, TypeError):
            return kept
    # A bare name, such as of a header, is nobody's sentence, whatever the catalogue has for it.
    return gettext(kept) if kept.endswith(".") else kept


def _in_words(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    sentence, values = value
    words = {name: _in_words(inner) for name, inner in dict(values).items()}
    return filled(gettext(sentence) if sentence else "", words)
