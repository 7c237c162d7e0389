"""What staff may ask about a member's standing, and about the payment that is being judged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from babel import Locale
from django.utils.dates import WEEKDAYS
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from kit.checking import known_countries
from kit.conditions import Field, Kind, MoneyColumns, Registry
from kit.conditions.fields import Label
from kit.money import Money
from loyalty.models import Standing, Tier
from members.conditions import MEMBER, region_choices, store_choices
from members.models import Programme, Region, Store
from payments.models import Category, PaymentMethod, Product
from payments.rules.visitors import is_visitor

PAYMENT: Final = Registry("payment", label=_("Payment"), includes=[MEMBER])


def standing_facts(standing: Standing | None, *, currency: str) -> Mapping[str, Any]:
    """The facts that a member's standing adds; `tier` should be loaded already.

    `currency` is the programme's. Without a standing everything is unknown, as in a query.
    """
    if standing is None:
        names = ("tier", "balance", "spend_12m", "payments", "first_paid_at", "last_paid_at")
        return dict.fromkeys(names)
    return {
        "tier": standing.tier.code if standing.tier else None,
        "balance": standing.balance,
        "spend_12m": Money(standing.spend_12m, currency),
        "payments": standing.payments,
        "first_paid_at": standing.first_paid_at,
        "last_paid_at": standing.last_paid_at,
    }


@dataclass(frozen=True, slots=True)
class Origin:
    """Countries of who paid: of their home region, and of their wallet or card."""

    home_country: str = ""
    payer_country: str = ""


def payment_facts(  # noqa: PLR0913 - one for each field
    money: Money,
    *,
    shop_time: datetime,
    store: Store | None,
    method: str,
    is_first_payment: bool,
    categories: Collection[str],
    brands: Collection[str] = (),
    origin: Origin = Origin(),
) -> Mapping[str, Any]:
    """The facts of one payment; `store.region` should be loaded already.

    `shop_time` is when it was paid, in the zone of the store or else of the programme: hour and
    weekday are those on the shop's clock.
    """
    return {
        "amount": money,
        "currency": money.currency,
        "store": store.code if store else None,
        "store_region": store.region.code if store else None,
        "method": method,
        "hour": shop_time.hour,
        "weekday": str(shop_time.weekday()),
        "is_first_payment": is_first_payment,
        "categories": frozenset(categories),
        "brands": frozenset(brands),
        "paid_with": method or None,
        "payer_country": origin.payer_country or None,
        "is_visitor": is_visitor(
            home_country=origin.home_country,
            payer_country=origin.payer_country,
            store_country=store.region.country_code if store else "",
        ),
    }


def _tiers() -> Iterable[tuple[str, str]]:
    return [(tier.code, str(tier)) for tier in Tier.objects.order_by("rank")]


def _categories() -> Iterable[tuple[str, str]]:
    return [(category.code, str(category)) for category in Category.objects.order_by("code")]


def _brands() -> Iterable[tuple[str, str]]:
    brands = Product.objects.exclude(brand="").order_by("brand").values_list("brand", flat=True)
    return [(brand, brand) for brand in brands.distinct()]


def _methods() -> Iterable[tuple[str, str]]:
    return [(method.code, str(method)) for method in PaymentMethod.objects.all()]


def _countries() -> Iterable[tuple[str, str]]:
    """By their names in the reader's language."""
    locale = Locale.parse((get_language() or "en").replace("-", "_"))
    names = [(code, locale.territories.get(code, code)) for code in known_countries()]
    return sorted(names, key=lambda country: country[1])


def _reporting_currency() -> Sequence[str]:
    return [Programme.current().currency]


def _currencies() -> Sequence[str]:
    """Those of the programme and its regions, the programme's first."""
    regional = Region.objects.order_by("currency").values_list("currency", flat=True)
    return list(dict.fromkeys([Programme.current().currency, *regional]))


def _currency_choices() -> Iterable[tuple[str, str]]:
    return [(currency, currency) for currency in _currencies()]


def _weekdays() -> Iterable[tuple[str, Label]]:
    return [(str(number), name) for number, name in WEEKDAYS.items()]


MEMBER.register(
    Field(
        "tier",
        _("tier"),
        Kind.CHOICE,
        query="standing__tier__code",
        choices=_tiers,
        is_optional=True,
    ),
    Field("balance", _("points held"), Kind.NUMBER, query="standing__balance"),
    Field(
        "spend_12m",
        _("12-month spend"),
        Kind.MONEY,
        query=MoneyColumns("standing__spend_12m"),
        currencies=_reporting_currency,
    ),
    Field("payments", _("number of payments"), Kind.NUMBER, query="standing__payments"),
    Field(
        "first_paid_at",
        _("first payment"),
        Kind.INSTANT,
        query="standing__first_paid_at",
        is_optional=True,
    ),
    Field(
        "last_paid_at",
        _("last payment"),
        Kind.INSTANT,
        query="standing__last_paid_at",
        is_optional=True,
    ),
)

PAYMENT.register(
    Field("amount", _("amount"), Kind.MONEY, currencies=_currencies),
    Field("currency", _("currency"), Kind.CHOICE, choices=_currency_choices),
    Field("store", _("store"), Kind.CHOICE, choices=store_choices, is_optional=True),
    Field(
        "store_region",
        _("region of the store"),
        Kind.CHOICE,
        choices=region_choices,
        is_optional=True,
    ),
    Field("paid_with", _("payment method"), Kind.CHOICE, choices=_methods, is_optional=True),
    Field("method", _("code of the payment method"), Kind.TEXT, is_optional=True),
    Field(
        "payer_country",
        _("country of the wallet or card"),
        Kind.CHOICE,
        choices=_countries,
        is_optional=True,
    ),
    Field("is_visitor", _("is a visitor"), Kind.BOOLEAN, is_optional=True),
    Field("hour", _("hour of the day"), Kind.NUMBER),
    Field("weekday", _("day of the week"), Kind.CHOICE, choices=_weekdays),
    Field("is_first_payment", _("is the first payment"), Kind.BOOLEAN),
    Field(
        "categories",
        _("categories in the basket"),
        Kind.SET,
        choices=_categories,
        is_optional=True,
    ),
    Field("brands", _("brands in the basket"), Kind.SET, choices=_brands, is_optional=True),
)
