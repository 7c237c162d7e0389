"""A scenario of many members whose books depend on the order of their payments."""

import json
import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Sum

from loyalty.models import Award, Lot, Standing, TierChange
from payments.models import Account
from payments.providers.base import Inbound
from payments.providers.standard import sign
from payments.services.accounts import known_account
from payments.services.receive import receive
from tests import build
from tests.model import Bookkeeper

CAP = 60
TIERS = {"basic": "0", "silver": "1000", "gold": "3000"}


def lay_down_rules() -> None:
    build.programme()
    build.tiers(**TIERS)
    build.earning_rule(rates={"HKD": ("10", 1)}, cap_per_day=CAP)


def bookkeeper() -> Bookkeeper:
    tiers = [
        (name, Decimal(threshold), 1 + Fraction(rank, 2))
        for rank, (name, threshold) in enumerate(TIERS.items())
    ]
    return Bookkeeper(tiers=tiers, cap=CAP)


def story(
    members: list[str], *, payments: int, seed: int, least: Decimal = Decimal("0.01")
) -> list[dict[str, Any]]:
    """Payments of `members` with refunds, chargebacks and reversals, shuffled, some twice.

    least: what amounts are whole multiples of
    """
    chance = random.Random(seed)
    sent: list[dict[str, Any]] = []
    for number in range(payments):
        amount = (Decimal(chance.randrange(500, 90000)) / 100).quantize(least)
        at = build.NOON - timedelta(days=chance.randrange(3), minutes=number)
        member = chance.choice(members)
        sent.append(build.payment(str(amount), member=member, ref=f"p{number}", at=at))
        sent += _corrections(number, amount, chance, at=at, least=least)
    chance.shuffle(sent)
    return sent + chance.sample(sent, len(sent) // 4)


def _corrections(
    number: int, amount: Decimal, chance: random.Random, *, at: datetime, least: Decimal
) -> list[dict[str, Any]]:
    match chance.randrange(8):
        case 0:
            return [build.refund(f"p{number}", str(amount), ref=f"r{number}")]
        case 1 | 2:
            part = (amount / 3).quantize(least)
            return [build.refund(f"p{number}", str(part), ref=f"r{number}.{n}") for n in range(2)]
        case 3:
            return [
                _dispute("chargeback.created", number, amount, at),
                _dispute("chargeback.reversed", number, amount, at),
            ]
        case _:
            return []


def _dispute(kind: str, number: int, amount: Decimal, at: datetime) -> dict[str, Any]:
    return {
        "type": kind,
        "data": {
            "payment_ref": f"p{number}",
            "chargeback_ref": f"c{number}",
            "amount": str(amount),
            "currency": "HKD",
            "occurred_at": at.isoformat(),
        },
    }


def store(sent: list[dict[str, Any]], account: Account) -> datetime:
    """Receive everything, a millisecond apart; returns the moment after the last one."""
    known = known_account(account.provider, account.token)
    assert known is not None
    at = build.NOON
    for number, payload in enumerate(sent):
        at += timedelta(milliseconds=1)
        body = json.dumps(payload).encode()
        headers = sign(body, secret=build.SECRET, message_id=f"m{number}", at=at)
        receive(known, Inbound("POST", "/", headers, body), now=at)
    return at + timedelta(seconds=1)


def books() -> dict[str, Any]:
    """What the database says, in the words of the bookkeeper."""
    awards = Award.objects.select_related("transaction", "member")
    standings = Standing.objects.select_related("member", "tier")
    return {
        "points": {(award.member.code, _effect(award)): award.points for award in awards},
        "balance": {row.member.code: row.balance for row in standings},
        "spend": {row.member.code: row.spend_12m for row in standings},
        "moves": sorted(TierChange.objects.values_list("member__code", "after__code")),
        "lots": Lot.objects.aggregate(points=Sum("points"))["points"],
    }


def _effect(award: Award) -> str:
    row = award.transaction
    return f"reversed {row.effect_ref}" if row.kind == "reversal" else row.effect_ref


def expected(sent: list[dict[str, Any]]) -> dict[str, Any]:
    model = bookkeeper()
    for payload in sent:
        model.read(payload)
    return {
        "points": model.points,
        "balance": dict(model.balance),
        "spend": dict(model.spend),
        "moves": sorted(model.moves),
    }
