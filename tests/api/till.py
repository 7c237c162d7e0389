"""Builders for tests of coupons and of the API; each argument has a boring default."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from loyalty.models import Coupon, CouponType
from loyalty.services.coupons import issue_coupons
from members.models import ApiKey, Member, Region, Store
from members.services.enrolling import enrol_member

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)  # 12:00 in Hong Kong
DAY = timedelta(days=1)
_numbers = count(1)


def region() -> Region:
    return Region.objects.get_or_create(
        code="HK",
        defaults={
            "name": "Hong Kong",
            "currency": "HKD",
            "zone": "Asia/Hong_Kong",
            "language": "zh-hant",
        },
    )[0]


def store(code: str = "TST") -> Store:
    return Store.objects.get_or_create(code=code, defaults={"name": code, "region": region()})[0]


def member(name: str = "Mei", **given: Any) -> Member:
    return enrol_member(region=region(), language="en", name=name, now=NOON, **given)


def coupon_type(benefit: str = "amount", value: str = "20", **given: Any) -> CouponType:
    number = next(_numbers)
    options: dict[str, Any] = {"code": f"gift-{number}", "name": "A treat", "currency": "HKD"}
    return CouponType.objects.create(benefit=benefit, value=Decimal(value), **(options | given))


def coupon(
    kind: CouponType | None = None, *, holder: Member | None = None, now: datetime = NOON
) -> Coupon:
    (issued,) = issue_coupons(
        [(kind or coupon_type(), (holder or member(f"Mei {next(_numbers)}")).pk)], now=now
    )
    assert isinstance(issued, Coupon)
    return issued


def all_scopes() -> list[str]:
    return [scope.value for scope in ApiKey.Scope]
