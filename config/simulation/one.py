"""One large payment of one member, for somebody who wants to see the road work."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from config.simulation.till import Door, NoTill, Till, payment
from kit.money import Money
from loyalty.models import Award, Coupon, Standing
from members.models import Member
from members.services.consents import members_with_consent
from members.services.links import page_url
from payments.models import Transaction

_PATIENCE: Final = 20.0
_LATEST: Final = 50
_AFTERMATH: Final = 1.5  # Coupons and messages follow the points a little later.


@dataclass(frozen=True, slots=True)
class Look:
    """What a member holds at a moment."""

    balance: int
    tier: str
    coupons: int


def choose_member(code: str = "") -> Member:
    """The member with that number; else of the latest buyers one who agreed to offers and has
    tiers to climb, so that there is something to see. Raises NoTill."""
    members = Member.objects.select_related("standing__tier")
    if code:
        found = members.filter(code=code).first()
    else:
        buyers = members.filter(standing__payments__gt=0).order_by("-standing__last_paid_at")
        latest = list(buyers[:_LATEST]) or list(members.order_by("-joined_at")[:1])
        agreed = members_with_consent(member.pk for member in latest)
        found = min(latest, key=lambda each: (each.pk not in agreed, _rank(each)), default=None)
    if found is None:
        raise NoTill("There is no such member. Find one in the admin under Members.")
    return found


def _rank(member: Member) -> int:
    standing: Standing | None = getattr(member, "standing", None)
    return standing.tier.rank if standing and standing.tier else 0


def look_at(member: Member) -> Look:
    standing = Standing.objects.filter(pk=member.pk).select_related("tier").first()
    return Look(
        balance=standing.balance if standing else 0,
        tier=str(standing.tier) if standing and standing.tier else "-",
        coupons=Coupon.objects.filter(member=member).count(),
    )


def pay(member: Member, money: Money, door: Door, *, now: datetime) -> Iterator[str]:
    """Send one payment and tell what happens, a line at a time; raises NoTill, NoAnswer."""
    before = look_at(member)
    ref = f"sim-one-{uuid4().hex[:10]}"
    body = payment(
        ref=ref,
        amount=str(money.amount),
        currency=money.currency,
        at=now.replace(microsecond=0),
        member=member.code,
    )
    till = Till(door)
    try:
        status, sent_at = till.post(body)
    finally:
        till.close()
    if status >= 300:
        raise NoTill(f"The server answered {status}. Is it a Regulars with this database?")
    yield f"A till sent {money} of member {member.code}: payment {ref}, answered {status}."
    award = _wait_for_award(ref)
    if award is None:
        reason = Transaction.objects.filter(payment_ref=ref).values_list("waiting_for", flat=True)
        yield f"No points yet. It waits for: {', '.join(filter(None, reason)) or 'the road'}."
        return
    yield f"{award.points:+,} points after {(time.perf_counter() - sent_at) * 1000:.0f} ms."
    time.sleep(_AFTERMATH)
    after = look_at(member)
    yield f"Balance {before.balance:,} → {after.balance:,}, tier {before.tier} → {after.tier},"
    yield f"coupons {before.coupons} → {after.coupons}."
    address = f"{door.url.scheme}://{door.url.netloc}"
    yield f"Member page:  {page_url(member)}"
    yield f"In the admin: {address}/admin/members/member/{member.pk}/change/"
    yield f"Messages:     {address}/admin/campaigns/message/"


def _wait_for_award(ref: str) -> Award | None:
    deadline = time.perf_counter() + _PATIENCE
    while time.perf_counter() < deadline:
        award = Award.objects.filter(transaction__payment_ref=ref).first()
        if award is not None:
            return award
        time.sleep(0.005)
    return None
