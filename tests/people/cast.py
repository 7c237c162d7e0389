"""What tests of merges do to members: pay, take back, merge, look."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from config import people
from kit.money import Money
from loyalty.models import Lot, Standing
from loyalty.selectors import open_lots
from loyalty.services.books import verify_books
from loyalty.services.settle import settle_members
from members.models import Member, Merge
from payments.providers.base import Clue, Kind, Notice
from payments.services.sales import book_sales
from tests import build
from tests.build import NOON

REASON = "The same phone number"


def pay(wallet: str, amount: str, *, ref: str = "", now: datetime = NOON, **said: Any) -> str:
    ref = ref or f"{wallet}-{amount}"
    book(Kind.PAYMENT, ref, ref, amount, clues=(Clue("wallet", wallet),), now=now, **said)
    return ref


def take(ref: str, amount: str, *, effect: str = "", now: datetime = NOON) -> None:
    book(Kind.REFUND, ref, effect or f"{ref}-back", amount, now=now)


def book(
    kind: Kind, ref: str, effect: str, amount: str | Decimal, *, now: datetime, **said: Any
) -> None:
    said.setdefault("occurred_at", now)
    money = Money(Decimal(amount), "HKD")
    notice = Notice(kind=kind, payment_ref=ref, effect_ref=effect, amount=money, **said)
    book_sales([notice], account=build.account(), source="api", now=now)


def settle(now: datetime = NOON) -> None:
    while settle_members(now=now, limit=500):
        pass


def merge(merged: Member, survivor: Member, *, now: datetime = NOON) -> Merge:
    return people.merge(_fresh(merged), _fresh(survivor), reason=REASON, actor=None, now=now)


def unmerge(member: Member, *, now: datetime = NOON) -> Merge:
    return people.unmerge(_fresh(member), reason="They are two", actor=None, now=now)


def _fresh(member: Member) -> Member:
    return Member.objects.get(pk=member.pk)


@dataclass(frozen=True)
class Stand:
    """Where a member stands, without a trace of how they came there."""

    balance: int
    spend: Decimal
    payments: int
    first: datetime | None
    last: datetime | None
    tier: str
    lots: tuple[tuple[int, datetime, datetime | None], ...]


def stand_of(member: Member) -> Stand:
    row = Standing.objects.select_related("tier").filter(pk=member.pk).first() or Standing()
    lots = sorted((lot.left, lot.lot.starts_at, lot.expires_at) for lot in open_lots(member))
    return Stand(
        balance=row.balance,
        spend=row.spend_12m,
        payments=row.payments,
        first=row.first_paid_at,
        last=row.last_paid_at,
        tier=row.tier.code if row.tier else "",
        lots=tuple(lots),
    )


def books_are_clean() -> bool:
    bad = [(str(found.check.name), found.differences) for found in verify_books()]
    wrong = [(name, rows) for name, rows in bad if rows]
    assert wrong == []
    return True


def owners_of_lots(account: Member) -> set[Any]:
    rows = Lot.objects.filter(account=account.pk, closed_at=None)
    return {lot.owner_id or lot.account_id for lot in rows}
