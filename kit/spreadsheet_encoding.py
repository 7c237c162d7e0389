"""Which encoding a CSV file is in: guessed from what would make sense, measured by its header."""

import codecs
import unicodedata
from collections.abc import Collection
from functools import cache
from typing import Final

# By the names that a person chooses from; Big5-HKSCS reads all of Big5.
ENCODINGS: Final = ("utf-8", "big5hkscs", "gb18030")
_CANDIDATES: Final = ("big5hkscs", "cp950", "gb18030")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEADER_WORD: Final = 8  # Characters that one recognised header name is worth.
_SAMPLE: Final = 20_000  # Characters judged: more changes no verdict.


class UndecodableText(ValueError):
    """No encoding of ours makes text of these bytes."""


def decode(content: bytes, *, known_words: Collection[str], encoding: str = "") -> tuple[str, str]:
    """The text and the encoding it was in; raises UndecodableText."""
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _strictly(content, marked), marked
    if encoding:
        return _strictly(content, encoding), encoding
    readable = []
    for candidate in ("utf-8", *_CANDIDATES):
        try:
            text = _strictly(content, candidate)
        except UndecodableText:
            continue
        if candidate == "utf-8":
            return text, candidate
        readable.append((_sense(text, known_words), candidate, text))
    if not readable:
        raise UndecodableText
    _score, best, text = max(readable, key=lambda entry: entry[0])  # The first of equals.
    return text, best


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as problem:
        raise UndecodableText from problem


def _sense(text: str, known_words: Collection[str]) -> float:
    """How much `text` looks like Chinese with our headers, whatever its length."""
    sample = text[:_SAMPLE]
    foreign = [character for character in sample if ord(character) > 0x7F]
    common = sum(character in _common() for character in foreign)
    odd = sum(_is_odd(character) for character in foreign)
    folded = unicodedata.normalize("NFKC", sample[:2000]).casefold()
    headers = sum(len(word) > 1 and not word.isascii() and word in folded for word in known_words)
    return (common - 3 * odd) / max(len(foreign), 1) + headers * _HEADER_WORD


def _is_odd(character: str) -> bool:
    """Private use, unassigned, or letters of scripts that stand in such files by mistake only."""
    category = unicodedata.category(character)
    return category in {"Co", "Cn", "Cc"} or (
        category in {"Ll", "Lu", "Lo"} and not "\u3400" <= character <= "\ufaff"
    )


@cache
def _common() -> frozenset[str]:
    """The everyday characters of both scripts: level one of Big5 and of GB 2312."""
    found: set[str] = set()
    for charset, first, last in (("big5", 0xA4, 0xC6), ("gb2312", 0xB0, 0xD7)):
        for lead in range(first, last + 1):
            for trail in range(0x40, 0xFF):
                found.update(bytes((lead, trail)).decode(charset, "ignore"))
    return frozenset(character for character in found if character >= "\u3000") | set(
        "，。（）：、"
    )
