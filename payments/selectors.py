"""Reading about money in: what is left of a payment."""

from django.db.models import QuerySet

from kit.money import Money
from payments.models import Transaction
from payments.rules.remaining import what_remains


def corrections_of(payment: Transaction) -> QuerySet[Transaction]:
    """Refunds, chargebacks and reversals of `payment`, in the order in which they happened."""
    return Transaction.objects.filter(original=payment).order_by("occurred_at", "pk")


def left_of(payment: Transaction) -> Money:
    """What is left of `payment`, worked out from all facts; those in other currencies wait for
    staff and take nothing."""
    corrections = corrections_of(payment).filter(currency=payment.currency)
    return Money(what_remains(payment.amount, corrections), payment.currency)
