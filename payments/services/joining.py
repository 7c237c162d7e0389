"""Which order a payment pays: by its number, within its store.

Who books a payment with an order number and who brings the order hold the same lock, so that one
of the two always sees the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from kit.bulk import fetch_all, is_any_of
from payments.models import OrderLine, Transaction
from payments.providers.base import Kind

_ORDERS = """
SELECT o.id, o.order_ref, o.store_id, o.member_id, o.clues, o.currency,
       EXISTS (SELECT 1 FROM payments_transaction AS paid WHERE paid.order_id = o.id)
FROM payments_order AS o
WHERE o.order_ref = ANY(%s::text[])
"""

# Product, quantity, amount.
BasketLine = tuple[int, Decimal, Decimal]


@dataclass(slots=True)
class KnownOrder:
    """An order as booking sees it. `is_paid`: a payment has joined it, and has its lines."""

    id: UUID
    order_ref: str
    store_id: int | None
    member_id: UUID | None
    clues: Sequence[str]
    currency: str
    is_paid: bool


def order_key(order_ref: str) -> str:
    return f"order:ref:{order_ref}"


def join_orders(rows: Iterable[Transaction]) -> dict[UUID, KnownOrder]:
    """Give new payments their orders, the stores and the buyers' signs of these; by payment."""
    payments = [row for row in rows if row.kind == Kind.PAYMENT and row.order_ref]
    if not payments:
        return {}
    by_ref: dict[str, list[KnownOrder]] = {}
    for found in fetch_all(_ORDERS, [list({row.order_ref for row in payments})]):
        order = KnownOrder(*found)
        by_ref.setdefault(order.order_ref, []).append(order)
    joined = {}
    for row in payments:
        chosen = order_for(row.store_id, by_ref.get(row.order_ref, ()))
        if chosen is not None:
            row.order_id = chosen.id
            row.store_id = row.store_id or chosen.store_id
            row.clues = list(dict.fromkeys((*chosen.clues, *row.clues)))
            joined[row.pk] = chosen
    return joined


def order_for(store_id: int | None, orders: Sequence[KnownOrder]) -> KnownOrder | None:
    """Two stores may number their orders alike: where both are known they must agree, and where
    one is not there must be no doubt."""
    by_store = {order.store_id: order for order in orders}
    if store_id is None and len(orders) == 1:
        return orders[0]
    return by_store.get(store_id) or by_store.get(None)


def baskets_of(
    without_lines: Iterable[Transaction], joined: Mapping[UUID, KnownOrder]
) -> dict[UUID, list[BasketLine]]:
    """The lines that payments without lines of their own take over from their orders: the first
    payment takes all of them, in the order's own currency only."""
    takers: dict[UUID, Transaction] = {}
    for row in without_lines:
        order = joined.get(row.pk)
        if order is not None and not order.is_paid and order.currency == row.currency:
            takers[order.id] = row
            order.is_paid = True
    if not takers:
        return {}
    lines: dict[UUID, list[BasketLine]] = {}
    found = OrderLine.objects.filter(is_any_of("order_id", takers)).order_by("position")
    for line in found:
        taker = takers[line.order_id]
        lines.setdefault(taker.pk, []).append((line.product_id, line.quantity, line.amount))
    return lines
