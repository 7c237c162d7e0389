from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.money import Money, exponent
from loyalty.rules.discounts import amount_off, percent_off


def money(amount: str, currency: str = "HKD") -> Money:
    return Money.parse(amount, currency)


@pytest.mark.parametrize(
    ("percent", "bill", "most", "off"),
    [
        ("10", "95.00", None, "9.50"),
        ("15", "95.03", None, "14.25"),  # 14.2545
        ("12.5", "0.20", None, "0.03"),  # 0.025: half a coin goes to the member
        ("10", "95.00", "5", "5.00"),
        ("100", "95.00", None, "95.00"),
        ("250", "95.00", None, "95.00"),
        ("0", "95.00", None, "0.00"),
    ],
)
def test_percent_is_capped_and_rounded_once(
    percent: str, bill: str, most: str | None, off: str
) -> None:
    cap = None if most is None else Decimal(most)

    discount = percent_off(Decimal(percent), bill=money(bill), most=cap)

    assert discount == money(off)


@pytest.mark.parametrize(
    ("currency", "bill", "off"),
    [("JPY", "1005", "151"), ("TWD", "1005", "151.00"), ("KWD", "10.055", "1.508")],
)
def test_a_discount_is_in_coins_that_people_have(currency: str, bill: str, off: str) -> None:
    discount = percent_off(Decimal(15), bill=money(bill, currency))

    assert discount == money(off, currency)
    assert str(discount.amount) == off


def test_an_amount_takes_no_more_than_the_bill() -> None:
    assert amount_off(Decimal(20), bill=money("15.50")) == money("15.50")
    assert amount_off(Decimal(20), bill=money("20.00")) == money("20.00")
    assert amount_off(Decimal(20), bill=money("240.00")) == money("20.00")


amounts = st.decimals(min_value=0, max_value=10**12, places=4)


@given(amounts, amounts, st.none() | amounts, st.sampled_from(["HKD", "TWD", "JPY", "KWD"]))
def test_no_discount_is_negative_or_above_the_bill(
    value: Decimal, amount: Decimal, most: Decimal | None, currency: str
) -> None:
    places = Decimal(1).scaleb(-exponent(currency))
    bill = Money(amount.quantize(places), currency)

    for discount in (amount_off(value, bill=bill), percent_off(value, bill=bill, most=most)):
        assert 0 <= discount.amount <= bill.amount
        assert discount.amount == discount.amount.quantize(places)
