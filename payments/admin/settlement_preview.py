"""The first rows of an uploaded table, for whoever says which of its columns is what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kit.masking import mask_payload
from kit.spreadsheet_cells import text_of
from kit.spreadsheet_reading import Cell, Sheet
from payments.statements.generic import guess

MOST_ROWS: Final = 5
MOST_COLUMNS: Final = 40
_LONGEST: Final = 40
# Where banks write who paid as well; in a platform's post these are of goods, and readable.
_FREE: Final = re.compile(
    r"account ?(no|number)|description|details|particulars|narrative"
    r"|摘要|說明|说明|帳號|賬號|账号",
    re.IGNORECASE,
)
# What a column is taken for says how much of its cells may be read: no amount is a phone number.
_HOLDS: Final = {"credit": "amount", "debit": "amount", "effect": "reference"}


@dataclass(frozen=True, slots=True)
class Preview:
    """Headers and cells as they are shown: masked, short, and not too many of them."""

    headers: list[str]
    rows: list[list[str]]
    columns: int  # In the file.

    @property
    def is_cut(self) -> bool:
        return self.columns > len(self.headers)

    @property
    def examples(self) -> dict[str, str]:
        """For each header the first cell that says something."""
        found: dict[str, str] = {}
        for place, header in enumerate(self.headers):
            cells = (row[place] for row in self.rows)
            found.setdefault(header, next(filter(None, cells), ""))
        return found


def preview_of(sheet: Sheet, remembered: Mapping[str, str]) -> Preview:
    """`remembered`: the header of each field, as it was chosen for the last file."""
    fields = {header: field for field, header in (guess(sheet.headers) | dict(remembered)).items()}
    headers = list(sheet.headers[:MOST_COLUMNS])
    keys = [_key(header, fields.get(header)) for header in headers]
    rows = [
        [
            _shown(cells[place] if place < len(cells) else None, key)
            for place, key in enumerate(keys)
        ]
        for _number, cells in sheet.rows[:MOST_ROWS]
    ]
    return Preview(headers, rows, len(sheet.headers))


def _key(header: str, field: str | None) -> str:
    """As what a column is masked; as free text where anybody's name may stand."""
    if field is not None:
        return _HOLDS.get(field, field)
    return "note" if _FREE.search(header) else header


def _shown(cell: Cell, key: str) -> str:
    text = str(mask_payload(cell if isinstance(cell, str) else text_of(cell), key=key))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
