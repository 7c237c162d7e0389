"""Reading a spreadsheet that somebody made: CSV in the encodings of the region, or XLSX.

Whatever the bytes are, the answer is a Sheet or one BrokenSheet that says what to do about it.
"""

import csv
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _
from python_calamine import (
    CalamineError,
    CalamineSheet,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

from kit.spreadsheet_encoding import UndecodableText, decode
from kit.spreadsheets import unquote_formula

Cell = str | int | Decimal | bool | date | datetime | None

MOST_ROWS: Final = 100_000
MOST_COLUMNS: Final = 200
MOST_BYTES: Final = 20 * 1024 * 1024
_MOST_LINES: Final = 10 * MOST_ROWS  # Blank ones included.
_HEADER_WITHIN: Final = 10  # Rows in which the header may stand: titles often come first.
_MOST_UNPACKED: Final = 300 * 1024 * 1024
_MOST_ENTRIES: Final = 200
_MOST_RATIO: Final = 200
_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"  # Also what a password makes of an .xlsx file.
_OTHER_BOOKS: Final = frozenset(("content.xml", "xl/workbook.bin"))  # .ods and .xlsb
# XML is read as freely as a workbook's reader reads it: any quotation mark, any blanks.
_BLANKS: Final = re.compile(rb"\s{2,}")
_PLACE: Final = re.compile(rb"""\br ?= ?["']([A-Za-z]*)([0-9]+)""")
_STEP: Final = re.compile(rb"<(?:[^<>\s/:]+:)?(sheetData|row|c)(?=[\s/>])")
_CHUNK: Final = 1 << 20


class BrokenSheet(ValueError):
    """A file that cannot be read as a table; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its header, and rows of cells with the number that each has in the file."""

    headers: tuple[str, ...]
    rows: list[tuple[int, tuple[Cell, ...]]]
    encoding: str = ""
    tab: str = ""
    tabs_left_out: tuple[str, ...] = ()
    above: tuple[str, ...] = ()  # What stands above the header, each row as one line.


def read_sheet(content: bytes, *, known_words: Collection[str], encoding: str = "") -> Sheet:
    """The table in `content`; `known_words` are folded header names (see fold)."""
    if not content.strip():
        raise BrokenSheet(_("The file is empty. Choose one with a header row and rows below it."))
    if len(content) > MOST_BYTES:
        raise BrokenSheet(_too_large())
    if content.startswith(_OLD_EXCEL):
        raise BrokenSheet(
            _(
                "This is an old Excel file (.xls) or has a password. Open it, save it as .xlsx"
                " without a password, and upload that."
            )
        )
    if content.startswith(_ZIP):
        return _read_xlsx(content, known_words)
    return _read_csv(content, known_words, encoding)


def fold(header: object) -> str:
    """How headers are compared: without case, blanks and punctuation, full width as half width."""
    text = unicodedata.normalize("NFKC", str(header)).casefold()
    return "".join(character for character in text if character.isalnum())


def _read_csv(content: bytes, known_words: Collection[str], encoding: str) -> Sheet:
    try:
        text, used = decode(content, known_words=known_words, encoding=encoding)
    except UndecodableText as problem:
        raise BrokenSheet(
            _(
                "The text of this file cannot be read. Save it as “CSV UTF-8”, or choose its"
                " encoding on this page."
            )
        ) from problem
    if "\0" in text:
        raise BrokenSheet(_not_a_sheet())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    headers, rows, above = _table(_csv_rows(reader), known_words)
    return Sheet(headers, rows, encoding=used, above=above)


def _csv_rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    number = 0
    try:
        for number, row in enumerate(reader, 1):
            if len(row) > MOST_COLUMNS:
                raise BrokenSheet(_too_many_columns())
            yield number, tuple(unquote_formula(cell.strip()) for cell in row)
    except csv.Error as problem:
        raise BrokenSheet(
            _(
                "The file cannot be split into columns near row %(row)s: a quotation mark is not"
                " closed or stands in the wrong place."
            )
            % {"row": number + 1}
        ) from problem


def _delimiter(text: str) -> str:
    """What splits the first line into most columns, outside quotation marks."""
    first = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])
    return max(",;\t", key=first.count)


def _read_xlsx(content: bytes, known_words: Collection[str]) -> Sheet:
    _refuse_bomb(content)
    try:
        book = load_workbook(io.BytesIO(content))
        tabs = [
            tab.name
            for tab in book.sheets_metadata
            if tab.visible == SheetVisibleEnum.Visible and tab.typ == SheetTypeEnum.WorkSheet
        ]
        tables = ((name, book.get_sheet_by_name(name)) for name in tabs)
        name, found = next(((name, tab) for name, tab in tables if tab.height), ("", None))
        if found is None:
            raise BrokenSheet(_("The workbook has no sheet with rows in it."))
        headers, rows, above = _table(_xlsx_rows(found), known_words)
    except PasswordError as problem:
        raise BrokenSheet(_("The workbook has a password. Save it without one.")) from problem
    except (CalamineError, OSError, ValueError) as problem:
        if isinstance(problem, BrokenSheet):
            raise
        raise BrokenSheet(_not_a_sheet()) from problem
    left_out = tuple(tab for tab in tabs if tab != name)
    return Sheet(headers, rows, tab=name, tabs_left_out=left_out, above=above)


