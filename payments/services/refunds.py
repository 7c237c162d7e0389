"""Refunds, chargebacks and reversals that no platform reports: entered by staff, or by an API."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kit.money import Money
from kit.work import hold_keys
from members.models import ApiKey
from payments.models import HandEntry, OrderLine, Transaction
from payments.providers.base import Kind, Notice, NoticeLine
from payments.selectors import bought_lines, left_of
from payments.services.booking import CLOCK_SKEW, Entry, book, payment_key
from payments.services.twins import told_already

# A refund whose payment has not come in after so long waits in vain, most likely.
DEAD_AFTER: Final = timedelta(days=30)


class CannotRefund(ValueError):
    """The sentence says why not, and what to do."""


class NotAPayment(CannotRefund):
    pass


class OtherCurrency(CannotRefund):
    pass


class TooMuch(CannotRefund):
    """More than is left of the payment, or for a reversal, than was taken of it."""


class BeforePayment(CannotRefund):
    """It is said to have happened before its payment did."""


class NotBought(CannotRefund):
    """Lines of what was not bought; `places`: the sentence for each, by its place."""

    def __init__(self, places: Mapping[int, str]) -> None:
        super().__init__(" ".join(places.values()))
        self.places = places


class TooMany(CannotRefund):
    """More of something came back than was bought, less what had come back before."""


class RefTaken(CannotRefund):
    """The reference belongs to a correction of another amount."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody enters.

    ref:         their own reference; the same one again is the same refund
    is_outside:  paid back another way than by the platform, which will never tell of it
    is_another:  staff looked: what the platform told with the same amount is another one
    """

    amount: Money
    ref: str
    reason: str
    kind: Kind = Kind.REFUND
    lines: tuple[NoticeLine, ...] = ()
    occurred_at: datetime | None = None
    is_outside: bool = False
    is_another: bool = False


@dataclass(frozen=True, slots=True)
class Refunded:
    transaction: Transaction
    is_new: bool


def refund_payment(payment: Transaction, wanted: Wanted, *, by: Any, now: datetime) -> Refunded:
    """Book a correction of `payment` that `by` (a user or an ApiKey) answers for; raises
    CannotRefund. Repeating it with the same reference and amount changes nothing."""
    with transaction.atomic():
        hold_keys([payment_key(payment.account_id, payment.payment_ref)])
        known, told = check_wanted(payment, wanted, by=by, now=now)
        if known is not None:
            return Refunded(known, is_new=False)
        row = book([_entry(payment, wanted, by=by, now=now)]).fresh[0]
        HandEntry.objects.create(
            transaction=row,
            reason=wanted.reason,
            actor=None if isinstance(by, ApiKey) else by,
            api_key=by if isinstance(by, ApiKey) else None,
            entered_at=now,
        )
        if told is not None:
            told.confirms = row
            told.save(update_fields=["confirms"])
    return Refunded(row, is_new=True)


def check_wanted(
    payment: Transaction, wanted: Wanted, *, by: Any, now: datetime
) -> tuple[Transaction | None, Transaction | None]:
    """Look at what somebody is about to enter; raises CannotRefund. Returns the same entry, if it
    was made before; else the same one as the platform's word, if it told of it before."""
    _check(payment, wanted)
    known = _known(payment, wanted)
    if known is not None:
        return known, None
    told = _told(payment, wanted, by=by, now=now)
    _check_fit(payment, wanted, is_told=told is not None)
    if not isinstance(by, ApiKey):  # Other systems count their own goods.
        _check_quantities(payment, wanted.lines)
    return None, told


def check_refund(refund: Notice, *, account_id: int) -> None:
    """Look at a refund that a till is about to book, if its payment is known; raises CannotRefund.
    Call it in the transaction that books."""
    hold_keys([payment_key(account_id, refund.payment_ref)])
    rows = Transaction.objects.filter(account_id=account_id, payment_ref=refund.payment_ref)
    payment = rows.filter(kind=Kind.PAYMENT).first()
    is_known = rows.filter(kind=refund.kind, effect_ref=refund.effect_ref).exists()
    if payment is None or is_known:
        return
    wanted = Wanted(
        amount=refund.amount,
        ref=refund.effect_ref,
        reason="",
        lines=refund.lines,
        occurred_at=refund.occurred_at,
    )
    _check(payment, wanted)
    _check_fit(payment, wanted)


def similar_to(
    payment: Transaction, *, amount: Money, kind: Kind, now: datetime, by: Any = None
) -> Transaction | None:
    """What a platform told already and may be what somebody (`by`) is about to enter."""
    asked = Transaction(
        original=payment,
        kind=kind,
        source=_source_of(by),
        amount=amount.amount,
        currency=amount.currency,
        occurred_at=now,
    )
    return told_already(asked)


def _check(payment: Transaction, wanted: Wanted) -> None:
    if payment.kind != Kind.PAYMENT:
        raise NotAPayment(_("Only a payment can be refunded. Open the payment itself."))
    if wanted.kind == Kind.PAYMENT:
        raise NotAPayment(_("Choose a refund, a chargeback or a reversal."))
    if wanted.amount.currency != payment.currency:
        raise OtherCurrency(
            _("It was paid in %(currency)s. Enter the amount in %(currency)s.")
            % {"currency": payment.currency}
        )
    if wanted.amount.amount <= 0:
        raise CannotRefund(_("The amount must be above zero."))
    if not 0 < len(wanted.ref) <= 100:
        raise CannotRefund(_("Give a reference of at most 100 characters."))


