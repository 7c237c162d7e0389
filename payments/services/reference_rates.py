"""Reference rates as the European Central Bank publishes them: read, crossed and entered.

Its file says how much one euro is worth, once for each working day. The programme counts in
another currency, so both sides are crossed: HKD for one TWD = HKD for one EUR / TWD for one EUR,
rounded once, half up, at the ten places that a rate is kept with.

Of a day without a file, such as a weekend, the newest rate before it holds (`rates_on`). A rate
that stands already, whoever entered it, stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Final
from xml.parsers import expat

from django.utils.translation import gettext as _

from kit.money import known_currencies
from payments.models import Rate
from payments.services.rates import RateTaken, enter_rate

EURO: Final = "EUR"
SOURCE: Final = "ECB"
LARGEST: Final = 2_000_000
RATE_ROUNDING: Final = ROUND_HALF_UP
_PLACES: Final = Decimal(1).scaleb(-10)
_MOST_DAYS: Final = 100  # The file of 90 days, with room.


class UnreadableRates(ValueError):
    """The sentence says what is wrong with the file."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What a file brought: new rates, those that stood already, and what went on because of it."""

    newest: date
    entered: int
    kept: int
    resumed: int


def read_reference_rates(content: bytes) -> dict[date, dict[str, Decimal]]:
    """Units of each currency for one euro, by day; raises UnreadableRates."""
    if len(content) > LARGEST:
        raise UnreadableRates(_("The file is larger than any file of rates."))
    reader = _Reader()
    try:
        reader.read(content)
    except (expat.ExpatError, InvalidOperation, ValueError) as problem:
        words = _("This is not a file of reference rates: %(problem)s")
        raise UnreadableRates(words % {"problem": problem}) from problem
    if not any(reader.days.values()):
        raise UnreadableRates(_("The file names no rates."))
    return reader.days


def cross(per_euro: Mapping[str, Decimal], *, into: str) -> dict[str, Decimal]:
    """What one unit of each currency is worth in `into`; nothing if `into` is not in the file."""
    known = {EURO: Decimal(1), **per_euro}
    if into not in known:
        return {}
    with localcontext(prec=50):
        crossed = {
            currency: (known[into] / rate).quantize(_PLACES, RATE_ROUNDING)
            for currency, rate in known.items()
            if currency != into
        }
    return {currency: rate for currency, rate in crossed.items() if rate > 0}


def enter_reference_rates(
    days: Mapping[date, Mapping[str, Decimal]], *, into: str, now: datetime
) -> Entered:
    """Enter what is new of `days`; raises UnreadableRates if the programme's currency is not in
    the file. Payments that waited for one of the rates go on."""
    if not any(cross(per_euro, into=into) for per_euro in days.values()):
        words = _("The file has no rate of %(currency)s, the programme's own currency.")
        raise UnreadableRates(words % {"currency": into})
    told = Rate.objects.filter(quote_currency=into, valid_from__in=days)
    standing = set(told.values_list("currency", "valid_from"))
    entered = kept = resumed = 0
    for day in sorted(days):
        for currency, rate in sorted(cross(days[day], into=into).items()):
            if (currency, day) in standing:
                kept += 1
                continue
            try:
                _row, released = enter_rate(
                    currency=currency,
                    into=into,
                    valid_from=day,
                    rate=rate,
                    source=f"{SOURCE} {day.isoformat()}",
                    now=now,
                )
            except RateTaken:  # Somebody entered it in this moment.
                kept += 1
            else:
                entered += 1
                resumed += released
    return Entered(newest=max(days), entered=entered, kept=kept, resumed=resumed)


class _Reader:
    """`<Cube time="…"><Cube currency="…" rate="…"/></Cube>`, and nothing that XML can do beside:
    no document type, so neither entities nor anything from elsewhere."""

    def __init__(self) -> None:
        self.days: dict[date, dict[str, Decimal]] = {}
        self._day: date | None = None

    def read(self, content: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.Parse(content, True)  # noqa: FBT003 - whether it is the whole file

    def _refuse(self, *_declared: object) -> None:
        raise ValueError(_("it declares a document type."))

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "Cube":
            return
        if "time" in attributes:
            self._day = date.fromisoformat(attributes["time"])
            self.days.setdefault(self._day, {})
            if len(self.days) > _MOST_DAYS:
                raise ValueError(_("it has more days than any file of rates."))
        if "currency" in attributes and self._day is not None:
            self._note(self._day, attributes["currency"], Decimal(attributes.get("rate", "")))

    def _note(self, day: date, currency: str, rate: Decimal) -> None:
        if not rate.is_finite() or rate <= 0:
            words = _("the rate of %(currency)s is %(rate)s.")
            raise ValueError(words % {"currency": currency[:20], "rate": rate})
        if currency in known_currencies():
            self.days[day][currency] = rate
