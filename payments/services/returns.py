"""Returns of orders: spread over what was paid for an order, by what is left of each payment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain, count
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from kit.money import Money, exponent
from kit.work import hold_keys
from payments.models import HandEntry, Line, Transaction
from payments.providers.base import Kind
from payments.rules.spreading import spread
from payments.selectors import left_of
from payments.services.booking import payment_key
from payments.services.refunds import (
    OtherCurrency,
    Refunded,
    TooMuch,
    Wanted,
    check_moment,
    refund_payment,
    similar_to,
    taken_already,
    words_of,
)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one payment of an order."""

    payment: Transaction
    money: Money


def currency_of(payments: Sequence[Transaction]) -> str:
    """The one in which a return of the order is: the order's own, if it was paid in it."""
    paid = [payment.currency for payment in payments]
    order = payments[0].order
    return order.currency if order is not None and order.currency in paid else paid[0]


def lefts_of(payments: Iterable[Transaction]) -> list[Left]:
    return [Left(payment, left_of(payment)) for payment in payments]


def return_order(
    payments: Sequence[Transaction], wanted: Wanted, *, by: Any, now: datetime
) -> list[Refunded]:
    """Book a return as refunds of an order's payments; raises CannotRefund, and then nothing is
    booked. Repeating it with the same reference and amount changes nothing.

    The first part has the reference itself, the others `<reference>:2` and so on. Lines stay
    together, on the part of the payment that has the lines bought: points follow them there.
    """
    with transaction.atomic():
        hold_keys([payment_key(row.account_id, row.payment_ref) for row in payments])
        known = _known(payments, wanted)
        if known:
            return [Refunded(row, is_new=False) for row in known]
        parts = _parts(payments, wanted, by=by, now=now)
        return [refund_payment(payment, part, by=by, now=now) for payment, part in parts]


def _known(payments: Sequence[Transaction], wanted: Wanted) -> list[Transaction]:
    """The same return, booked before; raises RefTaken. Parts of one return were entered in the
    same moment: `RET-1:2` may also be somebody's own number."""
    rows = _with_reference(payments, wanted.ref)
    entries = HandEntry.objects.filter(transaction__in=rows)
    moments = dict(entries.values_list("transaction", "entered_at"))
    booked = []
    for first in (row for row in rows if row.effect_ref == wanted.ref):
        moment = moments.get(first.pk)
        others = [row for row in rows if row.effect_ref != wanted.ref and row.pk in moments]
        parts = [first, *(row for row in others if moments[row.pk] == moment)]
        booked.append(Money(sum((row.amount for row in parts), Decimal(0)), first.currency))
        if booked[-1] == wanted.amount:
            return parts
    if booked:
        raise taken_already(wanted.ref, booked[0])
    return []


def _with_reference(payments: Sequence[Transaction], ref: str) -> list[Transaction]:
    rows = Transaction.objects.filter(original__in=payments, kind=Kind.REFUND)
    found = rows.filter(effect_ref__startswith=ref).select_related("original").order_by("pk")
    return [row for row in found if row.effect_ref == ref or row.effect_ref.startswith(f"{ref}:")]


def _parts(
    payments: Sequence[Transaction], wanted: Wanted, *, by: Any, now: datetime
) -> list[tuple[Transaction, Wanted]]:
    """Which payment bears how much; raises CannotRefund."""
    made = check_moment(payments, wanted.occurred_at or now)
    same = [row for row in made if row.currency == wanted.amount.currency]
    if not same:
        raise OtherCurrency(_("No payment of this order was made in this currency."))
    told = _told(same, wanted, by=by, now=now)
    if len(payments) == 1 or told is not None:
        return [(told or payments[0], wanted)]
    lefts = [left for left in lefts_of(same) if left.money.amount > 0]
    places = exponent(wanted.amount.currency)
    units = [int(left.money.amount.scaleb(places)) for left in lefts]
    asked = int(wanted.amount.amount.scaleb(places))
    if asked > sum(units):
        raise TooMuch(_too_much(made, wanted.amount.currency))
    shares = zip(lefts, spread(asked, units), strict=True)
    bearing = [
        (left.payment, Money.from_minor(share, wanted.amount.currency))
        for left, share in shares
        if share
    ]
    return _named(bearing, wanted, taken=_with_reference(payments, wanted.ref))


def _told(
    payments: Sequence[Transaction], wanted: Wanted, *, by: Any, now: datetime
) -> Transaction | None:
    """The payment of which its platform has told this very refund."""
    if wanted.is_outside:
        return None
    when, amount = wanted.occurred_at or now, wanted.amount
    for row in payments:
        if similar_to(row, amount=amount, kind=wanted.kind, now=when, by=by) is not None:
            return row
    return None


def _named(
    bearing: Sequence[tuple[Transaction, Money]],
    wanted: Wanted,
    *,
    taken: Iterable[Transaction],
) -> list[tuple[Transaction, Wanted]]:
    """Each part with a reference of its own; the lines on one of them."""
    used = {row.effect_ref for row in taken}
    numbers = (f"{wanted.ref}:{number}" for number in count(2))
    refs = chain([wanted.ref], (ref for ref in numbers if ref not in used))
    payments = [payment for payment, _money in bearing]
    lines = Line.objects.filter(transaction__in=payments)
    holders = set(lines.values_list("transaction", flat=True))
    holder = next((row for row in payments if row.pk in holders), payments[0])
    return [
        (
            payment,
            replace(
                wanted, amount=money, ref=ref, lines=wanted.lines if payment is holder else ()
            ),
        )
        for (payment, money), ref in zip(bearing, refs, strict=False)
    ]


def _too_much(payments: Sequence[Transaction], currency: str) -> str:
    lefts = lefts_of(payments)
    whole = sum(
        (left.money.amount for left in lefts if left.money.currency == currency), Decimal(0)
    )
    each = [
        _("%(amount)s of %(payment)s")
        % {"amount": words_of(left.money), "payment": left.payment.payment_ref}
        for left in lefts
    ]
    return _(
        "Only %(amount)s is left of what was paid for this order: %(payments)s. Enter that much "
        "or less."
    ) % {"amount": words_of(Money(whole, currency)), "payments": ", ".join(each)}
