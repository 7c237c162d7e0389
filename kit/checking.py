"""Checks of what staff type into settings, for the `clean` of models."""

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from kit.money import known_currencies

_NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


def check_columns(row: models.Model, **checks: Callable[[str], None]) -> None:
    """Run a check on each named column; raises one ValidationError that names all that fail."""
    problems = {}
    for name, check in checks.items():
        try:
            check(getattr(row, name))
        except ValidationError as problem:
            problems[name] = problem
    if problems:
        raise ValidationError(problems)


def check_currency(code: str) -> None:
    if code not in known_currencies():
        raise ValidationError(
            _("“%(value)s” is not a currency. Write its three letters, as in HKD."),
            params={"value": code},
        )


def check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError) as problem:
        raise ValidationError(
            _("“%(value)s” is not a time zone. Write it as in Asia/Hong_Kong."),
            params={"value": name},
        ) from problem


@cache
def known_countries() -> frozenset[str]:
    """Every ISO 3166-1 alpha-2 code that CLDR knows."""
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - _NO_COUNTRIES


def check_country(code: str) -> None:
    """An empty one is not known, and that is fine."""
    if code and code not in known_countries():
        raise ValidationError(
            _("“%(value)s” is not a country. Write its two letters, as in HK."),
            params={"value": code},
        )
