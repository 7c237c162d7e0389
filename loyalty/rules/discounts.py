"""What a coupon takes off: the arithmetic, with nothing around it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from babel.core import get_global

from kit.money import Money, exponent

ALL: Final = Decimal(100)


def amount_off(value: Decimal, *, bill: Money) -> Money:
    """A fixed `value` in the currency of the bill, never more than the bill."""
    return Money(min(to_coin(value, bill.currency), bill.amount), bill.currency)


def percent_off(percent: Decimal, *, bill: Money, most: Decimal | None = None) -> Money:
    """`percent` of the bill, at most `most`, never more than the bill.

    Rounded once, at the end, to the nearest coin: of half a coin the member has the benefit.
    """
    exact = bill.amount * min(percent, ALL) / ALL
    capped = exact if most is None else min(exact, most)
    if capped == bill.amount:
        return bill
    return Money(min(to_coin(capped, bill.currency), bill.amount), bill.currency)


def to_coin(amount: Decimal, currency: str) -> Decimal:
    """`amount` in what people can pay: ISO knows cents of a Taiwan dollar, no purse does."""
    digits = get_global("currency_fractions")
    cash_places = int(digits.get(currency, digits["DEFAULT"])[2])
    places = exponent(currency)
    coin = Decimal(1).scaleb(-min(cash_places, places))
    return amount.quantize(coin, ROUND_HALF_UP).quantize(Decimal(1).scaleb(-places))
