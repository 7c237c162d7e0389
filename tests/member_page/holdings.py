"""What a member may hold, written straight into the tables that the page reads."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from kit.ids import uuid7
from loyalty.models import (
    Award,
    Coupon,
    CouponType,
    CouponUse,
    Lot,
    LotUse,
    PointAccount,
    Standing,
    Tier,
    Transfer,
)
from members.models import Member, Programme, Region, Store
from members.services.enrolling import enrol_member
from payments.models import Account, Transaction


def region(**named: Any) -> Region:
    defaults = {"name": "Hong Kong", "name_zh_hant": "香港", "currency": "HKD"}
    given = defaults | {"zone": "Asia/Hong_Kong", "language": "zh-hant"} | named
    return Region.objects.get_or_create(code="HK", defaults=given)[0]


def store() -> Store:
    found, _is_new = Store.objects.get_or_create(
        code="central", defaults={"name": "Central", "name_zh_hant": "中環店", "region": region()}
    )
    return found


def member(now: datetime, *, language: str = "en", **named: Any) -> Member:
    Programme.current()
    given: dict[str, Any] = {
        "name": "陳美玲",
        "email": "mei@example.com",
        "home_store": store(),
    } | named
    return enrol_member(region=region(), language=language, now=now, **given)


def tiers() -> list[Tier]:
    rows = [("Basic", "基本", 0), ("Silver", "銀卡", 5000), ("Gold", "金卡", 20000)]
    return [
        Tier.objects.create(
            code=name.lower(), name=name, name_zh_hant=hant, rank=rank, threshold=threshold
        )
        for rank, (name, hant, threshold) in enumerate(rows)
    ]


def standing(
    holder: Member, *, balance: int = 0, spend: str = "0", tier: Tier | None = None
) -> None:
    Standing.objects.update_or_create(
        member=holder, defaults={"balance": balance, "spend_12m": Decimal(spend), "tier": tier}
    )


def payment(
    holder: Member,
    *,
    at: datetime,
    points: int,
    amount: str = "95.00",
    currency: str = "HKD",
    kind: str = Transaction.Kind.PAYMENT,
    why: list[dict[str, Any]] | None = None,
    expires_at: datetime | None = None,
    forgiven: int = 0,
) -> Transfer:
    """A payment or refund with its award; a negative number of points was taken back."""
    account, _is_new = Account.objects.get_or_create(provider="standard", name="Till")
    paid = Transaction.objects.create(
        account=account,
        source=Transaction.Source.CALLBACK,
        kind=kind,
        payment_ref=str(uuid7()),
        effect_ref="",
        amount=Decimal(amount),
        currency=currency,
        occurred_at=at,
        received_at=at,
        store=store(),
        member=holder,
    )
    award = Award.objects.create(
        transaction=paid,
        member=holder,
        points=points,
        spend=Decimal(amount),
        paid_at=at,
        booked_at=at,
        why=why or [],
        forgiven=forgiven,
    )
    name = Transfer.Kind.EARN if points > 0 else Transfer.Kind.TAKE_BACK
    return transfer(holder, at=at, points=points, kind=name, award=award, expires_at=expires_at)


def transfer(
    holder: Member,
    *,
    at: datetime,
    points: int,
    kind: str = Transfer.Kind.ADJUST,
    expires_at: datetime | None = None,
    **named: Any,
) -> Transfer:
    own, _is_new = PointAccount.objects.get_or_create(
        id=holder.pk, kind=PointAccount.Kind.MEMBER, member=holder
    )
    other = PointAccount.objects.get(kind=PointAccount.Kind.ISSUED)
    debit, credit = (other, own) if points > 0 else (own, other)
    row = Transfer.objects.create(
        kind=kind, debit=debit, credit=credit, points=abs(points), booked_at=at, **named
    )
    if points > 0:
        Lot.objects.create(
            account=own, transfer=row, points=points, starts_at=at, expires_at=expires_at
        )
    return row


def use_lot(lot: Lot, by: Transfer, *, points: int) -> None:
    LotUse.objects.create(lot=lot, transfer=by, points=points, used_at=by.booked_at)


def coupon_type(code: str = "welcome", **named: Any) -> CouponType:
    defaults = {"name": "Welcome gift", "benefit": CouponType.Benefit.AMOUNT, "value": Decimal(50)}
    return CouponType.objects.create(code=code, **(defaults | named))


def coupon(
    holder: Member, kind: CouponType, *, starts_at: datetime, expires_at: datetime
) -> Coupon:
    return Coupon.objects.create(
        type=kind, member=holder, issued_at=starts_at, starts_at=starts_at, expires_at=expires_at
    )


def coupon_use(of: Coupon, *, at: datetime) -> CouponUse:
    return CouponUse.objects.create(coupon=of, number=1, used_at=at, currency="HKD")
