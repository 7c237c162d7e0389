"""A file as a table whose cells are read by name, with a sentence for each that cannot be."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from kit.money import DECIMAL_PLACES, Money, MoneyError
from kit.spreadsheet_cells import (
    UnreadableCell,
    read_code,
    read_instant,
    read_number,
    text_of,
)
from kit.spreadsheet_reading import BrokenSheet, Cell, Sheet, fold, read_sheet
from kit.wording import said_in_words

_QUANTUM: Final = Decimal(1).scaleb(-DECIMAL_PLACES)
_OTHER_ORDER: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(.*)", re.ASCII | re.DOTALL)
_code = read_code(100)

# Column → the names by which files call it.
Names = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Table:
    """A sheet whose columns were recognised."""

    sheet: Sheet
    places: dict[str, int]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def rows(self) -> Iterator["Cells"]:
        for number, cells in self.sheet.rows:
            yield Cells(number, cells, self)

    def has(self, name: str) -> bool:
        return name in self.places

    def header_of(self, name: str) -> str:
        return self.sheet.headers[self.places[name]] if name in self.places else name


@dataclass(frozen=True, slots=True)
class Cells:
    """One row. What cannot be read raises UnreadableCell, with the column in its sentence."""

    number: int
    cells: tuple[Cell, ...]
    table: Table

    def cell(self, name: str) -> Cell:
        place = self.table.places.get(name)
        return None if place is None or place >= len(self.cells) else self.cells[place]

    def text(self, name: str) -> str:
        return text_of(self.cell(name)).strip()

    def code(self, name: str) -> str:
        try:
            return str(_code(self.cell(name)))
        except UnreadableCell as problem:
            raise self.unreadable(name, problem) from problem

    def needed(self, name: str) -> str:
        found = self.code(name)
        if not found:
            raise self.unreadable(name, _("This is empty."))
        return found

    def number_or_none(self, name: str) -> Decimal | None:
        cell = self.cell(name)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        try:
            return Decimal(read_number(cell))
        except UnreadableCell as problem:
            raise self.unreadable(name, problem) from problem

    def amount(self, name: str) -> Decimal:
        return self.number_or_none(name) or Decimal(0)

    def money(self, name: str, currency: str) -> Money:
        """Above zero, whatever its sign in the file."""
        return self.as_money(abs(self.amount(name)), name, currency)

    def as_money(self, amount: Decimal, name: str, currency: str) -> Money:
        try:
            money = Money.parse(amount, currency)
        except MoneyError as problem:
            raise self.unreadable(name, said_in_words(problem.kept)) from problem
        if money.amount == 0:
            raise self.unreadable(name, _("This is empty or zero."))
        return money

    def instant(self, name: str, zone: str, *, day_order: str = "ymd") -> datetime:
        cell = self.cell(name)
        if isinstance(cell, str):
            cell = _year_first(cell.strip(), day_order)
        try:
            found = read_instant(cell)
        except UnreadableCell as problem:
            raise self.unreadable(name, problem) from problem
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))

    def day_or_none(self, name: str, *, day_order: str = "ymd") -> date | None:
        if not self.text(name):
            return None
        return self.instant(name, "UTC", day_order=day_order).date()

    def unreadable(self, name: str, problem: object) -> UnreadableCell:
        return UnreadableCell(
            _("%(column)s: %(problem)s")
            % {"column": self.table.header_of(name), "problem": problem}
        )


def words_of(names: Names) -> frozenset[str]:
    return frozenset(fold(name) for group in names.values() for name in group)


def read_table(
    content: bytes, names: Names, *, encoding: str = "", needed: Sequence[str] = ()
) -> Table:
    """Raises BrokenSheet where a needed column is missing."""
    sheet = read_sheet(content, known_words=words_of(names), encoding=encoding)
    folded = [fold(header) for header in sheet.headers]
    places: dict[str, int] = {}
    for name, group in names.items():
        wanted = [fold(alias) for alias in group]
        place = next((folded.index(word) for word in wanted if word in folded), None)
        if place is not None:
            places[name] = place
    missing = [names[name][0] for name in needed if name not in places]
    if missing:
        raise BrokenSheet(
            _("The file has no column “%(missing)s”. Is this the right format?")
            % {"missing": "”, “".join(missing)}
        )
    return Table(sheet, places)


def rounded(fee: Decimal) -> Decimal:
    """Platforms state fees to more places than anybody is paid."""
    return fee.quantize(_QUANTUM, ROUND_HALF_UP)


def _year_first(text: str, day_order: str) -> str:
    """`31/01/2026 18:30` as `2026-01-31 18:30`, by the order that was chosen for the file."""
    found = _OTHER_ORDER.fullmatch(text)
    if day_order == "ymd" or found is None:
        return text
    first, _separator, second, year, rest = found.groups()
    day, month = (first, second) if day_order == "dmy" else (second, first)
    return f"{year}-{month}-{day}{rest}"
