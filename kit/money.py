"""Money: a Decimal amount in one ISO 4217 currency, at that currency's exponent."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Final

from babel import Locale
from babel.core import get_global
from babel.numbers import format_currency

from kit.said import Explained

# 15 digits before the point and 4 behind hold any amount that a platform may send us.
MAX_DIGITS: Final = 19
DECIMAL_PLACES: Final = 4
LARGEST: Final = Decimal(10) ** (MAX_DIGITS - DECIMAL_PLACES)
_LONGEST_SHOWN: Final = 40

# Where ISO 4217 and CLDR disagree, money on the wire follows ISO.
_ISO_EXPONENTS: Final = {"IQD": 3} | dict.fromkeys(
    (
        *("AFN", "ALL", "COP", "HUF", "IDR", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "PKR"),
        *("RSD", "SLL", "SOS", "SYP", "TWD", "YER"),
    ),
    2,
)

_LOCALES: Final = {"zh-hant": "zh_Hant_HK", "zh-hans": "zh_Hans_HK"}


class MoneyError(Explained, ValueError):
    """An amount or currency that cannot be money."""


class CurrencyMismatch(MoneyError):
    """Two currencies met in one sum."""


@cache
def known_currencies() -> frozenset[str]:
    """Every ISO 4217 code that CLDR knows, historic ones included."""
    return frozenset(Locale("en").currencies) - {"XXX", "XTS"}


@cache
def exponent(currency: str) -> int:
    """Decimal places of `currency` by ISO 4217; raises MoneyError for an unknown code."""
    if currency not in known_currencies():
        raise MoneyError("“%(value)s” is no currency.", value=_shown(currency))
    if currency in _ISO_EXPONENTS:
        return _ISO_EXPONENTS[currency]
    digits = get_global("currency_fractions")
    return int(digits.get(currency, digits["DEFAULT"])[0])


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`Money(Decimal("95.00"), "HKD")`; two currencies in one sum raise CurrencyMismatch."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, amount: str | int | Decimal, currency: str) -> "Money":
        """Money from a provider's figure in major units; raises MoneyError unless it is exact.

        NaN, infinity, more decimals than the currency has, and amounts beyond 10^15 are refused:
        a rounded payment is a wrong payment.
        """
        code = currency.upper()
        try:
            value = Decimal(amount)
        except (InvalidOperation, TypeError, ValueError) as problem:
            raise MoneyError("“%(value)s” is not an amount.", value=_shown(amount)) from problem
        if not value.is_finite() or abs(value) >= LARGEST:
            raise MoneyError("%(value)s is out of range.", value=_shown(amount))
        quantum = Decimal(1).scaleb(-exponent(code))
        if value != value.quantize(quantum):
            raise MoneyError(
                "%(value)s has more decimals than %(currency)s allows.",
                value=_shown(amount),
                currency=code,
            )
        return cls(value.quantize(quantum), code)

    @classmethod
    def from_minor(cls, amount: int, currency: str, *, places: int | None = None) -> "Money":
        """Money from whole minor units; `places` where the provider's differ from ISO's."""
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise MoneyError(
                "“%(value)s” is not a whole number of minor units.", value=_shown(amount)
            )
        code = currency.upper()
        scale = exponent(code) if places is None else places
        return cls.parse(Decimal(amount).scaleb(-scale), code)

    def __add__(self, other: "Money") -> "Money":
        self._must_match(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._must_match(other)
        return Money(self.amount - other.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._must_match(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._must_match(other)
        return self.amount <= other.amount

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,}"

    def convert(self, rate: Decimal, currency: str) -> "Money":
        """This money in another currency; rounded once, half up, at that currency's exponent."""
        quantum = Decimal(1).scaleb(-exponent(currency))
        return Money((self.amount * rate).quantize(quantum, ROUND_HALF_UP), currency)

    def display(self, language: str) -> str:
        """As a reader of `language` writes it: `HK$95.00`, `NT$1,280.00`.

        In Hong Kong's form, where several dollars stand side by side and each says whose it is.
        """
        return format_currency(self.amount, self.currency, locale=_LOCALES.get(language, "en_HK"))

    def _must_match(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(
                "%(one)s and %(other)s cannot be added up.",
                one=self.currency,
                other=other.currency,
            )


def _shown(given: object) -> str:
    """What was given as staff may read it and a database can hold it: short, and printable."""
    return "".join(
        sign if sign.isprintable() else "\ufffd" for sign in str(given)[:_LONGEST_SHOWN]
    )
