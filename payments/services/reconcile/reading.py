"""From the bytes of a file to a statement, in the format that its header tells."""

import re
from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from kit.spreadsheet_encoding import UndecodableText, decode
from kit.spreadsheet_reading import BrokenSheet, Sheet, fold, read_sheet
from members.models import Programme
from payments.models import Account, StatementMapping
from payments.statements import all_formats
from payments.statements.base import Format, Options, Statement

GENERIC: Final = "generic"
_ZIP: Final = b"PK\x03\x04"
_HEADER_WITHIN: Final = 15  # Lines among which the header is looked for.


def format_of(content: bytes, *, encoding: str = "") -> Format:
    """The format whose header the file has; the generic one if it has none of them."""
    above: list[str] = []
    for line in _first_lines(content, encoding):
        header = frozenset(fold(cell.lstrip("`")) for cell in re.split(r"[,;\t]", line))
        for form in all_formats().values():
            if form.recognises(header, above):
                return form
        above.append(line)
    return all_formats()[GENERIC]


def read_statement(content: bytes, form: Format, options: Options) -> Statement:
    """Raises BrokenSheet with a sentence that says what to do."""
    statement = form.read(content, options)
    if not statement.rows and statement.problems:
        number, sentence = statement.problems[0]
        raise BrokenSheet(
            _("No row of the file can be read. Row %(number)s: %(sentence)s")
            % {"number": number, "sentence": sentence}
        )
    return statement


def table_of(content: bytes, *, encoding: str = "") -> Sheet:
    """The file as it is, with its own names of its columns; raises BrokenSheet."""
    return read_sheet(content, known_words=all_formats()[GENERIC].words, encoding=encoding)


def options_of(account: Account, *, encoding: str = "") -> Options:
    """What is known of the account: its clock, its currency, and the columns last chosen."""
    region = account.store.region if account.store else None
    programme = Programme.current()
    mapping = StatementMapping.objects.filter(account=account).first()
    return Options(
        zone=region.zone if region else programme.zone,
        currency=region.currency if region else programme.currency,
        encoding=encoding,
        columns=mapping.columns if mapping else {},
        sign=mapping.sign if mapping else StatementMapping.Sign.MINUS,
        day_order=mapping.day_order if mapping else StatementMapping.DayOrder.YMD,
    )


def _first_lines(content: bytes, encoding: str) -> Sequence[str]:
    if content.startswith(_ZIP):
        sheet = read_sheet(content, known_words=_all_words())
        return [*sheet.above, ",".join(sheet.headers)]
    try:
        text, _used = decode(content, known_words=_all_words(), encoding=encoding)
    except UndecodableText as problem:
        raise BrokenSheet(
            _(
                "The text of this file cannot be read. Save it as “CSV UTF-8”, or choose its"
                " encoding on this page."
            )
        ) from problem
    return [
        line.replace('="', '"').replace('"', "") for line in text.splitlines()[:_HEADER_WITHIN]
    ]


def _all_words() -> frozenset[str]:
    return frozenset[str]().union(*(form.words for form in all_formats().values()))