def _xlsx_rows(tab: CalamineSheet) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    for number, row in enumerate(tab.iter_rows(), 1):
        yield number, tuple(_plain(cell) for cell in row)


def _plain(cell: object) -> Cell:
    """A cell as it was meant: Excel keeps every number, a phone included, as a float."""
    if isinstance(cell, float):
        number = Decimal(f"{cell:.15g}")
        return int(number) if number == number.to_integral_value() else number
    if isinstance(cell, str):
        return unquote_formula(cell.strip()) or None
    if isinstance(cell, time | timedelta):
        return str(cell)
    return cell if isinstance(cell, bool | int | date) else None


def _refuse_bomb(content: bytes) -> None:
    """Look before unpacking: how much is in there, and how far the cells spread.

    Sizes in a zip directory may lie, so every entry is unpacked piecewise and its sum checked;
    and two far cells make a reader lay out all the empty ones between them, which ends the whole
    process. The workbook itself says in which entry a sheet stands, so all of them are looked at.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if len(entries) > _MOST_ENTRIES or unpacked > min(
                _MOST_UNPACKED, max(len(content), 100_000) * _MOST_RATIO
            ):
                raise BrokenSheet(_too_large())
            if any(_path_of(entry) in _OTHER_BOOKS for entry in entries):
                raise BrokenSheet(_not_a_sheet())
            for entry in entries:
                _walk_entry(archive, entry)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as problem:
        raise BrokenSheet(_not_a_sheet()) from problem


def _path_of(entry: zipfile.ZipInfo) -> str:
    return entry.filename.replace("\\", "/").lstrip("/").casefold()


def _walk_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    spread, rest = _Spread(), b""
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            whole = _BLANKS.sub(b" ", rest + chunk)
            # The last tag may go on in the next chunk; one of a megabyte is none.
            end = max(whole.rfind(b"<"), len(whole) - _CHUNK)
            spread.look(whole[:end])
            rest = whole[end:]
    spread.look(rest)


@dataclass(slots=True)
class _Spread:
    """How far cells reach: by the places that they name, and by how many there are, for a cell
    or row that names no place stands behind the one before."""

    rows: int = 0
    cells: int = 0
    is_in_table: bool = False

    def look(self, xml: bytes) -> None:
        for column, digits in _PLACE.findall(xml):
            row = digits.lstrip(b"0")
            if len(row) > 5 and (len(row) > 6 or int(row) > MOST_ROWS + _HEADER_WITHIN):
                raise BrokenSheet(_too_many_rows())
            # GR is column 200.
            if len(column) > 2 or (len(column) == 2 and column.upper() > b"GR"):
                raise BrokenSheet(_too_many_columns())
        for name in _STEP.findall(xml):
            self._step(name)

    def _step(self, name: bytes) -> None:
        if name == b"c":
            self.cells += self.is_in_table
            if self.cells > MOST_COLUMNS:
                raise BrokenSheet(_too_many_columns())
            return
        self.is_in_table, self.cells = True, 0
        self.rows += name == b"row"
        if self.rows > MOST_ROWS + _HEADER_WITHIN:
            raise BrokenSheet(_too_many_rows())


def _table(
    numbered: Iterator[tuple[int, tuple[Cell, ...]]], known_words: Collection[str]
) -> tuple[tuple[str, ...], list[tuple[int, tuple[Cell, ...]]], tuple[str, ...]]:
    """Header, rows below it without blank ones, and what stands above it."""
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    for number, row in numbered:
        if any(cell not in (None, "") for cell in row):
            rows.append((number, row))
        if len(rows) > MOST_ROWS + _HEADER_WITHIN or number > _MOST_LINES:
            raise BrokenSheet(_too_many_rows())
    if not rows:
        raise BrokenSheet(_("The file is empty. Choose one with a header row and rows below it."))
    at = _header_at(rows, known_words)
    headers = tuple("" if cell is None else str(cell) for cell in rows[at][1])
    if len(headers) > MOST_COLUMNS:
        raise BrokenSheet(_too_many_columns())
    if len(rows) - at - 1 > MOST_ROWS:
        raise BrokenSheet(_too_many_rows())
    if len(rows) == at + 1:
        raise BrokenSheet(_("The file has a header but no rows below it."))
    above = tuple(
        " ".join(str(cell) for cell in row if cell not in (None, "")) for _number, row in rows[:at]
    )
    return headers, rows[at + 1 :], above


def _header_at(rows: Sequence[tuple[int, tuple[Cell, ...]]], known_words: Collection[str]) -> int:
    """The first row with two known names in it; else the first row at all."""
    for at, (_number, row) in enumerate(rows[:_HEADER_WITHIN]):
        if sum(fold(cell) in known_words for cell in row if isinstance(cell, str)) > 1:
            return at
    return 0


def _too_large() -> str:
    return _("The file is too large. Split it into files of at most %(rows)s rows.") % {
        "rows": f"{MOST_ROWS:,}"
    }


def _too_many_rows() -> str:
    return _(
        "The sheet reaches beyond %(rows)s rows. Split it, or delete the empty rows at its end."
    ) % {"rows": f"{MOST_ROWS:,}"}


def _too_many_columns() -> str:
    return _("The sheet reaches beyond %(columns)s columns. Delete those at its right end.") % {
        "columns": MOST_COLUMNS
    }


def _not_a_sheet() -> str:
    return _("This is no readable spreadsheet. Save it as .xlsx or “CSV UTF-8” and try again.")
