"""Builders with boring defaults, so that a test shows only what matters.

A small cast: Mei buys, Bo is silent, Kit is unknown.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from loyalty.models import CouponType, Rule, RuleRate, Standing, Tier
from loyalty.services.rules import publish_rule
from members.identity_kinds import WALLET
from members.models import Member, Programme, Region, Store
from members.services.enrolling import enrol_member
from members.services.identities import add_identity
from payments.models import Account, Category, Product
from payments.providers.standard import sign
from payments.services.accounts import forget_accounts, set_secrets

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)  # Noon in Hong Kong.
SECRET = "whsec_" + "dGVzdHMgb25seSwgbm90IGEgc2VjcmV0ISE="
_numbers = itertools.count(1)


def programme(**changes: Any) -> Programme:
    row = Programme.current()
    for name, value in {"name": "Regulars", "currency": "HKD", **changes}.items():
        setattr(row, name, value)
    row.save()
    return row


def region(code: str = "HK", **changes: Any) -> Region:
    defaults = {
        "name": code,
        "currency": "HKD",
        "zone": "Asia/Hong_Kong",
        "language": "zh-hant",
        **changes,
    }
    return Region.objects.get_or_create(code=code, defaults=defaults)[0]


def store(code: str = "CENTRAL", **changes: Any) -> Store:
    defaults = {"name": code.title(), "region": changes.pop("region", None) or region(), **changes}
    return Store.objects.get_or_create(code=code, defaults=defaults)[0]


def member(
    *, wallet: str = "", now: datetime = NOON - timedelta(days=400), **changes: Any
) -> Member:
    changes.setdefault("language", "zh-hant")
    changes.setdefault("region", region())
    row = enrol_member(now=now, **changes)
    if wallet:
        add_identity(row, kind=WALLET, value=wallet, now=now)
    return row


def tiers(**thresholds: str) -> list[Tier]:
    """`tiers(basic="0", gold="10000")`; each tier above the first multiplies by half more."""
    return [
        Tier.objects.create(
            code=code,
            name=code.title(),
            rank=rank,
            threshold=Decimal(threshold),
            multiplier=1 + Decimal(rank) / 2,
        )
        for rank, (code, threshold) in enumerate(thresholds.items())
    ]


def earning_rule(
    *,
    rates: Mapping[str, tuple[str, int]] | None = None,
    now: datetime = NOON - timedelta(days=800),
    **changes: Any,
) -> Rule:
    """By default 1 point for every full HKD 1, from long ago."""
    defaults = {"name": "Points", "starts_at": now, **changes}
    row = Rule.objects.create(**defaults)
    for currency, (per_amount, points) in (rates or {"HKD": ("1", 1)}).items():
        RuleRate.objects.create(
            rule=row, currency=currency, per_amount=Decimal(per_amount), points=points
        )
    publish_rule(row, now=now)
    return row


def coupon_type(code: str = "ten-off", **changes: Any) -> CouponType:
    defaults = {"name": "Ten off", "benefit": "amount", "value": Decimal(10), **changes}
    return CouponType.objects.create(code=code, **defaults)


def category(code: str = "tea", parent: Category | None = None) -> Category:
    return Category.objects.get_or_create(code=code, defaults={"name": code, "parent": parent})[0]


def product(sku: str = "TEA-1", category: Category | None = None) -> Product:
    return Product.objects.get_or_create(sku=sku, defaults={"name": sku, "category": category})[0]


def account(
    provider: str = "standard", *, secrets: Sequence[str] = (SECRET,), **changes: Any
) -> Account:
    found = Account.objects.filter(provider=provider).first()
    if found and not changes:
        return found
    row = Account(provider=provider, name=provider.title(), **changes)
    set_secrets(row, secrets)
    row.save()
    forget_accounts()
    return row


def payment(amount: str = "100.00", **changes: Any) -> dict[str, Any]:
    """A `payment.succeeded` of our own protocol; `wallet` and `member` say who paid."""
    data = {
        "payment_ref": changes.pop("ref", None) or f"pay-{next(_numbers)}",
        "amount": amount,
        "currency": "HKD",
        "paid_at": (changes.pop("at", None) or NOON).isoformat(),
    }
    wallet = changes.pop("wallet", "")
    if wallet:
        data["customer"] = {"wallet": wallet}
    return {"type": "payment.succeeded", "data": {**data, **changes}}


def refund(of: str, amount: str, **changes: Any) -> dict[str, Any]:
    data = {
        "payment_ref": of,
        "refund_ref": changes.pop("ref", None) or f"refund-{next(_numbers)}",
        "amount": amount,
        "currency": "HKD",
        "occurred_at": (changes.pop("at", None) or NOON).isoformat(),
    }
    return {"type": "refund.succeeded", "data": {**data, **changes}}


def send(
    payload: Mapping[str, Any],
    *,
    to: Account | None = None,
    message_id: str = "",
    secret: str = SECRET,
    client: Client | None = None,
) -> Any:
    """Post a signed callback as a till would; returns the response."""
    target = to or account()
    body = json.dumps(payload).encode()
    headers = sign(body, secret=secret, message_id=message_id or str(uuid4()), at=timezone.now())
    return (client or Client()).post(
        f"/callbacks/{target.provider}/{target.token}/",
        data=body,
        content_type="application/json",
        headers=headers,
    )


def balance_of(member: Member) -> int:
    return Standing.objects.get(pk=member.pk).balance
