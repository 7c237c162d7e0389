"""Importing a sheet: a resource declares its columns once; rows are read, checked and written in
sets; everything that is wrong with a row is said at once; all of it is one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Final, cast

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource
from import_export.results import Error, InvalidRow, Result, RowResult

from kit.scope import Scope, scope_of
from kit.spreadsheet_cells import Read, UnreadableCell, text_of
from kit.spreadsheet_reading import BrokenSheet, Cell, Sheet, fold, read_sheet
from kit.work import hold_keys

NEW: Final = RowResult.IMPORT_TYPE_NEW
CHANGED: Final = RowResult.IMPORT_TYPE_UPDATE
SAME: Final = RowResult.IMPORT_TYPE_SKIP
INVALID: Final = RowResult.IMPORT_TYPE_INVALID
MOST_SHOWN: Final = 200


class Column(Field):  # type: ignore[misc]
    """A column of a sheet. Its label heads the template; its aliases are what others call it."""

    def __init__(
        self,
        label: Any,
        *,
        read: Read,
        aliases: str = "",
        help_text: Any = "",
        example: str = "",
    ) -> None:
        super().__init__(column_name=label)
        self.read = read
        self.aliases = tuple(alias.strip() for alias in aliases.split("|") if alias.strip())
        self.help_text = help_text
        self.example = example

    @property
    def label(self) -> str:
        return str(self.column_name)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every folded name by which the column is known, its label in each language included."""
        names = list(self.aliases)
        for code, _name in settings.LANGUAGES:
            with translation.override(code):
                names.append(str(self.column_name))
        return frozenset(fold(name) for name in names)


@dataclass(slots=True)
class Row:
    """A row on its way: what it says, what is wrong with it, and what it would do."""

    number: int
    cells: dict[str, str]
    values: dict[str, Any]
    errors: dict[str, list[str]] = field(default_factory=dict)
    outcome: str = NEW
    changes: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def refuse(self, sentence: str, column: str = NON_FIELD_ERRORS) -> None:
        sentences = self.errors.setdefault(column, [])
        if sentence not in sentences:
            sentences.append(sentence)


class SheetResult(Result):  # type: ignore[misc]
    """import-export's result, with the first rows only and the figures of all."""

    def __init__(self) -> None:
        super().__init__()
        self.summary: list[tuple[Any, Any]] = []
        self.notes: list[str] = []
        self.is_lenient = False

    @property
    def written(self) -> int:
        return int(self.totals[NEW]) + int(self.totals[CHANGED])

    @property
    def unshown(self) -> int:
        return max(0, int(self.total_rows) - int(self.totals[INVALID]) - len(self.rows))

    @property
    def unshown_invalid(self) -> int:
        return int(self.totals[INVALID]) - len(self.invalid_rows)

    def has_validation_errors(self) -> bool:
        """Whether they stand in the way: not if who uploads wants such rows left out."""
        return bool(self.invalid_rows) and not (self.is_lenient and self.written)


