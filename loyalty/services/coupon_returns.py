"""Coupons whose purchase is refunded in full can be used again; settling calls here.

The order number that a coupon was redeemed with says what was bought with it. Its use is taken
back once refunds alone left nothing of any payment that may be of that order: same person, same
number, same store where both know one, and received before the refund. So a part of an order gives
no coupon back, and neither does a chargeback.

If a refund fails afterwards, its reversal enters the uses that the refund gave back anew, under
the next numbers and with the day of then, as far as the coupon has uses left. Whoever used it
meanwhile keeps that. Lapsed and void coupons are treated like all others: the uses are to be true,
and nobody can redeem these again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce

from kit.bulk import is_any_of, update_many
from loyalty.models import Coupon, CouponUse
from loyalty.services.cases import Case, Kind
from loyalty.services.coupons import locked_coupons, redeemed_event, returned_event
from members.models import Programme
from members.persons import rows_of
from members.services.timeline import record_events
from payments.models import Transaction
from payments.rules.remaining import is_refunded_in_full

_ASKED: Final = (
    *("original", "received_at", "kind", "amount"),
    *("is_total", "is_outside", "confirms"),
)

PersonsOrder = tuple[UUID, str]


class _Paid(NamedTuple):
    """A payment under an order number, where it was made, if that is known, and what of it is
    settled."""

    payment: UUID
    store_id: int | None
    received_at: datetime
    amount: Decimal
    corrections: list[Transaction]

    @property
    def is_refunded(self) -> bool:
        return is_refunded_in_full(self.amount, self.corrections)


def follow_refunds(cases: Iterable[Case], *, programme: Programme, now: datetime) -> None:
    """Take back the uses of orders of which a refund in `cases`, all settled now, left nothing;
    enter those anew that a reversal in `cases` makes true again.

    Each person has one case at most, and their standing is locked. Coupons are locked in key order
    until the caller's transaction ends, so call it last. The number of queries is fixed, and none
    where nothing with an order number was refunded in full.
    """
    turning = {case.standing.pk: case for case in cases if _is_turning(case, programme)}
    if not turning:
        return
    persons = {row: person for person, rows in rows_of(turning).items() for row in rows}
    uses_by_coupon = _lock_uses(persons, {case.payment.order_ref for case in turning.values()})
    if not uses_by_coupon:
        return
    paid = _paid_for(turning)
    returned: list[CouponUse] = []
    renewed: list[tuple[CouponUse, Case]] = []
    for uses in uses_by_coupon.values():
        case = turning[persons[uses[0].coupon.member_id]]
        order = _Order.of(case, paid[case.standing.pk, case.payment.order_ref])
        own = [use for use in uses if order.may_be_of(use)]
        if order.paid.is_refunded:
            returned += _taken_back(own, order, now=now)
        else:
            renewed += [(use, case) for use in _entered_anew(own, uses)]
    update_many(returned, ["cancelled_at", "refund"])
    CouponUse.record(use for use, _case in renewed)
    record_events(
        [
            *(returned_event(use, refund=str(use.refund_id), now=now) for use in returned),
            *(redeemed_event(use, reversal=str(case.row.pk), now=now) for use, case in renewed),
        ]
    )


def _is_turning(case: Case, programme: Programme) -> bool:
    """Whether this refund left nothing of its payment, or this correction ended such a state."""
    if case.is_payment or not case.payment.order_ref:
        return False
    was = is_refunded_in_full(case.payment.amount, case.earlier)
    is_now = is_refunded_in_full(case.payment.amount, [*case.earlier, case.row])
    if is_now and not was:
        return programme.returns_coupons and case.row.kind == Kind.REFUND
    return was and not is_now


def _lock_uses(
    members: Iterable[UUID], order_refs: Iterable[str]
) -> Mapping[UUID, Sequence[CouponUse]]:
    """All uses, in order, of the members' coupons that were ever used for such an order."""
    members, order_refs = list(members), list(order_refs)
    for_order = CouponUse.objects.filter(is_any_of("order_ref", order_refs))
    wanted = Exists(for_order.filter(coupon=OuterRef("pk")))
    found = locked_coupons().filter(wanted, is_any_of("member_id", members)).order_by("pk")
    coupons: dict[UUID, Coupon] = {coupon.pk: coupon for coupon in found}
    uses: defaultdict[UUID, list[CouponUse]] = defaultdict(list)
    if coupons:
        rows = CouponUse.objects.filter(is_any_of("coupon_id", coupons)).select_related("store")
        for use in rows.order_by("coupon_id", "number"):
            use.coupon = coupons[use.coupon_id]
            uses[use.coupon_id].append(use)
    return uses


