"""Checks of what staff type into settings, for the `clean` of models."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from kit.money import known_currencies


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
