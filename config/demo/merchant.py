"""Wuyin Tea & Home, an invented merchant: its regions, stores, tiers, rules and accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from config.demo.catalogue import (
    BRANDS,
    DAYS_OF_SUPPLY,
    HOUSE_BRAND,
    ITEMS,
    SHELVES,
    cost_of,
)
from config.demo.words import Words
from kit.conditions import validate
from loyalty.conditions import PAYMENT
from loyalty.models import CouponType, Rule, RuleRate, Tier
from loyalty.services.rules import publish_rule
from members.models import Programme, Region, Store
from payments.models import Category, PaymentMethod, Product
from payments.services.methods import make_methods
from payments.services.rates import enter_rate

ZONE: Final = "Asia/Hong_Kong"
ONLINE: Final = "ONLINE"

_NAME: Final = Words("Wuyin Tea & Home", "霧引茶居", "雾引茶居")

_REGIONS: Final = {
    "HK": (Words("Hong Kong", "香港", "香港"), "HKD", "Asia/Hong_Kong", "zh-hant"),
    "TW": (Words("Taiwan", "台灣", "台湾"), "TWD", "Asia/Taipei", "zh-hant"),
    "CN": (Words("Mainland China", "中國內地", "中国内地"), "CNY", "Asia/Shanghai", "zh-hans"),
    "SG": (Words("Singapore", "新加坡", "新加坡"), "SGD", "Asia/Singapore", "en"),
}

# Code → region, name, and how much of its region's custom it gets.
STORES: Final = {
    "SW": ("HK", Words("Sheung Wan", "上環店", "上环店"), 4),
    "MK": ("HK", Words("Mong Kok", "旺角店", "旺角店"), 6),
    "ST": ("HK", Words("Sha Tin", "沙田店", "沙田店"), 3),
    ONLINE: ("HK", Words("Online shop", "網店", "网店"), 2),
    "DAAN": ("TW", Words("Taipei Da'an", "台北大安店", "台北大安店"), 3),
    "TXG": ("TW", Words("Taichung", "台中店", "台中店"), 2),
    "JINGAN": ("CN", Words("Shanghai Jing'an", "上海靜安店", "上海静安店"), 3),
    "NANSHAN": ("CN", Words("Shenzhen Nanshan", "深圳南山店", "深圳南山店"), 3),
    "TIONG": ("SG", Words("Tiong Bahru", "中峇魯店", "中峇鲁店"), 1),
}

_TIERS: Final = (
    ("bud", Words("Bud", "嫩芽", "嫩芽"), "0", "1"),
    ("leaf", Words("Leaf", "青葉", "青叶"), "1500", "1.1"),
    ("blossom", Words("Blossom", "花開", "花开"), "5000", "1.25"),
    ("reserve", Words("Reserve", "典藏", "典藏"), "12000", "1.5"),
)

# HKD for one unit; each month wanders around it.
_RATES: Final = {"TWD": "0.2440", "CNY": "1.0880", "SGD": "5.9200", "USD": "7.8000"}
_WANDERS: Final = {"TWD": 15, "CNY": 8, "SGD": 8, "USD": 2}  # per mille

_TAKEN: Final = (
    *("alipay_cn", "alipay_hk", "wechat_pay", "octopus", "fps", "visa", "mastercard", "unionpay"),
    *("linepay", "jkopay", "paynow", "grabpay", "cash"),
)

_BASE_BLOCKS: Final = {"HKD": (10, 1), "TWD": (40, 1), "CNY": (10, 1), "SGD": (2, 1)}
_DOUBLE_BLOCKS: Final = {currency: (per, 2) for currency, (per, _) in _BASE_BLOCKS.items()}
_PUER_BLOCKS: Final = {"HKD": (20, 1), "TWD": (80, 1), "CNY": (20, 1), "SGD": (4, 1)}


def _all_of(*rules: tuple[str, str, Any]) -> Mapping[str, Any]:
    listed = [{"field": f, "operator": o, "value": v} for f, o, v in rules]
    return {"combinator": "and", "not": False, "rules": listed}


@dataclass(frozen=True, slots=True)
class _Earning:
    words: Words
    fields: Mapping[str, Any]
    blocks: Mapping[str, tuple[int, int]]
    condition: Mapping[str, Any]
    category: str = ""


_EARNINGS: Final = (
    _Earning(
        Words("Points for every purchase", "消費點數", "消费积分"),
        {"kind": Rule.Kind.BASE, "priority": 100},
        _BASE_BLOCKS,
        {},
    ),
    _Earning(
        Words("Weekend happy hour: double points", "週末歡樂時光雙倍點數", "周末欢乐时光双倍积分"),
        {"kind": Rule.Kind.BASE, "priority": 50, "cap_per_day": 80},
        _DOUBLE_BLOCKS,
        _all_of(("weekday", "in", ["5", "6"]), ("hour", "between", [15, 17])),
    ),
    _Earning(
        Words("Extra points for pu'er", "普洱茶額外點數", "普洱茶额外积分"),
        {"kind": Rule.Kind.CATEGORY, "priority": 100},
        _PUER_BLOCKS,
        {},
        category="puer",
    ),
    _Earning(
        Words("Wednesday is members' day", "週三會員日", "周三会员日"),
        {"kind": Rule.Kind.BONUS, "priority": 100, "fixed_points": 10, "cap_per_day": 10},
        {},
        _all_of(("weekday", "in", ["2"])),
    ),
    _Earning(
        Words("Welcome: the first purchase", "首次消費獎賞", "首次消费奖赏"),
        {"kind": Rule.Kind.BONUS, "priority": 200, "fixed_points": 50},
        {},
        _all_of(("is_first_payment", "=", True)),
    ),
)

GIFT: Final = "upgrade-gift"
ACCESSORY: Final = "teaware-50"
MISS_YOU: Final = "miss-you-10"

_COUPON_TYPES: Final = (
    (
        GIFT,
        Words("Tasting gift for your new tier", "升級品茗禮", "升级品茗礼"),
        {"benefit": CouponType.Benefit.GIFT, "valid_days": 60},
        "",
    ),
    (
        ACCESSORY,
        Words("HK$50 off teaware", "茶具滿減 50 元", "茶具满减 50 元"),
        {
            "benefit": CouponType.Benefit.AMOUNT,
            "value": Decimal(50),
            "minimum_spend": Decimal(200),
            "valid_days": 30,
        },
        "teaware",
    ),
    (
        MISS_YOU,
        Words("10% off your next visit", "回訪九折優惠", "回访九折优惠"),
        {
            "benefit": CouponType.Benefit.PERCENT,
            "value": Decimal(10),
            "valid_days": 21,
            "member_limit": 3,
        },
        "",
    ),
)


def open_shop(*, starts_at: datetime, now: datetime, rng: Random) -> None:
    """Settings, places, goods, tiers, rules, coupon types and exchange rates."""
    _name_programme()
    _open_stores()
    _fill_shelves(starts_at.date())
    _take_methods()
    Tier.objects.bulk_create(
        Tier(
            code=code,
            rank=rank,
            threshold=Decimal(threshold),
            multiplier=Decimal(multiplier),
            **words.as_fields(),
        )
        for rank, (code, words, threshold, multiplier) in enumerate(_TIERS)
    )
    for earning in _EARNINGS:
        _publish(earning, starts_at=starts_at, now=now)
    for code, words, fields, category in _COUPON_TYPES:
        CouponType.objects.create(
            code=code,
            currency="HKD",
            category=Category.objects.get(code=category) if category else None,
            **{**words.as_fields(), **fields},
        )
    _enter_rates(starts_at.date(), now, rng)


def stores_of(region: str) -> list[str]:
    """Its shops with a till; the online shop is not one of them."""
    return [code for code, (of, _, _) in STORES.items() if of == region and code != ONLINE]


def currency_of(region: str) -> str:
    return _REGIONS[region][1]


def languages_of(region: str) -> Sequence[tuple[str, int]]:
    """Which languages its members read, with weights."""
    return {
        "HK": [("zh-hant", 70), ("en", 22), ("zh-hans", 8)],
        "TW": [("zh-hant", 95), ("en", 5)],
        "CN": [("zh-hans", 97), ("en", 3)],
        "SG": [("en", 60), ("zh-hans", 40)],
    }[region]


def _name_programme() -> None:
    programme = Programme.current()
    for name, value in _NAME.as_fields().items():
        setattr(programme, name, value)
    programme.currency, programme.zone, programme.language = "HKD", ZONE, "zh-hant"
    # Shorter than a year, so that a year of sales shows points that have lapsed.
    programme.points_valid_months = 9
    programme.sender_address = "香港信箱 00000"
    programme.save()


def _open_stores() -> None:
    for code, (words, currency, zone, language) in _REGIONS.items():
        Region.objects.create(
            code=code, currency=currency, zone=zone, language=language, **words.as_fields()
        )
    regions = {region.code: region for region in Region.objects.all()}
    Store.objects.bulk_create(
        Store(code=code, region=regions[of], **words.as_fields())
        for code, (of, words, _) in STORES.items()
    )


def _fill_shelves(opened_on: date) -> None:
    shelves: dict[str, Category] = {}
    for shelf in SHELVES:
        shelves[shelf.code] = Category.objects.create(
            code=shelf.code, parent=shelves.get(shelf.parent), **shelf.words.as_fields()
        )
    Product.objects.bulk_create(
        Product(
            sku=item.sku,
            category=shelves[item.shelf],
            brand=BRANDS.get(item.shelf, HOUSE_BRAND),
            cost=cost_of(item),
            cost_currency="HKD",
            days_of_supply=DAYS_OF_SUPPLY.get(item.shelf),
            launched_on=opened_on,
            **item.words.as_fields(),
        )
        for item in ITEMS
    )


def _take_methods() -> None:
    """What the shops take; its names come with the product."""
    make_methods()
    PaymentMethod.objects.filter(code__in=_TAKEN).update(is_offered=True)


def _publish(earning: _Earning, *, starts_at: datetime, now: datetime) -> None:
    rule = Rule.objects.create(
        starts_at=starts_at,
        condition=validate(earning.condition, PAYMENT),
        category=Category.objects.filter(code=earning.category).first(),
        **{**earning.words.as_fields(), **earning.fields},
    )
    RuleRate.objects.bulk_create(
        RuleRate(rule=rule, currency=currency, per_amount=per, points=points)
        for currency, (per, points) in earning.blocks.items()
    )
    publish_rule(rule, now=now)


def _enter_rates(first: date, now: datetime, rng: Random) -> None:
    """One for each month, from the month of the first sale on."""
    month = first.replace(day=1)
    while month <= now.date():
        for currency, middle in _RATES.items():
            change = Decimal(rng.randint(-_WANDERS[currency], _WANDERS[currency])) / 1000
            rate = (Decimal(middle) * (1 + change)).quantize(Decimal("0.0001"))
            enter_rate(currency=currency, valid_from=month, rate=rate, source="demo", now=now)
        month = (month + timedelta(days=32)).replace(day=1)
