"""What goes wrong in every real shop, so that the pages for it are not empty."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from config.demo.catalogue import ITEMS, price_in
from config.demo.past import TASTING
from config.demo.people import Person
from config.demo.posts import Channels, payload_of
from config.demo.shopping import ALIPAY, TILL, Deal
from kit.money import Money
from loyalty.models import Award, Standing
from loyalty.services.points import adjust_points
from payments.models import Transaction
from payments.providers.base import Kind, Notice, NoticeLine, Outcome
from payments.services.accounts import known_account
from payments.services.receive import receive
from payments.services.refunds import Wanted, refund_payment
from payments.services.sales import book_sales


def odd_deals(people: Sequence[Person], *, now: datetime, rng: Random) -> Iterator[Deal]:
    """Yen from a fair in Osaka, for which no rate was entered, and refunds of unknown payments."""
    for number, person in enumerate(rng.sample(people, min(4, len(people)))):
        item = rng.choice(ITEMS)
        amount = price_in(item, "JPY")
        at = now - timedelta(days=3 + number % 2, hours=2, minutes=7 * number)
        ref = f"FAIR-{number + 1:03d}"
        yield Deal(
            kind=Kind.PAYMENT,
            at=max(at, person.joined_at + timedelta(minutes=1)),
            channel=TILL,
            ref=ref,
            effect_ref=ref,
            amount=amount,
            currency="JPY",
            method="visa",
            member_code=person.code,
            # The fair sold a bag that no list of products knows.
            lines=(
                NoticeLine(sku=item.sku, quantity=Decimal(1), amount=amount - 10),
                NoticeLine("FAIR-BAG", Decimal(1), Decimal(10), name="Fair bag"),
            ),
        )
    for number, days in enumerate((6, 2), start=1):
        yield Deal(
            kind=Kind.REFUND,
            at=now - timedelta(days=days, hours=1),
            channel=TILL,
            ref=f"OLD-{number:05d}",
            effect_ref=f"R-OLD-{number:05d}",
            amount=Decimal(88),
            currency="HKD",
            store="MK",
        )


def leave_a_debt(channels: Channels, *, actor: Any, now: datetime) -> None:
    """A member uses up their points at a tasting, and then brings a purchase back."""
    recent = Award.objects.filter(
        points__gt=0,
        paid_at__gte=now - timedelta(days=10),
        transaction__account=channels.accounts[TILL],
        transaction__corrections=None,
        member__standing__balance__gt=0,
        member__language__startswith="zh",
    )
    award = recent.select_related("transaction", "member").order_by("-points", "paid_at").first()
    if award is None:
        return
    balance = Standing.objects.get(pk=award.member_id).balance
    adjust_points(
        award.member, points=-balance, reason=TASTING, actor=actor, now=now - timedelta(minutes=40)
    )
    payment = award.transaction
    back = Deal(
        kind=Kind.REFUND,
        at=now - timedelta(minutes=30),
        channel=TILL,
        ref=payment.payment_ref,
        effect_ref=f"R-{payment.payment_ref[2:]}",
        amount=payment.amount,
        currency=payment.currency,
    )
    known = known_account(TILL, channels.accounts[TILL].token)
    assert known is not None
    receive(known, channels.post_of(back), now=back.at)


def enter_by_hand(channels: Channels, *, actor: Any, now: datetime) -> None:
    """Staff enter refunds of the online shop; of the second one the platform tells after all, with
    another amount, and waits for their answer."""
    account = channels.accounts[ALIPAY]
    whole = Transaction.objects.filter(
        account=account, kind=Kind.PAYMENT, corrections=None, member__isnull=False, due_at=None
    ).order_by("-occurred_at", "pk")
    for number, payment in enumerate(whole[:2]):
        amount = (payment.amount / 4).quantize(Decimal("0.01"))
        refund_payment(
            payment,
            Wanted(
                amount=Money.parse(amount, payment.currency),
                ref=f"HAND-{number + 1:03d}",
                reason="包裝破損" if number == 0 else "少發一件",
            ),
            by=actor,
            now=now - timedelta(minutes=50),
        )
        if number == 1:
            notice = Notice(
                kind=Kind.REFUND,
                payment_ref=payment.payment_ref,
                effect_ref="REFUND-1",
                amount=Money.parse(amount + 1, payment.currency),
                occurred_at=now - timedelta(minutes=15),
            )
            book_sales([notice], account=account, source=Transaction.Source.CALLBACK, now=now)


def send_oddities(channels: Channels, deals: Sequence[Deal], *, now: datetime) -> None:
    """Posts that are refused, that contradict an earlier one, or that cannot be read."""
    recent = [deal for deal in deals if deal.channel == TILL and deal.kind is Kind.PAYMENT][-3:]
    account = channels.accounts[TILL]
    known = known_account(TILL, account.token)
    assert known is not None
    at = now - timedelta(minutes=20)
    for number, deal in enumerate(recent):
        payload = payload_of(deal)
        post = channels.till_post(payload, message_id=f"msg_forged_{number}", at=at)
        forged = replace(post, body=post.body.replace(b"HKD", b"USD") + b" ")
        assert receive(known, forged, now=at) is Outcome.REFUSED
    for deal in recent[-1:]:
        payload = payload_of(deal)
        # The till says "already sent" with another amount under the number of an earlier post.
        payload["data"] |= {"amount": str(deal.amount + 100)}
        message_id = f"msg_{deal.kind}_{deal.effect_ref}"
        receive(known, channels.till_post(payload, message_id=message_id, at=at), now=at)
        # And once more under a number of its own: the same payment, HK$10 dearer.
        payload["data"] |= {"amount": str(deal.amount + 10)}
        other = f"{message_id}_again"
        receive(known, channels.till_post(payload, message_id=other, at=at), now=at)
        # Three decimals: no Hong Kong dollar has them.
        payload["data"] |= {"payment_ref": "T-9999999", "amount": "88.005"}
        receive(known, channels.till_post(payload, message_id="msg_odd", at=at), now=at)
