"""Reference rates in the form of the European Central Bank, crossed, and entered once."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit.outward import Answer, Outgoing
from loyalty.services.settle import settle_members
from payments.models import Rate, Transaction
from payments.services import fetched_rates
from payments.services.rates import enter_rate, rates_on
from payments.services.reference_rates import (
    UnreadableRates,
    cross,
    enter_reference_rates,
    read_reference_rates,
)
from payments.services.translate import translate_callbacks
from tests import build
from tests.build import NOON

URL = "https://rates.example/daily.xml"
FRIDAY = date(2026, 11, 20)


def daily(*days: tuple[str, dict[str, str]]) -> bytes:
    cubes = "".join(
        f"<Cube time='{day}'>"
        + "".join(f"<Cube currency='{code}' rate='{rate}'/>" for code, rate in rates.items())
        + "</Cube>"
        for day, rates in days
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
        ' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
        "<gesmes:subject>Reference rates</gesmes:subject>"
        f"<Cube>{cubes}</Cube></gesmes:Envelope>"
    ).encode()


FILE = daily(("2026-11-20", {"HKD": "9.0123", "USD": "1.1570", "JPY": "178.05", "ZZZ": "1"}))


def test_rates_are_crossed_into_the_programmes_currency() -> None:
    per_euro = read_reference_rates(FILE)[FRIDAY]

    assert cross(per_euro, into="HKD") == {
        "EUR": Decimal("9.0123000000"),
        "USD": Decimal("7.7893690579"),  # 9.0123 / 1.1570 = 7.78936905791…
        "JPY": Decimal("0.0506166807"),  # 9.0123 / 178.05 = 0.05061668070…
    }
    assert cross(per_euro, into="EUR")["HKD"] == Decimal("0.1109594665")
    assert cross(per_euro, into="TWD") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>Service unavailable</body></html>",
        b"not xml",
        FILE[:-20],
        daily(("2026-11-20", {"USD": "0"})),
        daily(("2026-11-20", {"USD": "-1"})),
        daily(("2026-11-20", {"USD": "NaN"})),
        daily(("2026-11-20", {"USD": "1,157"})),
        daily(("2026-13-20", {"USD": "1.1"})),
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + FILE.partition(b"?>")[2],
        b" " * 2_000_001,
    ],
)
def test_what_is_no_file_of_rates_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRates):
        read_reference_rates(content)


@pytest.mark.django_db
def test_a_rate_that_stands_stays_and_says_where_it_came_from() -> None:
    build.programme()
    mine, _ = enter_rate(
        currency="USD", valid_from=FRIDAY, rate=Decimal("7.8"), source="staff", now=NOON
    )

    first = enter_reference_rates(read_reference_rates(FILE), into="HKD", now=NOON)
    again = enter_reference_rates(read_reference_rates(FILE), into="HKD", now=NOON)

    assert (first.entered, first.kept, first.newest) == (2, 1, FRIDAY)
    assert (again.entered, again.kept) == (0, 3)
    assert Rate.objects.get(currency="USD") == mine
    assert Rate.objects.get(currency="EUR").source == "ECB 2026-11-20"


@pytest.mark.django_db
def test_a_weekend_takes_the_rate_of_friday() -> None:
    build.programme()
    enter_reference_rates(read_reference_rates(FILE), into="HKD", now=NOON)
    sunday = FRIDAY + timedelta(days=2)

    found = rates_on([("EUR", sunday), ("EUR", FRIDAY - timedelta(days=1))])

    assert {key: rate.valid_from for key, rate in found.items()} == {("EUR", sunday): FRIDAY}


@pytest.mark.django_db
def test_a_payment_that_waited_goes_on_with_the_fetched_rate(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXCHANGE_RATES_URL = URL
    asked: list[Outgoing] = []

    def fetch(outgoing: Outgoing, **_limits: Any) -> Answer:
        asked.append(outgoing)
        return Answer(200, {}, FILE)

    monkeypatch.setattr(fetched_rates, "fetch", fetch)
    build.programme()
    build.earning_rule()
    mei = build.member(wallet="w")
    build.send(build.payment("10.00", wallet="w", currency="EUR", ref="p1"))
    _drain()
    assert Transaction.objects.get().waiting_for == "rate:EUR:2026-11-21"

    fetched = fetched_rates.fetch_rates(now=NOON)
    _drain()

    assert fetched is not None
    assert (fetched.entered, fetched.resumed) == (3, 1)
    assert [call.url for call in asked] == [URL]
    row = Transaction.objects.select_related("rate").get()
    assert row.rate is not None
    assert (str(row.reporting_amount), row.rate.source) == ("90.1200", "ECB 2026-11-20")
    assert build.balance_of(mei) == 90


@pytest.mark.django_db
def test_nothing_is_fetched_until_the_settings_say_from_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetched_rates, "fetch", None)

    assert fetched_rates.fetch_rates(now=NOON) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "answer", [Answer(503, {}, FILE), Answer(200, {}, daily(("2026-11-20", {"USD": "1.1"})))]
)
def test_a_failed_fetch_enters_nothing_and_says_why(
    settings: Any, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    settings.EXCHANGE_RATES_URL = URL
    monkeypatch.setattr(fetched_rates, "fetch", lambda *_asked, **_limits: answer)
    build.programme()

    with pytest.raises(UnreadableRates):
        fetched_rates.fetch_rates(now=NOON)

    assert Rate.objects.count() == 0


def _drain() -> None:
    now = NOON + timedelta(days=3000)
    while translate_callbacks(now=now, limit=100) + settle_members(now=now, limit=100):
        pass