def _paid_for(turning: Mapping[UUID, Case]) -> Mapping[PersonsOrder, Sequence[_Paid]]:
    """What these persons paid under the order numbers of their cases."""
    order_refs = {case.payment.order_ref for case in turning.values()}
    rows = (
        Transaction.objects.filter(is_any_of("order_ref", order_refs), kind=Kind.PAYMENT)
        .annotate(
            person=Coalesce(F("member__merged_into_id"), F("member_id")),
            shop=Coalesce(F("store_id"), F("order__store_id")),
        )
        .filter(is_any_of("person", turning))
        .values_list("person", "order_ref", "pk", "shop", "received_at", "amount")
    )
    paid: defaultdict[PersonsOrder, list[_Paid]] = defaultdict(list)
    for person, order_ref, pk, shop, received_at, amount in rows:
        paid[person, order_ref].append(_Paid(pk, shop, received_at, amount, []))
    corrections = {one.payment: one.corrections for found in paid.values() for one in found}
    settled = Transaction.objects.filter(is_any_of("original_id", corrections), due_at=None)
    for row in settled.only(*_ASKED):
        assert row.original_id is not None
        corrections[row.original_id].append(row)
    return paid


class _Order(NamedTuple):
    """What a case's payment paid, perhaps with other payments.

    paid:     the case's own payment
    payments: those received when the case's fact was: what comes later is settled later, however
              many are settled at once
    """

    case: Case
    paid: _Paid
    payments: Sequence[_Paid]

    @classmethod
    def of(cls, case: Case, found: Sequence[_Paid]) -> "_Order":
        own = next(paid for paid in found if paid.payment == case.payment.pk)
        told = next(row.received_at for row in own.corrections if row.pk == case.row.pk)
        moment = max(told, own.received_at)
        return cls(case, own, [paid for paid in found if paid.received_at <= moment])

    def may_be_of(self, use: CouponUse) -> bool:
        return use.order_ref == self.case.payment.order_ref and _may_be_at(use, self.paid)


def _may_be_at(use: CouponUse, paid: _Paid) -> bool:
    return None in (use.store_id, paid.store_id) or use.store_id == paid.store_id


def _taken_back(own: Iterable[CouponUse], order: _Order, *, now: datetime) -> list[CouponUse]:
    found = []
    for use in own:
        payments = [paid for paid in order.payments if _may_be_at(use, paid)]
        if use.cancelled_at is None and all(paid.is_refunded for paid in payments):
            use.cancelled_at, use.refund_id = now, order.case.row.pk
            found.append(use)
    return found


def _entered_anew(own: Sequence[CouponUse], uses: Sequence[CouponUse]) -> list[CouponUse]:
    """The uses that the last refund of the order gave back, unless it was used for it since."""
    last = own[-1].refund_id if own else None
    if last is None:
        return []
    free = uses[0].coupon.type.uses_per_coupon - sum(use.cancelled_at is None for use in uses)
    given_back = [use for use in own if use.refund_id == last][: max(free, 0)]
    return [
        CouponUse(
            coupon=use.coupon,
            number=number,
            used_at=use.used_at,
            store=use.store,
            order_ref=use.order_ref,
            bill=use.bill,
            discount=use.discount,
            currency=use.currency,
            api_key_id=use.api_key_id,
            actor_id=use.actor_id,
        )
        for number, use in enumerate(given_back, uses[-1].number + 1)
    ]
