"""What campaigns are tried on: sales at an injected clock, and campaigns that run."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns.models import Campaign, CampaignText, Message, Reaction
from campaigns.services.deliver import deliver_messages
from campaigns.services.react import react_to_events
from campaigns.services.running import start_campaign
from kit.money import Money
from loyalty.models import CouponType
from loyalty.services.settle import settle_members
from members.models import Consent, Member
from members.services.consents import set_consent
from payments.models import Transaction
from payments.providers.base import Kind, Notice, NoticeLine
from payments.services.own_accounts import till_account
from payments.services.sales import book_sales
from tests import build
from tests.build import NOON

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
_numbers = itertools.count(1)
TEXTS = {
    "zh-hant": (
        "{{ name }}，{{ coupon }} 給您",
        "代碼 {{ coupon_code }}，{{ valid_until }} 前有效。",
    )
}


def reader(name: str = "Mei", *, email: str = "", consents: bool = True, **given: Any) -> Member:
    """A member who wants offers, by e-mail."""
    number = next(_numbers)
    member = build.member(name=name, email=email or f"m{number}@example.com", **given)
    if consents:
        set_consent(member, is_granted=True, source=Consent.Source.STAFF, now=NOON - 300 * DAY)
    return member


def coupon_type(code: str = "ten-off", **changes: Any) -> CouponType:
    return build.coupon_type(code, **{"name_zh_hant": "九折券", **changes})


def campaign(
    trigger: str = Campaign.Trigger.LARGE_TICKET,
    *,
    texts: dict[str, tuple[str, str]] | None = None,
    started_at: datetime = NOON - DAY,
    include_silent: bool = False,
    **changes: Any,
) -> Campaign:
    """A running campaign; by default one payment of HKD 500 brings ten off."""
    defaults: dict[str, Any] = {"name": "Thanks", "trigger": trigger}
    if trigger == Campaign.Trigger.LARGE_TICKET:
        defaults |= {"amount": Decimal(500), "currency": "HKD"}
    if trigger == Campaign.Trigger.SILENCE:
        defaults |= {"silent_days": 60}
    if "coupon_type" not in changes:
        changes["coupon_type"] = CouponType.objects.first() or coupon_type()
    row = Campaign.objects.create(**(defaults | changes))
    for language, (subject, body) in (TEXTS if texts is None else texts).items():
        CampaignText.objects.create(campaign=row, language=language, subject=subject, body=body)
    start_campaign(row, include_silent=include_silent, now=started_at)
    return row


def sell(
    member: Member,
    amount: str = "880.00",
    *,
    at: datetime = NOON,
    ref: str = "",
    lines: Sequence[NoticeLine] = (),
    **given: Any,
) -> Transaction:
    """A sale at the till, booked and not settled yet."""
    ref = ref or f"sale-{next(_numbers)}"
    currency = given.pop("currency", "HKD")
    source = given.pop("source", Transaction.Source.API)
    notice = Notice(
        kind=Kind.PAYMENT,
        payment_ref=ref,
        effect_ref=ref,
        amount=Money.parse(amount, currency),
        occurred_at=at,
        member_code=member.code,
        lines=tuple(lines),
        **given,
    )
    book_sales([notice], account=till_account(None), source=source, now=at)
    return Transaction.objects.get(payment_ref=ref, kind="payment")


def give_back(sale: Transaction, amount: str, *, at: datetime = NOON) -> None:
    notice = Notice(
        kind=Kind.REFUND,
        payment_ref=sale.payment_ref,
        effect_ref=f"back-{next(_numbers)}",
        amount=Money.parse(amount, sale.currency),
        occurred_at=at,
    )
    book_sales([notice], account=sale.account, source=Transaction.Source.API, now=at)


def settle(now: datetime = NOON) -> None:
    while settle_members(now=now, limit=100):
        pass


def react(now: datetime = NOON, limit: int = 100) -> int:
    return sum(iter(lambda: react_to_events(now, limit), 0))


def deliver(now: datetime = NOON, limit: int = 100) -> int:
    return sum(iter(lambda: deliver_messages(now, limit), 0))


def drain(now: datetime = NOON) -> None:
    settle(now)
    react(now)
    deliver(now)


def declined() -> list[str]:
    """The reasons of every reaction, in order."""
    rows = Reaction.objects.order_by("id").values_list("declined", flat=True)
    return [entry["reason"] for row in rows for entry in row]


def states() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("id").values_list("state", "reason"))
