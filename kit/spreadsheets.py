"""Spreadsheet files as import-export sees them: one way in, two safe ways out.

A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet program, and members
choose their own names. So text never becomes a formula on its way out, and the quote that keeps
it text is taken off on its way in. Where semicolons or tabs separate the cells, as they do for a
program set to German, a cell of ours is several: none of them may begin like that either.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _
from import_export.formats.base_formats import Format

# Full-width forms too, which programs in East Asia fold; blanks in front do not protect.
_FORMULA: Final = re.compile(r"[\s\x00]*[=+\-@＝＋－＠\t\r\n]")
_QUOTED_FORMULA: Final = re.compile(r"'[\s\x00]*[=+\-@＝＋－＠\t\r\n]")
# Quotation marks too, which would enclose the cell that a separator begins.
_INNER_FORMULA: Final = re.compile(r"([;\t\r\n][\s\x00\"]*)(?=[=+\-@＝＋－＠])")
_QUOTED_INNER_FORMULA: Final = re.compile(r"([;\t\r\n][\s\x00\"]*)'(?=[=+\-@＝＋－＠])")
_LARGEST_EXACT: Final = 10**15  # Spreadsheet programs keep 15 digits of a number.
_EPOCH: Final = 1900  # Excel knows no earlier day.
_WIDEST: Final = 32_767  # Characters that a cell of Excel holds.


def quote_formula(text: str) -> str:
    """`text` so that a spreadsheet program shows it and does not run it."""
    inside = _INNER_FORMULA.sub(r"\1'", text)
    return f"'{inside}" if _FORMULA.match(text) else inside


def unquote_formula(text: str) -> str:
    """The opposite of quote_formula, for a file that comes back to us."""
    begin = text[1:] if _QUOTED_FORMULA.match(text) else text
    return _QUOTED_INNER_FORMULA.sub(r"\1", begin)


def write_csv(headers: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """CSV with a byte order mark, by which Excel knows UTF-8."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow([_csv_cell(header) for header in headers])
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def write_xlsx(headers: Sequence[Any], rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.BytesIO()
    options = {
        "constant_memory": True,
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for column, header in enumerate(headers):
            sheet.write_string(0, column, force_str(header)[:_WIDEST], bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                _write_cell(sheet, (number, column), cell, (day, instant))
    return out.getvalue()


def _write_cell(sheet: Any, place: tuple[int, int], cell: Any, formats: tuple[Any, Any]) -> None:
    if cell is None or cell == "":
        return
    if isinstance(cell, bool):
        sheet.write_boolean(*place, cell)
    elif isinstance(cell, int | float | Decimal) and -_LARGEST_EXACT < cell < _LARGEST_EXACT:
        sheet.write_number(*place, cell)
    elif isinstance(cell, datetime) and cell.year > _EPOCH:
        sheet.write_datetime(*place, _wall_clock(cell), formats[1])
    elif isinstance(cell, date) and cell.year > _EPOCH:
        sheet.write_datetime(*place, cell, formats[0])
    else:
        sheet.write_string(*place, force_str(cell)[:_WIDEST])


def _csv_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return _wall_clock(cell).isoformat(" ", "seconds")
    if isinstance(cell, int | float | Decimal):
        return str(cell)
    return quote_formula(force_str(cell))


def _wall_clock(instant: datetime) -> datetime:
    """The time on the wall where the reader sits: cells of a spreadsheet know no zone."""
    return timezone.make_naive(instant) if timezone.is_aware(instant) else instant


class SafeCSV(Format):  # type: ignore[misc]
    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> str:
        return "CSV"

    def export_data(self, dataset: Any, **_options: Any) -> str:
        return write_csv(dataset.headers or [], dataset)

    def is_binary(self) -> bool:
        return False

    def get_extension(self) -> str:
        return "csv"

    def get_content_type(self) -> str:
        return "text/csv; charset=utf-8"

    def can_export(self) -> bool:
        return True


class SafeXLSX(Format):  # type: ignore[misc]
    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> str:
        return "XLSX (Excel)"

    def export_data(self, dataset: Any, **_options: Any) -> bytes:
        return write_xlsx(dataset.headers or [], dataset)

    def get_extension(self) -> str:
        return "xlsx"

    def get_content_type(self) -> str:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def can_export(self) -> bool:
        return True


class AnySheet(Format):  # type: ignore[misc]
    """CSV or XLSX, told apart by the bytes. It hands them on: reading them takes the choices that
    were made on the form, so the sheet itself does it (kit.spreadsheet_import)."""

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> Any:
        return _("CSV or Excel (.xlsx)")

    def create_dataset(self, in_stream: bytes) -> bytes:
        return in_stream

    def can_import(self) -> bool:
        return True