def _known(payment: Transaction, wanted: Wanted) -> Transaction | None:
    """The same entry, made before; raises RefTaken."""
    row = Transaction.objects.filter(
        account_id=payment.account_id,
        payment_ref=payment.payment_ref,
        kind=wanted.kind,
        effect_ref=wanted.ref,
    ).first()
    if row is not None and row.amount != wanted.amount.amount:
        raise taken_already(wanted.ref, row.money)
    return row


def taken_already(ref: str, money: Money) -> RefTaken:
    """The refusal of a reference that was booked before, with this amount."""
    return RefTaken(
        _("%(ref)s is booked already, with %(amount)s. Give this one another reference.")
        % {"ref": ref, "amount": words_of(money)}
    )


def _told(payment: Transaction, wanted: Wanted, *, by: Any, now: datetime) -> Transaction | None:
    """The same one as the platform's word, if it told of it before."""
    if wanted.is_another or wanted.is_outside:
        return None
    when = wanted.occurred_at or now
    return similar_to(payment, amount=wanted.amount, kind=wanted.kind, now=when, by=by)


def _check_fit(payment: Transaction, wanted: Wanted, *, is_told: bool = False) -> None:
    """What only a new one has to heed; raises CannotRefund. `is_told`: the amount is off what is
    left already."""
    if wanted.occurred_at is not None:
        check_moment([payment], wanted.occurred_at)
    if not is_told:
        _check_amount(payment, wanted)
    _check_lines(payment, wanted.lines)


def check_moment(payments: Sequence[Transaction], moment: datetime) -> list[Transaction]:
    """The payments that had been made by then; raises BeforePayment if none had."""
    made = [row for row in payments if row.occurred_at <= moment + CLOCK_SKEW]
    if not made:
        first = min(row.occurred_at for row in payments)
        raise BeforePayment(
            _("This is before the payment, made at %(at)s. Give the time of the refund.")
            % {"at": first.astimezone(UTC).isoformat(timespec="seconds")}
        )
    return made


def _check_lines(payment: Transaction, lines: Sequence[NoticeLine]) -> None:
    """Raises NotBought, where it is known what was bought."""
    bought = _bought_with(payment) if lines else set()
    strange = {
        place: _(
            "%(sku)s was not bought with this order. Send the SKU that was, or leave the lines "
            "out and send the amount."
        )
        % {"sku": line.sku}
        for place, line in enumerate(lines)
        if bought and line.sku not in bought
    }
    if strange:
        raise NotBought(strange)


def _check_quantities(payment: Transaction, lines: Sequence[NoticeLine]) -> None:
    """Raises TooMany."""
    left: defaultdict[str, Decimal] = defaultdict(Decimal)
    names: dict[str, str] = {}
    for bought in bought_lines(payment) if lines else ():
        sku = bought.line.product.sku
        left[sku] += bought.left
        names[sku] = str(bought.line.product)
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        wanted[line.sku] += line.quantity
    for sku, quantity in wanted.items():
        if sku in names and left[sku] < quantity:
            raise TooMany(too_many(names[sku], left[sku]))


def too_many(product: str, left: Decimal) -> str:
    """The refusal of more of `product` than can still come back."""
    if not left:
        return _("All of %(product)s came back already. Leave it empty.") % {"product": product}
    return _("Only %(left)s of %(product)s can still come back. Enter that many or fewer.") % {
        "left": f"{left.normalize():f}",
        "product": product,
    }


def _bought_with(payment: Transaction) -> set[str]:
    """The SKUs of the payment's order and of all that was paid for it; none if part of them may
    have been bought without our knowing."""
    together = Q(pk=payment.pk)
    if payment.order_ref:
        together |= Q(order_ref=payment.order_ref, store_id=payment.store_id)
    paid = Transaction.objects.filter(together, kind=Kind.PAYMENT).values_list(
        "pk", "lines__product__sku"
    )
    lines = OrderLine.objects.filter(order__payments=payment)
    ordered = set(lines.values_list("product__sku", flat=True))
    skus = [sku for _payment, sku in paid]
    if not ordered and None in skus:
        return set()
    return ordered.union(sku for sku in skus if sku is not None)


def _check_amount(payment: Transaction, wanted: Wanted) -> None:
    """Raises TooMuch."""
    left = left_of(payment)
    if wanted.kind == Kind.REVERSAL:
        taken = payment.money - left
        if taken < wanted.amount:
            raise TooMuch(
                _("Only %(amount)s was taken of this payment, so no more can come back.")
                % {"amount": words_of(taken)}
            )
    elif left < wanted.amount:
        raise TooMuch(
            _("Only %(amount)s is left of this payment. Enter that much or less.")
            % {"amount": words_of(left)}
        )


def _entry(payment: Transaction, wanted: Wanted, *, by: Any, now: datetime) -> Entry:
    return Entry(
        notice=Notice(
            kind=wanted.kind,
            payment_ref=payment.payment_ref,
            effect_ref=wanted.ref,
            amount=wanted.amount,
            occurred_at=wanted.occurred_at or now,
            order_ref=payment.order_ref,
            method=payment.method,
            lines=wanted.lines,
        ),
        account_id=payment.account_id,
        source=_source_of(by),
        received_at=now,
        store_id=payment.store_id,
        is_by_hand=True,
        is_outside=wanted.is_outside,
    )


def _source_of(by: Any) -> str:
    return Transaction.Source.API if isinstance(by, ApiKey) else Transaction.Source.STAFF


def words_of(money: Money) -> str:
    """The amount as readers of the active language write it."""
    return money.display(get_language() or "en")
