"""The value of a rule: typed while we compute, plain JSON while it is stored."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from django.utils.translation import gettext as _

from kit.conditions.errors import WrongValueError
from kit.conditions.fields import Field, Kind, Operator, Shape, shape_of
from kit.money import LARGEST, Money, MoneyError

# Text, number, Money, date, whether, days, or a tuple of them: the kind and operator decide.
Value: TypeAlias = Any

FIRST_DAY: Final = dt.date(1900, 1, 1)
LAST_DAY: Final = dt.date(2999, 12, 31)
MAX_DAYS: Final = 36_500
MAX_DAYS_OF_YEAR: Final = 366
MAX_TEXT: Final = 200
MAX_CHOICES: Final = 500
MAX_PLACES: Final = 6


def read_value(field: Field, operator: Operator, raw: Any) -> Value:
    """The typed value of a rule; raises WrongValueError."""
    match shape_of(operator):
        case Shape.NOTHING:
            return None
        case Shape.DAYS:
            return _read_days(field, raw)
        case Shape.MANY if field.kind is Kind.ANNIVERSARY:
            return _read_months(raw)
        case Shape.MANY:
            return _read_choices(field, raw)
        case Shape.PAIR:
            return _read_pair(field, raw)
    return _read_one(field, raw)


def write_value(value: Value) -> Any:
    """The same value as JSON; amounts as text, because JSON has no decimals."""
    match value:
        case Money():
            return {"amount": str(value.amount), "currency": value.currency}
        case Decimal():
            return f"{value:f}"
        case dt.date():
            return value.isoformat()
        case tuple():
            return [write_value(part) for part in value]
    return value


def _read_one(field: Field, raw: Any) -> Value:
    match field.kind:
        case Kind.NUMBER:
            return _read_number(field, raw)
        case Kind.MONEY:
            return _read_money(field, raw)
        case Kind.DATE | Kind.INSTANT:
            return _read_date(field, raw)
        case Kind.BOOLEAN if isinstance(raw, bool):
            return raw
        case Kind.BOOLEAN:
            raise WrongValueError(_("Choose yes or no for “%(field)s”.") % {"field": field.label})
    return _read_text(field, raw)


def _read_pair(field: Field, raw: Any) -> tuple[Value, Value]:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) != 2:
        raise WrongValueError(_("Enter both ends for “%(field)s”.") % {"field": field.label})
    low, high = (_read_one(field, end) for end in raw)
    if field.kind is Kind.MONEY and low.currency != high.currency:
        raise WrongValueError(
            _("Use one currency for both ends of “%(field)s”.") % {"field": field.label}
        )
    if high < low:
        raise WrongValueError(
            _("The first value for “%(field)s” is above the second. Swap them.")
            % {"field": field.label}
        )
    return low, high


def _read_number(field: Field, raw: Any) -> Decimal:
    value = _decimal(raw)
    if value is None:
        raise WrongValueError(_("Enter a number for “%(field)s”.") % {"field": field.label})
    exponent = value.as_tuple().exponent
    if abs(value) >= LARGEST or not isinstance(exponent, int) or exponent < -MAX_PLACES:
        raise WrongValueError(
            _("The number for “%(field)s” has too many digits. Enter a shorter one.")
            % {"field": field.label}
        )
    return value


def _decimal(raw: Any) -> Decimal | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        return None
    try:
        value = Decimal(str(raw).strip())
    except (InvalidOperation, ValueError):
        return None
    if not value.is_finite():
        return None
    # Without trailing zeros there is one way to write a number, so equal trees are equal JSON.
    whole = abs(value) < LARGEST and value == value.to_integral_value()
    return value.quantize(Decimal(1)) + 0 if whole else value.normalize()


def _read_money(field: Field, raw: Any) -> Money:
    amount = _decimal(raw.get("amount")) if isinstance(raw, Mapping) else None
    if amount is None:
        raise WrongValueError(_("Enter an amount for “%(field)s”.") % {"field": field.label})
    try:
        return Money.parse(amount, str(raw.get("currency", "")))
    except (MoneyError, InvalidOperation) as problem:
        raise WrongValueError(
            _(
                "Enter an amount and currency for “%(field)s”, with no more decimals than the"
                " currency has."
            )
            % {"field": field.label}
        ) from problem


def _read_date(field: Field, raw: Any) -> dt.date:
    try:
        value = dt.date.fromisoformat(raw)
    except (TypeError, ValueError) as problem:
        raise WrongValueError(
            _("Enter a date for “%(field)s”.") % {"field": field.label}
        ) from problem
    if not FIRST_DAY <= value <= LAST_DAY:
        raise WrongValueError(
            _("Enter a date between 1900 and 2999 for “%(field)s”.") % {"field": field.label}
        )
    return value


def _read_days(field: Field, raw: Any) -> int:
    most = MAX_DAYS_OF_YEAR if field.kind is Kind.ANNIVERSARY else MAX_DAYS
    value = _decimal(raw)
    if value is None or value != value.to_integral_value() or not 0 <= value <= most:
        raise WrongValueError(
            _("Enter a whole number of days from 0 to %(most)d for “%(field)s”.")
            % {"most": most, "field": field.label}
        )
    return int(value)


def _read_months(raw: Any) -> tuple[int, ...]:
    try:
        months = {int(month) for month in raw} if isinstance(raw, Sequence) else set()
    except (TypeError, ValueError):
        months = set()
    if not months or not months <= set(range(1, 13)):
        raise WrongValueError(_("Choose at least one month."))
    return tuple(sorted(months))


def _read_choices(field: Field, raw: Any) -> tuple[str, ...]:
    if (
        not isinstance(raw, Sequence)
        or isinstance(raw, str)
        or not raw
        or not all(isinstance(choice, str | int) and str(choice) for choice in raw)
    ):
        raise WrongValueError(_("Choose at least one for “%(field)s”.") % {"field": field.label})
    if len(raw) > MAX_CHOICES:
        raise WrongValueError(
            _("Choose at most %(most)d for “%(field)s”.")
            % {"most": MAX_CHOICES, "field": field.label}
        )
    return tuple(dict.fromkeys(_read_text(field, str(choice)) for choice in raw))


def _read_text(field: Field, raw: Any) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    # The database can store neither NUL nor half a surrogate pair; nobody types them.
    if not text or not text.isprintable():
        raise WrongValueError(_("Enter a text for “%(field)s”.") % {"field": field.label})
    if len(text) > MAX_TEXT:
        raise WrongValueError(
            _("The text for “%(field)s” is too long: %(most)d characters fit.")
            % {"field": field.label, "most": MAX_TEXT}
        )
    return text
