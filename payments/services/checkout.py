"""What a checkout shows: ways to pay in local names, and prices in the member's own currency."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from kit.money import Money
from members.models import Member, Programme, Region, Store
from payments.models import PaymentMethod, Rate
from payments.services.methods import methods_for
from payments.services.rates import rates_on


@dataclass(frozen=True, slots=True)
class HomePrice:
    """The member's own currency for one of the shop's, for information: what is charged is in the
    shop's. `on` is the day since which the older of the two rates holds."""

    currency: str
    rate: Decimal
    on: date
    sources: tuple[str, ...]

    def of(self, money: Money) -> Money:
        return money.convert(self.rate, self.currency)


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    currency: str
    language: str
    methods: list[PaymentMethod]
    home: HomePrice | None


def checkout_options(
    *, region: Region, store: Store | None, member: Member | None, now: datetime
) -> CheckoutOptions:
    place = store.region if store else region
    return CheckoutOptions(
        currency=place.currency,
        language=member.language if member else place.language,
        methods=methods_for(region=region, store=store, member=member, currency=place.currency),
        home=_home_price(place.currency, member.region.currency if member else "", now=now),
    )


def _home_price(shop: str, home: str, *, now: datetime) -> HomePrice | None:
    """None where the member pays in their own currency anyway, or a rate is missing."""
    if not home or home == shop:
        return None
    programme = Programme.current()
    today = now.astimezone(ZoneInfo(programme.zone)).date()
    foreign = [currency for currency in (shop, home) if currency != programme.currency]
    rates = rates_on((currency, today) for currency in foreign)
    if len(rates) < len(foreign):
        return None
    return HomePrice(
        currency=home,
        rate=_worth(rates.get((shop, today))) / _worth(rates.get((home, today))),
        on=min(rate.valid_from for rate in rates.values()),
        sources=tuple(rate.source for rate in rates.values()),
    )


def _worth(rate: Rate | None) -> Decimal:
    """In the programme's currency, whose own worth is one."""
    return rate.rate if rate else Decimal(1)
