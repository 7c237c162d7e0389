"""Values out of a post from outside: what is taken, and what is refused with a sentence."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from kit.untrusted import Fields, Unreadable

TAIPEI = ZoneInfo("Asia/Taipei")


@pytest.mark.parametrize("value", [95, Decimal("95.00")])
def test_a_number_of_json_is_a_decimal(value: object) -> None:
    assert Fields({"amount": value}).number("amount") == Decimal(95)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-21 19:23:46", datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC)),
        ("2026-11-21 19:23:46.730", datetime(2026, 11, 21, 11, 23, 46, 730000, tzinfo=UTC)),
    ],
)
def test_a_clock_time_is_that_of_its_zone(written: str, at: datetime) -> None:
    assert Fields({"at": written}).local_instant("at", TAIPEI) == at


@pytest.mark.parametrize(
    ("given", "country"),
    [("HK", "HK"), ("tw", "TW"), ("HKG", ""), ("", ""), (None, ""), (852, ""), ("香港", "")],
)
def test_a_country_is_two_letters_or_nothing(given: object, country: str) -> None:
    assert Fields({"country": given}).country("country") == country


@pytest.mark.parametrize("value", [True, "95", None, [], 0.5])
def test_what_is_no_number_of_json_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(Unreadable, match=r"data\.x"):
        Fields({"x": value}, "data.").number("x")


@pytest.mark.parametrize(
    "value", ["2026-11-21T19:23:46", "2026-02-30 00:00:00", "0001-01-01 00:00:00", 1, None]
)
def test_what_is_no_clock_time_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(Unreadable, match=r"data\.x"):
        Fields({"x": value}, "data.").local_instant("x", TAIPEI)
