"""How the member page writes days, amounts, whole numbers and codes."""

from datetime import datetime, timedelta
from typing import Final

import segno
from babel.dates import format_date
from django import template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from kit.money import Money

register = template.Library()

_LOCALES: Final = {"en": "en_GB", "zh-hant": "zh_Hant", "zh-hans": "zh_Hans"}


@register.filter
def day(instant: datetime) -> str:
    """The day of `instant` in the zone and language that are active."""
    locale = _LOCALES[get_language() or "en"]
    return format_date(timezone.localtime(instant), "medium", locale=locale)


@register.filter
def last_day(end: datetime) -> str:
    """The last day before `end`, which itself no longer belongs to the interval."""
    return day(end - timedelta(microseconds=1))


@register.filter
def iso_day(instant: datetime) -> str:
    return timezone.localtime(instant).date().isoformat()


@register.filter
def money(amount: Money) -> str:
    return amount.display(get_language() or "en")


@register.filter
def whole(number: int) -> str:
    return f"{number:,}".replace("-", "\N{MINUS SIGN}")


@register.filter
def signed(number: int) -> str:
    return f"{number:+,}".replace("-", "\N{MINUS SIGN}")


@register.filter
def spaced(code: str) -> str:
    """Groups of four, as people read codes out; `normal_code` takes the spaces away again."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


@register.filter
def qr(code: str) -> SafeString:
    """An inline SVG of modules only: nothing of `code` stands in it as text."""
    drawn = segno.make_qr(code, error="m").svg_inline(border=4, omitsize=True)
    return SafeString(drawn)
