"""Booking what a file brings and we lack: one proposes, another agrees.

Accounts that live by file alone (Octopus, FPS, a bank) have no other source, so there the right
to import transactions is enough.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from kit.bulk import is_any_of
from kit.money import Money
from payments.models import Account, Proposal, Settlement, SettlementRow, Transaction
from payments.providers.base import Kind, Notice
from payments.services.accounts import BY_FILE
from payments.services.reconcile.comparing import compare_again
from payments.services.sales import book_sales
from payments.statements import all_formats

MOST_PROPOSED: Final = 1_000
_MISSING: Final = SettlementRow.Verdict.MISSING_HERE


class NotTheSamePerson(ValueError):
    """Who proposed it cannot also agree to it."""


@dataclass(slots=True)
class Result:
    """What booking came to; refunds of payments that nobody knows are left out."""

    booked: int = 0
    known: int = 0
    differing: int = 0
    homeless: list[str] = field(default_factory=list)


def proposable(rows: QuerySet[SettlementRow]) -> QuerySet[SettlementRow]:
    """Those that are missing here, of files that still count, without an open proposal."""
    wanted = rows.filter(verdict=_MISSING, settlement__withdrawn_at=None)
    return wanted.exclude(proposals__decided_at=None, proposals__isnull=False)


def propose(
    rows: QuerySet[SettlementRow], *, reason: str, user: Any, now: datetime
) -> list[Proposal]:
    """For each of `rows` that is `proposable`."""
    with transaction.atomic():
        wanted = proposable(rows).select_for_update(of=("self",), no_key=True).order_by("pk")
        return Proposal.record(
            Proposal(row=row, reason=reason, proposed_by=user, proposed_at=now)
            for row in wanted[:MOST_PROPOSED]
        )


def decide(
    proposals: QuerySet[Proposal], *, is_agreed: bool, user: Any, now: datetime
) -> tuple[int, Result]:
    """How many were decided, and what booking them came to. Raises NotTheSamePerson.

    A proposal of one's own may be taken back by nobody but another; so nobody decides alone.
    """
    with transaction.atomic():
        open_ones = list(
            proposals.filter(decided_at=None)
            .select_for_update(of=("self",), no_key=True)
            .select_related("row__settlement__account")
            .order_by("pk")
        )
        if any(proposal.proposed_by_id == user.pk for proposal in open_ones):
            raise NotTheSamePerson(
                _("You proposed some of these yourself. Somebody else has to decide.")
            )
        keys = [proposal.pk for proposal in open_ones]
        Proposal.objects.filter(pk__in=keys).update(
            decided_by=user, decided_at=now, is_agreed=is_agreed
        )
        rows = [proposal.row for proposal in open_ones]
        result = _book(_still_missing(rows), now) if is_agreed else None
    _compare_again(rows, now=now)
    return len(open_ones), result or Result()


def book_by_file(settlement: Settlement, *, now: datetime) -> Result:
    """Everything that this file of an account by file brings."""
    if settlement.account.provider not in BY_FILE or settlement.withdrawn_at is not None:
        return Result()
    rows = SettlementRow.objects.filter(settlement=settlement, verdict=_MISSING)
    with transaction.atomic():
        found = list(rows.select_related("settlement__account"))
        result = _book(found, now)
    _compare_again(found, now=now)
    return result


def _still_missing(rows: Iterable[SettlementRow]) -> list[SettlementRow]:
    """Those that are not booked by now, of files that still count."""
    return [row for row in rows if row.verdict == _MISSING and not row.settlement.withdrawn_at]


def _compare_again(rows: Iterable[SettlementRow], *, now: datetime) -> None:
    for settlement in {row.settlement_id: row.settlement for row in rows}.values():
        compare_again(settlement, now=now)


def _book(rows: Sequence[SettlementRow], now: datetime) -> Result:
    """Under the keys that a late callback would use, so that it finds its effect booked."""
    result = Result()
    by_account: dict[Account, list[SettlementRow]] = defaultdict(list)
    for row in rows:
        by_account[row.settlement.account].append(row)
    for account, group in by_account.items():
        known = _Known(account, group)
        notices = []
        for row in sorted(group, key=lambda row: (row.kind != Kind.PAYMENT, row.occurred_at)):
            notice = known.notice_of(row)
            if notice is None:
                result.homeless.append(row.payment_ref)
            else:
                notices.append(notice)
        booked = book_sales(notices, account=account, now=now)
        result.booked += len(booked.fresh)
        result.known += len(booked.known)
        result.differing += len(booked.conflicting)
    return result


class _Known:
    """The payments that rows may take money back from, and what was taken back of them."""

    def __init__(self, account: Account, rows: Sequence[SettlementRow]) -> None:
        own = Transaction.objects.filter(account=account)
        refs = {row.payment_ref for row in rows}
        orders = {row.order_ref for row in rows} - {""}
        columns = ("payment_ref", "order_ref", "kind", "amount", "is_total")
        found = set(own.filter(is_any_of("payment_ref", refs)).values_list("pk", *columns))
        found |= set(own.filter(is_any_of("order_ref", orders)).values_list("pk", *columns))
        self._payments = {ref for _pk, ref, _o, kind, *_rest in found if kind == Kind.PAYMENT}
        self._payments |= {row.payment_ref for row in rows if row.kind == Kind.PAYMENT}
        self._by_order = {order: ref for _pk, ref, order, *_rest in found if order}
        self._totals: dict[str, Decimal] = defaultdict(Decimal)
        self._singles: dict[str, Decimal] = defaultdict(Decimal)
        for _pk, ref, _order, kind, amount, is_total in found:
            if kind == Kind.REFUND and is_total:
                self._totals[ref] = max(self._totals[ref], amount)
            elif kind == Kind.REFUND:
                self._singles[ref] += amount

    def notice_of(self, row: SettlementRow) -> Notice | None:
        """None for a correction of a payment that neither we nor the file know."""
        ref = row.payment_ref
        if row.kind != Kind.PAYMENT and ref not in self._payments:
            ref = self._by_order.get(row.order_ref, "")
            if not ref:
                return None
        amount, effect_ref, is_total = row.money, row.effect_ref, False
        refund_ref = all_formats()[row.settlement.format].refund_ref
        if row.kind == Kind.REFUND and refund_ref is not None:
            amount, is_total = self._total_with(ref, row.money), True
            effect_ref = refund_ref(row.effect_ref, amount)
        return Notice(
            kind=Kind(row.kind),
            payment_ref=ref,
            effect_ref=effect_ref or _made_up(row),
            amount=amount,
            is_total=is_total,
            occurred_at=row.occurred_at,
            order_ref=row.order_ref,
            member_code=row.member_code,
            method=row.method,
            settled=_settled(row) if not is_total else None,
            fee=_fee(row) if not is_total else None,
        )

    def _total_with(self, ref: str, more: Money) -> Money:
        before = max(self._totals[ref], self._singles[ref])
        self._totals[ref] = before + more.amount
        return Money.parse(self._totals[ref], more.currency)


def _settled(row: SettlementRow) -> Money | None:
    if row.settled_amount is None:
        return None
    return Money(row.settled_amount, row.settled_currency)


def _fee(row: SettlementRow) -> Money | None:
    if row.fee is None:
        return None
    return Money(row.fee, row.settled_currency or row.currency)


def _made_up(row: SettlementRow) -> str:
    """For an effect that the file gives no number: the same however often it comes."""
    said = f"{row.kind}|{row.payment_ref}|{row.occurred_at.isoformat()}|{row.money}"
    return f"file-{hashlib.sha256(said.encode()).hexdigest()[:24]}"
