"""What a cell means: readers that turn it into a value, or say in words what is wrong with it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from kit.spreadsheet_reading import Cell

Read = Callable[[Cell], Any]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NUMBER: Final = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?", re.ASCII)
_WHOLE_FLOAT: Final = re.compile(r"\d+\.0", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", re.ASCII)
_TIME: Final = re.compile(
    r"[T\s]*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_YES: Final = frozenset(
    ("1", "y", "yes", "true", "t", "v", "x", "on", "是", "有", "同意", "願意", "愿意", "✓", "✔")
)
_NO: Final = frozenset(
    ("0", "n", "no", "false", "f", "off", "否", "無", "无", "不", "不同意", "不願意", "不愿意")
)
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


class UnreadableCell(ValueError):
    """A cell that is not what its column asks for; the sentence says what would be."""


def text_of(cell: Cell) -> str:
    """The cell as a person would write it: 85291234567 without “.0”, days as 2026-01-31."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "seconds")
    return str(cell)


def read_text(longest: int) -> Read:
    def read(cell: Cell) -> str:
        line = " ".join(text_of(cell).split())
        if len(line) > longest:
            raise UnreadableCell(
                _("This is longer than %(longest)s characters.") % {"longest": longest}
            )
        if _CONTROL.search(line):
            raise UnreadableCell(_("This contains characters that cannot be printed."))
        return line

    return read


def read_code(longest: int) -> Read:
    """A number of an order, product or customer: half width; 17850.0, which a spreadsheet program
    made of it, is 17850 again."""
    as_text = read_text(longest)

    def read(cell: Cell) -> str:
        code = unicodedata.normalize("NFKC", as_text(cell)).strip()
        return code[:-2] if _WHOLE_FLOAT.fullmatch(code) else code

    return read


def read_number(cell: Cell) -> Decimal:
    if isinstance(cell, int | Decimal) and not isinstance(cell, bool):
        return Decimal(cell)
    text = unicodedata.normalize("NFKC", text_of(cell)).strip()
    if not _NUMBER.fullmatch(text) or len(text) > 25:
        raise UnreadableCell(
            _("“%(value)s” is not a number. Write only digits and a point, as in 1234.50.")
            % {"value": text[:40]}
        )
    return Decimal(text.replace(",", ""))


def read_day(cell: Cell) -> date:
    instant = read_instant(cell)
    return instant.date()


def read_instant(cell: Cell) -> datetime:
    """A day, with a time or at midnight; without an offset it stays naive, for its zone is known
    only to who reads the whole row."""
    if isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, date):
        found = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - a wall clock's time.
    else:
        found = _instant_in(unicodedata.normalize("NFKC", text_of(cell)).strip())
    if not _FIRST_YEAR <= found.year < _LAST_YEAR:
        raise UnreadableCell(_("The year %(year)s cannot be meant.") % {"year": found.year})
    return found


def _instant_in(text: str) -> datetime:
    day = _DAY.match(text)
    rest = text[day.end() :] if day else ""
    clock = _TIME.fullmatch(rest) if rest else None
    sentence = _(
        "“%(value)s” is not a date. Write the year first, as in 2026-01-31 or 2026-01-31 18:30."
    ) % {"value": text[:40]}
    if day is None or (rest and clock is None):
        raise UnreadableCell(sentence)
    year, month, number = (int(part) for part in day.groups())
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3]) if clock else (0, 0, 0)
    try:
        zone = datetime.strptime(clock[4], "%z").tzinfo if clock and clock[4] else None
        return datetime(year, month, number, hour, minute, second, tzinfo=zone)
    except ValueError as problem:
        raise UnreadableCell(sentence) from problem


def read_yes_or_no(cell: Cell) -> bool:
    if isinstance(cell, bool):
        return cell
    word = unicodedata.normalize("NFKC", text_of(cell)).strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise UnreadableCell(
        _("“%(value)s” is neither yes nor no. Write yes or no.") % {"value": word[:40]}
    )


def read_word(words: Mapping[str, str]) -> Read:
    """One of a few words, each in several languages: `{"sale": "payment", "銷售": "payment"}`."""

    def read(cell: Cell) -> str:
        word = unicodedata.normalize("NFKC", text_of(cell)).strip().casefold()
        if word not in words:
            allowed = ", ".join(sorted(set(words.values())))
            raise UnreadableCell(
                _("“%(value)s” is not known here. Write one of: %(allowed)s.")
                % {"value": word[:40], "allowed": allowed}
            )
        return words[word]

    return read
