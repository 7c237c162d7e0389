"""Files as people make them, and what becomes of them."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from kit.spreadsheet_import import SheetResource, SheetResult
from tests.build import NOON


def csv_file(*rows: Sequence[Any], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_file(*rows: Sequence[Any], tabs: Sequence[str] = ()) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("Rows")
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(number, column, cell, day)
                else:
                    sheet.write(number, column, cell)
        for tab in tabs:
            book.add_worksheet(tab)
    return out.getvalue()


def upload(
    sheet: type[SheetResource],
    content: bytes,
    *,
    is_trial: bool = False,
    user: Any = None,
    now: datetime = NOON,
    **choices: Any,
) -> SheetResult:
    """Preview `content` (`is_trial`) or import it, as the admin would."""
    resource = sheet(choices=choices, user=user, now=now)
    return resource.import_data(content, dry_run=is_trial)


def totals(result: SheetResult) -> dict[str, int]:
    """Only what there is of new, update, skip and invalid."""
    return {kind: number for kind, number in result.totals.items() if number}


def problems(result: SheetResult) -> dict[int, dict[str, list[str]]]:
    """What is wrong, by row and column."""
    return {row.number: row.error_dict for row in result.invalid_rows}


def sentence(result: SheetResult) -> str:
    """Why the whole file cannot be read."""
    assert len(result.base_errors) == 1
    return str(result.base_errors[0].error)
