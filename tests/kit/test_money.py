from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.money import CurrencyMismatch, Money, MoneyError, exponent


@pytest.mark.parametrize(
    ("currency", "places"),
    [("HKD", 2), ("CNY", 2), ("TWD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("RSD", 2)],
)
def test_exponents_are_those_of_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("NaN", "HKD"),
        ("Infinity", "HKD"),
        ("1e30", "HKD"),
        ("1,000.00", "HKD"),
        ("", "HKD"),
        (None, "HKD"),
        ("1.005", "HKD"),
        ("1.5", "JPY"),
        ("1", "ZZZ"),
        ("1", ""),
    ],
)
def test_what_is_not_exactly_money_is_refused(amount: Any, currency: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (Decimal("88.005"), "TWD", "88.005 has more decimals than TWD allows."),
        (Decimal("NaN"), "HKD", "NaN is out of range."),
        ("1,000", "HKD", "“1,000” is not an amount."),
        ("\x00\ud800", "HKD", "“\ufffd\ufffd” is not an amount."),
        ("9" * 60, "HKD", f"{'9' * 40} is out of range."),
        ("1", "ZZZ", "“ZZZ” is no currency."),
    ],
)
def test_staff_read_what_was_given_and_not_how_we_keep_it(
    amount: Any, currency: str, said: str
) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.parse(amount, currency)

    assert str(refused.value) == said


def test_minor_units_follow_the_provider_where_it_differs() -> None:
    assert Money.from_minor(12345, "HKD") == Money(Decimal("123.45"), "HKD")
    assert Money.from_minor(500, "ISK", places=2) == Money(Decimal(5), "ISK")
    with pytest.raises(MoneyError):
        Money.from_minor(True, "HKD")


def test_two_currencies_never_meet() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(Decimal(1), "HKD") + Money(Decimal(1), "TWD")
    with pytest.raises(CurrencyMismatch):
        assert Money(Decimal(1), "HKD") < Money(Decimal(1), "TWD")


def test_conversion_rounds_once_half_up() -> None:
    assert Money(Decimal("0.50"), "HKD").convert(Decimal("0.01"), "HKD").amount == Decimal("0.01")


@given(st.decimals(-(10**9), 10**9, places=2), st.decimals(-(10**9), 10**9, places=2))
def test_adding_and_taking_away_are_exact(a: Decimal, b: Decimal) -> None:
    assert Money(a, "HKD") + Money(b, "HKD") - Money(b, "HKD") == Money(a, "HKD")


@pytest.mark.parametrize("language", ["en", "zh-hant", "zh-hans"])
def test_every_dollar_says_whose_it_is(language: str) -> None:
    shown = {Money(Decimal(5), currency).display(language) for currency in ("HKD", "TWD", "USD")}

    assert shown == {"HK$5.00", "NT$5.00", "US$5.00"}