class SheetResource(Resource):  # type: ignore[misc]
    """What a kind of sheet contains. A subclass declares Columns and says how to check and write.

    `needed` lists groups of column names: of each group one must be in the file.
    """

    needed: ClassVar[Sequence[Collection[str]]] = ()
    lock: ClassVar[str] = ""  # Two uploads of one kind take turns.

    def __init__(
        self,
        *,
        choices: Mapping[str, Any] | None = None,
        user: Any = None,
        now: datetime | None = None,
        **_kwargs: Any,
    ) -> None:
        super().__init__()
        self.choices = choices or {}
        self.user = user
        self._now = now

    @classmethod
    def get_display_name(cls) -> str:
        return cls.__name__  # Asked for, but shown only where there is a choice of resources.

    @property
    def now(self) -> datetime:
        return cast("datetime", self._now)  # Whoever imports is an edge and has given it.

    @property
    def scope(self) -> Scope:
        return Scope(sees_everything=True) if self.user is None else scope_of(self.user)

    def check(self, rows: list[Row]) -> None:
        """Refuse what cannot be, and set what each row would do; it only reads the database."""
        raise NotImplementedError

    def write(self, rows: list[Row]) -> None:
        """Write `rows`, all of them good and news."""
        raise NotImplementedError

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        """Add figures and notes of this kind of sheet to the preview."""

    def import_data(self, dataset: bytes, *, dry_run: bool = False, **_kwargs: Any) -> SheetResult:
        result = SheetResult()
        result.is_lenient = bool(self.choices.get("skips_invalid"))
        try:
            sheet = read_sheet(
                dataset,
                known_words=frozenset[str]().union(*(c.words for c in self.fields.values())),
                encoding=self.choices.get("encoding", ""),
            )
            places = self.match_headers(sheet)
        except BrokenSheet as problem:
            result.append_base_error(Error(problem))
            return result
        width = len(sheet.headers)
        rows = [self._read_row(number, cells[:width], places) for number, cells in sheet.rows]
        for row, (_number, cells) in zip(rows, sheet.rows, strict=True):
            if len(cells) > width:
                row.refuse(_too_wide())
        with transaction.atomic():
            if not dry_run and self.lock:
                hold_keys([self.lock])
            self.check(rows)
            self._report(rows, result, sheet, places)
            if not dry_run and not result.has_validation_errors():
                self.write([r for r in rows if not r.errors and r.outcome in {NEW, CHANGED}])
        return result

    def match_headers(self, sheet: Sheet) -> dict[str, int]:
        """Where each column stands; raises BrokenSheet where one is missing or there twice."""
        places: dict[str, int] = {}
        for place, header in enumerate(sheet.headers):
            word = fold(header)
            name = next((n for n, column in self.fields.items() if word in column.words), None)
            if name is None:
                continue
            if name in places:
                raise BrokenSheet(
                    _("Two columns mean “%(column)s”: “%(first)s” and “%(second)s”. Delete one.")
                    % {
                        "column": self.fields[name].label,
                        "first": sheet.headers[places[name]],
                        "second": header,
                    }
                )
            places[name] = place
        missing = [group for group in self.needed if not places.keys() & set(group)]
        if missing:
            raise BrokenSheet(self._missing(missing, sheet))
        return places

    def _missing(self, missing: Sequence[Collection[str]], sheet: Sheet) -> str:
        wanted = [
            " / ".join(column.label for name, column in self.fields.items() if name in group)
            for group in missing
        ]
        found = ", ".join(header for header in sheet.headers if header)[:200]
        return _(
            "These columns are missing: %(missing)s. The first row must name the columns; the"
            " file has: %(found)s. Start from the template on this page."
        ) % {"missing": "; ".join(wanted), "found": found or "-"}

    def _read_row(self, number: int, cells: tuple[Cell, ...], places: dict[str, int]) -> Row:
        row = Row(number, cells={}, values={})
        for name, place in places.items():
            cell = cells[place] if place < len(cells) else None
            row.cells[name] = text_of(cell)
            if cell is None or cell == "":
                continue
            try:
                row.values[name] = self.fields[name].read(cell)
            except UnreadableCell as problem:
                row.refuse(str(problem), self.fields[name].label)
        return row

    def _report(
        self, rows: list[Row], result: SheetResult, sheet: Sheet, places: dict[str, int]
    ) -> None:
        result.diff_headers = [_("Row"), *(self.fields[name].label for name in places)]
        result.total_rows = len(rows)
        for row in rows:
            kind = INVALID if row.errors else row.outcome
            result.totals[kind] += 1
            shown = [row.number, *(row.changes.get(n, row.cells.get(n, "")) for n in places)]
            if row.errors and len(result.invalid_rows) < MOST_SHOWN:
                problem = ValidationError(row.errors)
                result.invalid_rows.append(InvalidRow(row.number, problem, shown[1:]))
            elif not row.errors and len(result.rows) < MOST_SHOWN:
                row_result = RowResult()
                row_result.import_type, row_result.diff = kind, shown
                result.rows.append(row_result)
        self._describe_file(result, sheet, places)
        self.summarise(rows, result)

    def _describe_file(self, result: SheetResult, sheet: Sheet, places: dict[str, int]) -> None:
        if sheet.encoding:
            result.summary.append((gettext_lazy("Encoding"), sheet.encoding))
        if sheet.tabs_left_out:
            result.notes.append(
                _("Only the sheet “%(tab)s” was read, not: %(others)s.")
                % {"tab": sheet.tab, "others": ", ".join(sheet.tabs_left_out)[:200]}
            )
        known = set(places.values())
        ignored = [h for place, h in enumerate(sheet.headers) if place not in known and h]
        if ignored:
            result.notes.append(
                _("These columns are not known and were left out: %(columns)s.")
                % {"columns": ", ".join(ignored)[:300]}
            )


def _too_wide() -> str:
    return _(
        "This row has more cells than the header: a comma inside a value needs quotation marks"
        " around the value."
    )


def in_scope(scope: Scope, *, store_id: int | None, region_id: int | None) -> bool:
    """Whether a row of that store or region is one's own."""
    return scope.sees_everything or store_id in scope.stores or region_id in scope.regions


def refuse_repeats(rows: Sequence[Row], key: Callable[[Row], Any], sentence: str) -> None:
    """Refuse each row whose key an earlier row has; `sentence` names it by %(row)s."""
    seen: dict[Any, int] = {}
    for row in rows:
        value = key(row)
        if value in (None, ""):
            continue
        first = seen.setdefault(value, row.number)
        if first != row.number:
            row.refuse(sentence % {"row": first})
