"""The merchant of all measurements: 20 rules, 3 running campaigns, members of two kinds."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from campaigns.models import Campaign, CampaignText
from loyalty.models import CouponType, Rule, RuleRate, Tier
from loyalty.services.ledger import open_accounts
from loyalty.services.rules import publish_rule
from members.identity_kinds import WALLET
from members.models import Identity, Member, Programme, Region, Store
from members.services.identities import hash_of
from payments.models import Account, Category
from payments.services.accounts import set_secrets

SECRET: Final = "whsec_" + base64.b64encode(b"a key that only benchmarks use").decode()
_BATCH: Final = 5000
_LONG_AGO: Final = timedelta(days=800)


@dataclass(frozen=True)
class Merchant:
    account: Account
    members: list[Member]

    @property
    def path(self) -> str:
        return f"/callbacks/standard/{self.account.token}/"


def make_merchant(*, members: int, now: datetime) -> Merchant:
    Programme.objects.update_or_create(
        singleton=True, defaults={"name": "Regulars", "currency": "HKD"}
    )
    region = Region.objects.create(
        code="HK", name="Hong Kong", currency="HKD", zone="Asia/Hong_Kong", language="zh-hant"
    )
    stores = [Store.objects.create(code=f"S{n}", name=f"S{n}", region=region) for n in range(8)]
    for rank, (code, threshold) in enumerate(
        {"basic": 0, "silver": 5_000, "gold": 50_000, "black": 500_000}.items()
    ):
        Tier.objects.create(
            code=code,
            name=code.title(),
            rank=rank,
            threshold=Decimal(threshold),
            multiplier=1 + Decimal(rank) / 4,
        )
    _make_rules(since=now - _LONG_AGO)
    _make_campaigns(now=now)
    account = Account(provider="standard", name="Tills", store=stores[0])
    set_secrets(account, [SECRET])
    account.save()
    return Merchant(account, _make_members(members, region, stores, now=now))


def wallet_of(number: int) -> str:
    return f"wallet-{number:06}"


def condition(*rules: tuple[str, str, Any]) -> dict[str, Any]:
    rows = [{"field": name, "operator": how, "value": value} for name, how, value in rules]
    return {"combinator": "and", "not": False, "rules": rows}


def _make_rules(*, since: datetime) -> None:
    """The four rules of a small shop."""
    everything = _rule("Points", kind="base", priority=900, starts_at=since)
    RuleRate.objects.create(rule=everything, currency="HKD", per_amount=Decimal(1), points=1)
    _category_rules(range(1))
    _bonus_rules(list(_occasions())[:2])
    _publish(since=since)


def add_rules(*, now: datetime) -> None:
    """20 rules in all; most payments meet three or four of them, and every one is judged."""
    for number in range(6):
        tree = condition(("amount", ">=", {"amount": "20000", "currency": "HKD"}))
        rule = _rule(f"Huge {number}", kind="base", priority=number, condition=tree)
        RuleRate.objects.create(rule=rule, currency="HKD", per_amount=Decimal(1), points=2)
    _category_rules(range(1, 7))
    _bonus_rules(list(_occasions())[2:])
    _publish(since=now - _LONG_AGO)


def _category_rules(numbers: Iterable[int]) -> None:
    for number in numbers:
        category = Category.objects.create(code=f"c{number}", name=f"Category {number}")
        rule = _rule(f"Category {number}", kind="category", category=category)
        RuleRate.objects.create(rule=rule, currency="HKD", per_amount=Decimal(10), points=1)


def _bonus_rules(trees: Iterable[Mapping[str, Any]]) -> None:
    for number, tree in enumerate(trees):
        _rule(f"Bonus {number}", kind="bonus", fixed_points=5, condition=tree, cap_per_day=50)


def _publish(*, since: datetime) -> None:
    for rule in Rule.objects.filter(versions=None):
        rule.starts_at = since
        rule.save(update_fields=["starts_at"])
        publish_rule(rule, now=since)


def _occasions() -> Iterator[dict[str, Any]]:
    yield condition(("method", "=", "octopus"))
    yield condition(("weekday", "in", ["1", "3"]), ("hour", ">=", 18))
    yield condition(("tier", "in", ["gold", "black"]))
    yield condition(("payments", "<", 3))
    yield condition(("region", "in", ["HK"]), ("balance", "<", 100))
    yield condition(("store", "in", ["S1", "S2"]))


def _rule(name: str, **fields: Any) -> Rule:
    return Rule.objects.create(name=name, **fields)


def _make_campaigns(*, now: datetime) -> None:
    gift = CouponType.objects.create(
        code="gift", name="Gift", benefit="amount", value=Decimal(50), currency="HKD"
    )
    tier = Campaign.Trigger.TIER_REACHED
    triggers: Mapping[str, Mapping[str, Any]] = {
        tier: {},
        Campaign.Trigger.LARGE_TICKET: {"amount": Decimal(2000), "currency": "HKD"},
        Campaign.Trigger.SILENCE: {"silent_days": 60},
    }
    for trigger, terms in triggers.items():
        campaign = Campaign.objects.create(
            name=trigger,
            trigger=trigger,
            coupon_type=gift,
            state=Campaign.State.RUNNING,
            started_at=now - timedelta(days=1),
            **terms,
        )
        CampaignText.objects.create(
            campaign=campaign, language="zh-hant", subject="Thank you", body="Thank you."
        )


def _make_members(
    count: int, region: Region, stores: list[Store], *, now: datetime
) -> list[Member]:
    joined = now - timedelta(days=400)
    members = [
        Member(
            region=region,
            home_store=stores[number % len(stores)],
            name=f"Member {number}",
            joined_at=joined,
            language="zh-hant",
        )
        for number in range(count)
    ]
    Member.objects.bulk_create(members, batch_size=_BATCH)
    Identity.objects.bulk_create(_wallets(members, now=joined), batch_size=_BATCH)
    open_accounts([member.pk for member in members])
    return members


def _wallets(members: Iterable[Member], *, now: datetime) -> Iterator[Identity]:
    kind = WALLET
    for number, member in enumerate(members):
        wallet = wallet_of(number)
        yield Identity(
            member=member, kind=kind, value=wallet, hash=hash_of(kind, wallet), added_at=now
        )
