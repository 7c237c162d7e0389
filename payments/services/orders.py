"""Orders: taken once, joined with their payments before or after them, and paid at the till.

An order says what was bought and by whom. It never says whose a wallet is: a friend may have paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from kit.money import Money
from kit.work import hold_keys
from members.models import ApiKey, Store
from members.services.identities import clue_of, members_by_code
from payments.models import Line, Order, OrderLine, Transaction
from payments.providers.base import Clue, Kind, Notice, NoticeLine
from payments.services.booking import payment_key, record_lines
from payments.services.catalogue import learn_products
from payments.services.joining import order_key
from payments.services.linking import give_orders, give_payments
from payments.services.matching import one_person_of
from payments.services.own_accounts import till_account
from payments.services.sales import book_sales


class OrderRefused(ValueError):
    """The sentence says why not, and what to do."""


class OrderDiffers(OrderRefused):
    """The number belongs to an order with another content."""


class PaidAlready(OrderRefused):
    """Somebody else has reported the payment of this order."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as a shop sends it. `paid_at`, `method`: it was paid at the till, where no
    platform will report it."""

    order_ref: str
    store: Store | None
    money: Money
    ordered_at: datetime
    member_code: str = ""
    clues: tuple[Clue, ...] = ()
    lines: tuple[NoticeLine, ...] = ()
    channel: str = ""
    paid_at: datetime | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """`is_late`: a payment had earned before its lines were known; its points stay as they are."""

    order: Order
    is_new: bool
    is_late: bool = False


def take_order(asked: NewOrder, *, api_key: ApiKey | None, now: datetime) -> Taken:
    """Record the order once and join it with its payments; raises OrderRefused."""
    with transaction.atomic():
        keys = [order_key(asked.order_ref)]
        if asked.paid_at is not None:
            account = till_account(asked.store)
            keys.append(payment_key(account.pk, asked.order_ref))
        hold_keys(keys)
        order = Order.objects.filter(store=asked.store, order_ref=asked.order_ref).first()
        is_new = order is None
        if order is None:
            order = _record(asked, api_key=api_key, now=now)
            is_late = _join_payments(order)
        else:
            _compare(order, asked)
            _name(order, asked)
            is_late = False
        if asked.paid_at is not None:
            _pay(order, asked, paid_at=asked.paid_at, now=now)
    return Taken(order, is_new, is_late)


def _record(asked: NewOrder, *, api_key: ApiKey | None, now: datetime) -> Order:
    clues = [clue_of(clue.kind, clue.value) for clue in asked.clues]
    hold_keys([f"clue:{clue}" for clue in clues])
    order = Order(
        store=asked.store,
        order_ref=asked.order_ref,
        amount=asked.money.amount,
        currency=asked.money.currency,
        channel=asked.channel,
        ordered_at=asked.ordered_at,
        received_at=now,
        member_id=_member_named(asked) or one_person_of(clues),
        clues=clues,
        api_key=api_key,
    )
    Order.record([order])
    products = learn_products(asked.lines)
    OrderLine.record(
        OrderLine(
            order=order,
            position=position,
            product_id=products[line.sku],
            quantity=line.quantity,
            amount=line.amount,
        )
        for position, line in enumerate(asked.lines, start=1)
    )
    return order


def _join_payments(order: Order) -> bool:
    """Give the payments that are here already their order, its member and its lines. Whether one
    of them had earned before the lines were known."""
    payments = _payments_of(order)
    if not payments:
        return False
    pks = [row.pk for row in payments]
    for row in payments:
        row.order, row.store_id = order, row.store_id or order.store_id
    Transaction.objects.bulk_update(payments, ["order", "store"])
    if order.store_id is not None:
        Transaction.objects.filter(original__in=pks, store=None).update(store=order.store_id)
    if order.member_id is not None:
        give_payments({order.pk: order.member_id})
    taker = _taker(order, payments)
    if taker is not None:
        lines = order.lines.order_by("position")
        record_lines({taker.pk: [(one.product_id, one.quantity, one.amount) for one in lines]})
    # What waited for its order is due at its old place.
    Transaction.objects.filter(pk__in=pks, due_at__gt=F("received_at")).update(
        due_at=F("received_at")
    )
    return taker is not None and taker.due_at is None


def _payments_of(order: Order) -> list[Transaction]:
    """Payments with the order's number in its store, locked, so that refunds that are being
    booked in this moment can be seen afterwards. An order of no store takes none where two
    stores have the number."""
    rows = Transaction.objects.filter(kind=Kind.PAYMENT, order_ref=order.order_ref, order=None)
    if order.store_id is not None:
        rows = rows.filter(Q(store=order.store_id) | Q(store=None))
    found = list(rows.select_for_update(no_key=True).order_by("received_at", "pk"))
    stores = {row.store_id for row in found} - {None}
    if order.store_id is None and len(stores) > 1:
        return [row for row in found if row.store_id is None]
    return found


def _taker(order: Order, payments: Sequence[Transaction]) -> Transaction | None:
    """The first payment in the order's currency; None if it has lines, or the order has none."""
    first = next((row for row in payments if row.currency == order.currency), None)
    if first is None or not order.lines.exists():
        return None
    return None if Line.objects.filter(transaction=first).exists() else first


def _compare(order: Order, asked: NewOrder) -> None:
    """Raises OrderDiffers unless the same order is sent again."""
    lines = [
        (line.product.sku, line.quantity, line.amount)
        for line in order.lines.select_related("product").order_by("position")
    ]
    same = order.money == asked.money and lines == [
        (line.sku, line.quantity, line.amount) for line in asked.lines
    ]
    if not same:
        raise OrderDiffers(
            _("This order was sent before with other amounts or lines. What was sent first stays.")
        )


def _name(order: Order, asked: NewOrder) -> None:
    """An order of nobody known may be sent again with its member."""
    member_id = _member_named(asked)
    if member_id is not None:
        give_orders({order.pk: member_id})
        order.refresh_from_db(fields=["member"])


def _member_named(asked: NewOrder) -> UUID | None:
    return members_by_code([asked.member_code]).get(asked.member_code)


def _pay(order: Order, asked: NewOrder, *, paid_at: datetime, now: datetime) -> None:
    """Book what was paid at the till; raises PaidAlready."""
    account = till_account(asked.store)
    others = order.payments.exclude(account=account, payment_ref=asked.order_ref)
    if others.exists():
        raise PaidAlready(
            _(
                "A platform has reported a payment of this order. Leave out paid; send what was"
                " paid beside it as a sale of its own."
            )
        )
    booked = book_sales(
        [
            Notice(
                kind=Kind.PAYMENT,
                payment_ref=asked.order_ref,
                effect_ref=asked.order_ref,
                amount=asked.money,
                occurred_at=paid_at,
                order_ref=asked.order_ref,
                store_code=asked.store.code if asked.store else "",
                method=asked.method,
            )
        ],
        account=account,
        source=Transaction.Source.API,
        now=now,
    )
    if booked.conflicting:
        raise PaidAlready(_("A sale with this number was booked with another amount."))


@dataclass(frozen=True, slots=True)
class Payment:
    """What has come in for an order, in its own currency."""

    paid: Money
    difference: Decimal


def payment_of(order: Order) -> Payment:
    """What was paid of the order, before anything was taken back, and what that differs by."""
    rows: QuerySet[Transaction] = order.payments.filter(currency=order.currency)
    paid = sum((row.amount for row in rows), Decimal(0))
    return Payment(Money(paid, order.currency), paid - order.amount)
