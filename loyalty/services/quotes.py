"""What a coupon would take off here and now, or why it would not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import get_language

from kit.money import Money
from loyalty.models import Coupon, CouponType
from loyalty.refusals import (
    AlreadyUsed,
    BelowMinimum,
    BillNeeded,
    Cancelled,
    Expired,
    NotForCategory,
    NotYetValid,
    WrongCurrency,
    WrongStore,
)
from loyalty.rules.discounts import amount_off, percent_off, to_coin
from members.models import Programme, Store
from payments.models import Category, Product
from payments.providers.base import NoticeLine
from payments.selectors import category_tree


def quote_coupon(
    coupon: Coupon,
    *,
    bill: Money | None,
    store: Store | None,
    now: datetime,
    lines: Sequence[NoticeLine] = (),
) -> Money:
    """The discount; raises a CouponRefused that says why not and what to do.

    The minimum is asked of the whole bill. The discount is taken off the part that the coupon is
    for: the lines of its category, or without lines the bill as it is named.
    """
    check_coupon(coupon, now=now)
    check_store(coupon.type, store)
    _check_bill(coupon.type, bill)
    part = _part_for(coupon.type, bill, lines)
    return _discount(coupon.type, part)


def check_coupon(coupon: Coupon, *, now: datetime) -> None:
    """Raises Cancelled, NotYetValid, Expired or AlreadyUsed."""
    if coupon.cancelled_at is not None:
        raise Cancelled
    if now < coupon.starts_at:
        raise NotYetValid(day=day_of(coupon.starts_at))
    if now >= coupon.expires_at:
        # The end is exclusive: midnight belongs to a day on which the coupon is not valid.
        raise Expired(day=day_of(coupon.expires_at - timedelta(microseconds=1)))
    used = list(coupon.uses.filter(cancelled_at=None).order_by("-used_at"))
    if len(used) >= coupon.type.uses_per_coupon:
        raise AlreadyUsed(day=day_of(used[0].used_at))


def check_store(kind: CouponType, store: Store | None) -> None:
    """Raises WrongStore."""
    allowed = list(kind.stores.all())
    if allowed and store not in allowed:
        raise WrongStore(stores=", ".join(str(one) for one in allowed))


def day_of(moment: datetime) -> str:
    """The day as the reader writes it, in the programme's zone."""
    local = moment.astimezone(ZoneInfo(Programme.current().zone))
    return date_format(local.date(), "DATE_FORMAT")


def _check_bill(kind: CouponType, bill: Money | None) -> None:
    """Raises BillNeeded, WrongCurrency or BelowMinimum."""
    is_percent = kind.benefit == CouponType.Benefit.PERCENT
    if bill is None:
        if is_percent or kind.minimum_spend > 0:
            raise BillNeeded
        return
    is_in_currency = (
        kind.benefit == CouponType.Benefit.AMOUNT
        or kind.minimum_spend > 0
        or (is_percent and kind.most_off is not None)
    )
    if is_in_currency and bill.currency != kind.currency:
        raise WrongCurrency(currency=kind.currency)
    if bill.amount < kind.minimum_spend:
        raise BelowMinimum(
            minimum=_shown(kind.minimum_spend, bill.currency),
            missing=_shown(kind.minimum_spend - bill.amount, bill.currency),
        )


def _part_for(kind: CouponType, bill: Money | None, lines: Sequence[NoticeLine]) -> Money | None:
    """The part of the bill that the coupon is for; raises NotForCategory."""
    if kind.category is None or not lines:
        return bill
    codes, skus = _goods_of(kind.category, lines)
    fitting = [line.amount for line in lines if line.sku in skus or line.category in codes]
    if not fitting:
        raise NotForCategory(category=str(kind.category))
    if bill is None:
        return None
    return Money(min(sum(fitting, Decimal(0)), bill.amount), bill.currency)


def _goods_of(category: Category, lines: Sequence[NoticeLine]) -> tuple[set[str], set[str]]:
    """Codes of the category and all below it, and those articles of `lines` filed there."""
    tree = category_tree()
    family = tree.below(category.pk)
    sold = Q(sku__in={line.sku for line in lines}, category__in=family)
    skus = set(Product.objects.filter(sold).values_list("sku", flat=True))
    return {tree.codes[pk] for pk in family}, skus


def _discount(kind: CouponType, part: Money | None) -> Money:
    if kind.benefit == CouponType.Benefit.GIFT:
        return Money(Decimal(0), part.currency if part else kind.currency)
    if part is None:
        return Money(to_coin(kind.value, kind.currency), kind.currency)
    if kind.benefit == CouponType.Benefit.AMOUNT:
        return amount_off(kind.value, bill=part)
    return percent_off(kind.value, bill=part, most=kind.most_off)


def _shown(amount: Decimal, currency: str) -> str:
    return Money(amount, currency).display(get_language() or "en")
