"""What is said now and read later, by each reader in their own language.

A parser on the road knows no reader. So what it has to say is kept as the English sentence of our
catalogues with its values apart; `kit.wording` puts them together when somebody reads it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_LONGEST_VALUE: Final = 120
_PLACE: Final = re.compile(r"%\((\w+)\)s")


class Explained(Exception):
    """An error that says in a sentence what is wrong. A value may be such an error itself."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.values = values

    def __str__(self) -> str:
        return filled(self.sentence, self.values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def kept(self) -> str:
        """As it is kept with a row."""
        return said(self.sentence, **self.values)


def said(sentence: str, **values: object) -> str:
    """The text to keep: the sentence alone, or as JSON with its values."""
    return json.dumps(_taken_apart(sentence, values), ensure_ascii=False) if values else sentence


def filled(sentence: str, values: Mapping[str, Any]) -> str:
    """Not with the % of Python: what was kept may have been damaged, and must still be shown."""
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), sentence)


def _taken_apart(sentence: str, values: Mapping[str, object]) -> list[object]:
    return [sentence, {name: _kept_value(value) for name, value in values.items()}]


def _kept_value(value: object) -> object:
    if isinstance(value, Explained):
        return _taken_apart(value.sentence, value.values)
    line = " ".join(str(value).split())
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[: _LONGEST_VALUE - 1]}…"
