"""Reading what came from outside: whatever the bytes are, a clean value or one Unreadable."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, DecimalException
from typing import Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

from kit.money import Money
from kit.said import Explained

LONGEST_TEXT: Final = 100
MOST_FORM_FIELDS: Final = 200
LONGEST_CLUE: Final = 254  # An e-mail address may be that long (RFC 5321).
# Any merchant's payment lies between; a stamp outside is milliseconds taken for seconds, or worse.
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

# PostgreSQL stores neither NUL nor lone surrogates; other control characters garble a screen.
_UNSTORABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PLAIN_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_CLOCK_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


class Unreadable(Explained, ValueError):
    """A value that is missing or not what it must be; the sentence never quotes the value."""


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, with Decimal for fractions.

    Refuses what RFC 8259 leaves open and parsers therefore read in different ways: a key that
    occurs twice, NaN and Infinity, another encoding than UTF-8.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_duplicates,
        )
    except Unreadable:
        raise
    except (ValueError, DecimalException) as problem:
        raise Unreadable("The body is not JSON in UTF-8.") from problem
    except RecursionError as problem:
        raise Unreadable("The JSON is nested too deeply.") from problem
    if not isinstance(value, dict):
        raise Unreadable("The body is not a JSON object.")
    return value


def form_fields(body: bytes) -> dict[bytes, bytes]:
    """The URL-decoded fields of a form as bytes, for its charset may be anybody's.

    A field that occurs twice is refused: parsers differ in which of the two they take.
    """
    pairs = [pair.partition(b"=") for pair in body.split(b"&", MOST_FORM_FIELDS) if pair]
    if len(pairs) > MOST_FORM_FIELDS:
        raise Unreadable("The form has more than %(most)s fields.", most=MOST_FORM_FIELDS)
    form: dict[bytes, bytes] = {}
    for raw_name, _equals, raw_value in pairs:
        name = unquote_to_bytes(raw_name.replace(b"+", b" "))
        if name in form:
            raise Unreadable("A field occurs twice.")
        form[name] = unquote_to_bytes(raw_value.replace(b"+", b" "))
    return form


def clean_text(value: object, name: str, *, longest: int = LONGEST_TEXT) -> str:
    """`value` as one line that a database can hold; raises Unreadable, also for a blank one."""
    if value is None:
        raise Unreadable("%(field)s is missing.", field=name)
    if not isinstance(value, str):
        raise Unreadable("%(field)s is not text.", field=name)
    line = " ".join(value.split())
    if not line:
        raise Unreadable("%(field)s is blank.", field=name)
    if len(line) > longest:
        raise Unreadable("%(field)s is longer than %(most)s characters.", field=name, most=longest)
    if _UNSTORABLE.search(line):
        raise Unreadable("%(field)s contains control characters.", field=name)
    return line


def storable(text: str) -> str:
    """`text` as a database can hold it: in place of each character that it cannot, a mark."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_decimal(text: str, name: str) -> Decimal:
    """A number written as digits with at most one point: no sign, exponent, NaN or thousands."""
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise Unreadable('%(field)s is not a plain number such as "95.00".', field=name)
    return Decimal(text)


def positive(money: Money, name: str) -> Money:
    """`money` itself; raises Unreadable unless it is more than nothing."""
    if money.amount <= 0:
        raise Unreadable("%(field)s is not more than zero.", field=name)
    return money


def plausible(instant: datetime, name: str) -> datetime:
    """`instant` in UTC; raises Unreadable where no payment can lie."""
    try:
        at = instant.astimezone(UTC)
    except OverflowError as problem:
        raise Unreadable("%(field)s is out of range.", field=name) from problem
    if not EARLIEST <= at < LATEST:
        raise Unreadable("%(field)s is out of range.", field=name)
    return at


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object or form whose values are checked as they are taken out."""

    values: Mapping[str, Any]
    path: str = ""

    def has(self, name: str) -> bool:
        """Whether there is something in it: neither missing nor null nor empty."""
        return self.values.get(name) not in (None, "")

    def text(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        return clean_text(self.values.get(name), self.path + name, longest=longest)

    def text_or_blank(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        return self.text(name, longest=longest) if self.has(name) else ""

    def word(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        """Text where some senders write a whole number of JSON instead."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**LONGEST_TEXT else ""
        return clean_text(value, self.path + name, longest=longest)

    def hint(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        """The text in `name`, blank if it is unusable: money does not wait for a side remark."""
        if not self.has(name):
            return ""
        try:
            return self.text(name, longest=longest)
        except Unreadable:
            return ""

    def country(self, name: str) -> str:
        """A country of two letters, blank if there is none (ISO 3166-1 alpha-2)."""
        code = self.hint(name).upper()
        return code if _COUNTRY.fullmatch(code) else ""

    def whole_number(self, name: str) -> int:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unreadable("%(field)s is not a whole number.", field=self.path + name)
        return value

    def number(self, name: str) -> Decimal:
        """A number of JSON, whole or with decimals."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise Unreadable("%(field)s is not a number.", field=self.path + name)
        return Decimal(value)

    def decimal(self, name: str) -> Decimal:
        return plain_decimal(self.text(name), self.path + name)

    def unix_instant(self, name: str) -> datetime:
        """Seconds since 1970, as UTC."""
        try:
            instant = datetime.fromtimestamp(self.whole_number(name), UTC)
        except (OverflowError, OSError, ValueError) as problem:
            raise Unreadable(
                "%(field)s is not a time in seconds.", field=self.path + name
            ) from problem
        return plausible(instant, self.path + name)

    def instant(self, name: str) -> datetime:
        """ISO 8601 with an offset, as UTC: a time without one could be any of 26 hours."""
        text = self.text(name)
        if not _INSTANT.fullmatch(text):
            raise Unreadable(
                "%(field)s is not ISO 8601 with seconds and an offset.", field=self.path + name
            )
        try:
            instant = datetime.fromisoformat(text)
        except ValueError as problem:
            raise Unreadable(
                "%(field)s is not a time of the calendar.", field=self.path + name
            ) from problem
        return plausible(instant, self.path + name)

    def local_instant(self, name: str, zone: tzinfo) -> datetime:
        """`2026-11-21 19:23:46`, as the clocks of a zone show it, as UTC."""
        text = self.text(name)
        if not _CLOCK_TIME.fullmatch(text):
            raise Unreadable(
                "%(field)s is not a time such as 2026-11-21 19:23:46.", field=self.path + name
            )
        try:
            instant = datetime.fromisoformat(text).replace(tzinfo=zone)
        except ValueError as problem:
            raise Unreadable(
                "%(field)s is not a time of the calendar.", field=self.path + name
            ) from problem
        return plausible(instant, self.path + name)

    def inner(self, name: str) -> "Fields":
        """The object in `name`, empty if there is none: PHP writes an empty one as `[]`."""
        value = self.values.get(name)
        if value in (None, []):
            value = {}
        if not isinstance(value, dict):
            raise Unreadable("%(field)s is not an object.", field=self.path + name)
        return Fields(value, f"{self.path}{name}.")

    def items(self, name: str, *, most: int) -> list["Fields"]:
        """The objects listed in `name`, none if it is missing."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Unreadable("%(field)s is not a list of objects.", field=self.path + name)
        if len(value) > most:
            raise Unreadable(
                "%(field)s has more than %(most)s entries.", field=self.path + name, most=most
            )
        return [Fields(item, f"{self.path}{name}[{n}].") for n, item in enumerate(value)]


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable("%(value)s is not a JSON number.", value=name)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("A key occurs twice in one object.")
    return found
