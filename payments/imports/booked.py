"""Orders of a file against what is booked: known, contradicting, or taking back what never was or
is not there any more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from kit.bulk import is_any_of
from kit.money import Money
from kit.spreadsheet_import import SAME
from payments.imports.orders import Order
from payments.models import Account, Transaction
from payments.providers.base import Kind
from payments.rules.remaining import what_remains
from payments.services.refunds import words_of


def compare_with_booked(orders: Sequence[Order], *, provider: str) -> None:
    """Find which orders are here already, and refuse those that contradict what is."""
    account = Account.objects.filter(provider=provider).first()
    refs = {order.ref for order in orders} | {order.original_ref for order in orders} - {""}
    booked = {}
    elsewhere = {}
    rows = (
        Transaction.objects.filter(account=account, order_ref__in=refs).values_list(
            "kind", "payment_ref", "effect_ref", "order_ref", "amount", "currency", "occurred_at"
        )
        if account
        else ()
    )
    for kind, payment_ref, effect_ref, order_ref, amount, currency, occurred_at in rows:
        booked[kind, payment_ref, effect_ref] = (amount, currency)
        elsewhere[order_ref, amount, currency, occurred_at] = effect_ref
    payments = {ref for kind, ref, _effect in booked if kind == Kind.PAYMENT} | {
        order.payment_ref for order in orders if order.kind == Kind.PAYMENT
    }
    for order in orders:
        _compare_order(order, booked, elsewhere)
        if order.kind == Kind.REFUND:
            _check_original(order, payments)
    _check_what_is_left(orders, account)


def _compare_order(order: Order, booked: dict[Any, Any], elsewhere: dict[Any, str]) -> None:
    key = (order.kind, order.payment_ref, order.effect_ref)
    if key in booked:
        amount, currency = booked[key]
        if (amount, currency) != (order.total, order.currency):
            order.refuse(
                _(
                    "This order is booked already, with %(amount)s. What was booked stays; a"
                    " refund corrects it."
                )
                % {"amount": Money(amount.quantize(order.total), currency)}
            )
            return
        order.is_known = True
        for row in order.rows:
            row.outcome = SAME
        return
    twin = elsewhere.get((order.ref, order.total, order.currency, order.occurred_at))
    if twin is not None and twin != order.effect_ref:
        order.refuse(
            _("The same order was imported for another store already (%(order)s).")
            % {"order": twin}
        )


def _check_original(order: Order, payments: set[str]) -> None:
    if not order.original_ref:
        order.refuse(
            _(
                "This takes money back but does not say from which payment. Fill “original order”"
                " with the number of the order that was refunded."
            )
        )
    elif order.payment_ref not in payments:
        order.refuse(
            _("The original order %(order)s is neither booked nor in this file.")
            % {"order": order.original_ref}
        )


def _check_what_is_left(orders: Iterable[Order], account: Account | None) -> None:
    """Refuse refunds of more than is left, taken in the order in which they happened."""
    sound = [order for order in orders if not (order.has_errors or order.is_known)]
    refunds = [order for order in sound if order.kind == Kind.REFUND]
    left = _left_of_booked({order.payment_ref for order in refunds}, account)
    left |= {
        order.payment_ref: Money(order.total, order.currency)
        for order in sound
        if order.kind == Kind.PAYMENT
    }
    for refund in sorted(refunds, key=lambda refund: refund.occurred_at):
        there = left.get(refund.payment_ref)
        wanted = Money(refund.total, refund.currency)
        if there is None:
            continue  # The file has the payment, in a row that is refused itself.
        if there.currency != wanted.currency:
            refund.refuse(
                _("It was paid in %(currency)s. Enter the amount in %(currency)s.")
                % {"currency": there.currency}
            )
        elif there < wanted:
            refund.refuse(
                _("Only %(amount)s is left of this payment. Enter that much or less.")
                % {"amount": words_of(there)}
            )
        else:
            left[refund.payment_ref] = there - wanted


def _left_of_booked(payment_refs: set[str], account: Account | None) -> dict[str, Money]:
    """By payment reference, in one query however many."""
    if account is None or not payment_refs:
        return {}
    rows = Transaction.objects.filter(is_any_of("payment_ref", payment_refs), account=account)
    payments = {row.payment_ref: row for row in rows if row.kind == Kind.PAYMENT}
    corrections = defaultdict(list)
    for row in rows:
        payment = payments.get(row.payment_ref)
        if row.kind != Kind.PAYMENT and payment and row.currency == payment.currency:
            corrections[row.payment_ref].append(row)
    return {
        ref: Money(what_remains(row.amount, corrections[ref]), row.currency)
        for ref, row in payments.items()
    }
