"""Why money that went back cannot be booked, as problems of the API: `/sales` and `/returns` say
the same."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from rest_framework.exceptions import APIException, ValidationError

from kit.http import Refused
from kit.money import Money
from payments.api.baskets import coin
from payments.models import Transaction
from payments.selectors import left_of
from payments.services.refunds import (
    BeforePayment,
    CannotRefund,
    NotAPayment,
    NotBought,
    OtherCurrency,
    RefTaken,
    TooMuch,
)
from payments.services.returns import currency_of, lefts_of

_STATUS: Final = {
    RefTaken: (HTTPStatus.CONFLICT, "refund_ref_taken"),
    TooMuch: (HTTPStatus.UNPROCESSABLE_ENTITY, "refund_too_large"),
    NotAPayment: (HTTPStatus.UNPROCESSABLE_ENTITY, "not_a_payment"),
    OtherCurrency: (HTTPStatus.UNPROCESSABLE_ENTITY, "refund_currency"),
}


def problem_of(refusal: CannotRefund, payments: Sequence[Transaction]) -> APIException:
    """`payments`: what was to be taken back of."""
    if isinstance(refusal, BeforePayment):
        return ValidationError({"occurred_at": [str(refusal)]})
    if isinstance(refusal, NotBought):
        places = {str(place): {"sku": [words]} for place, words in refusal.places.items()}
        return ValidationError({"lines": places})
    status, code = _STATUS.get(
        type(refusal), (HTTPStatus.UNPROCESSABLE_ENTITY, "refund_not_possible")
    )
    extra: dict[str, Any] = {}
    if isinstance(refusal, TooMuch):
        extra["left"] = coin(left_in(currency_of(payments), payments))
    if isinstance(refusal, TooMuch) and len(payments) > 1:
        extra["payments"] = [
            {
                "id": str(left.payment.pk),
                "method": left.payment.method,
                "left": coin(left.money),
                "currency": left.money.currency,
            }
            for left in lefts_of(payments)
        ]
    return Refused(str(refusal), code=code, status=status, **extra)


def left_in(currency: str, payments: Sequence[Transaction]) -> Money:
    """What is left of those of the payments that were made in this currency."""
    lefts = [left_of(row).amount for row in payments if row.currency == currency]
    return Money(sum(lefts, Decimal(0)), currency)
