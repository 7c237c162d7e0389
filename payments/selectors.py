"""Reading about money in: what is left of a payment, and what was sold."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, NullIf

from kit.checking import known_countries
from kit.money import Money
from payments.models import Category, Line, PaymentMethod, Transaction
from payments.rules.remaining import undone_refunds, what_remains
from payments.rules.returning import Goods, came_back


def corrections_of(payment: Transaction) -> QuerySet[Transaction]:
    """Refunds, chargebacks and reversals of `payment`, in the order in which they happened."""
    return Transaction.objects.filter(original=payment).order_by("occurred_at", "pk")


def left_of(payment: Transaction) -> Money:
    """What is left of `payment`, worked out from all facts; those in other currencies wait for
    staff and take nothing."""
    corrections = corrections_of(payment).filter(currency=payment.currency)
    return Money(what_remains(payment.amount, corrections), payment.currency)


@dataclass(frozen=True, slots=True)
class BoughtLine:
    """A line of a payment, and how many of its goods came back already."""

    line: Line
    goods: Goods
    back: Decimal

    @property
    def left(self) -> Decimal:
        return self.goods.quantity - self.back


def bought_lines(payment: Transaction) -> list[BoughtLine]:
    """The payment's own lines in their order, with what its refunds took back of each."""
    lines = list(payment.lines.select_related("product").order_by("position"))
    if not lines:
        return []
    goods = [Goods(line.product_id, line.quantity, line.amount) for line in lines]
    back = came_back(goods, _returned(payment))
    return [BoughtLine(*each) for each in zip(lines, goods, back, strict=True)]


def _returned(payment: Transaction) -> list[Goods]:
    """What refunds of the payment say came back; those of its order's other payments too, where
    these have no lines that could come back. What was told again counts once, and what was undone
    by a reversal not at all."""
    payments = Q(original=payment)
    if payment.order_ref:
        same = Q(order_ref=payment.order_ref, store_id=payment.store_id, lines=None)
        others = Transaction.objects.filter(same, kind=Transaction.Kind.PAYMENT)
        payments |= Q(original__in=others)
    refunds = Transaction.objects.filter(payments, kind=Transaction.Kind.REFUND)
    told_again = Line.objects.filter(transaction__confirms=OuterRef("transaction"))
    undone = undone_refunds(corrections_of(payment))
    found = Line.objects.filter(~Exists(told_again), transaction__in=refunds).exclude(
        transaction__in=[row.pk for row in undone]
    )
    return [
        Goods(*each)
        for each in found.order_by("transaction", "position").values_list(
            "product_id", "quantity", "amount"
        )
    ]


@dataclass(frozen=True, slots=True)
class CategoryTree:
    """Every category by its key: its code, and the one that it stands under. A ring, which no
    form lets in, ends where it began."""

    codes: Mapping[int, str]
    parents: Mapping[int, int | None]

    def above(self, category_id: int) -> tuple[str, ...]:
        """Its own code and those above it."""
        found: list[str] = []
        step: int | None = category_id
        while step is not None and self.codes[step] not in found:
            found.append(self.codes[step])
            step = self.parents[step]
        return tuple(found)

    def below(self, category_id: int) -> set[int]:
        """Itself and all below it."""
        family = {category_id}
        while fresh := {pk for pk, up in self.parents.items() if up in family} - family:
            family |= fresh
        return family


def category_tree() -> CategoryTree:
    rows = list(Category.objects.values_list("pk", "code", "parent_id"))
    return CategoryTree(
        codes={pk: code for pk, code, _parent in rows},
        parents={pk: parent for pk, _code, parent in rows},
    )


def brands_of(payment_ids: Iterable[UUID]) -> dict[UUID, frozenset[str]]:
    """The brands in each payment's lines."""
    lines = Line.objects.filter(transaction__in=set(payment_ids)).exclude(product__brand="")
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    for payment_id, brand in lines.values_list("transaction_id", "product__brand"):
        found[payment_id].add(brand)
    return {payment_id: frozenset(brands) for payment_id, brands in found.items()}


def share_with_lines(payments: QuerySet[Transaction], *, since: datetime) -> int | None:
    """How many per cent of the payments since then say what was bought; None without payments."""
    recent = payments.filter(kind=Transaction.Kind.PAYMENT, occurred_at__gte=since).order_by()
    has_lines = Exists(Line.objects.filter(transaction=OuterRef("pk")))
    found = recent.annotate(has_lines=has_lines).aggregate(
        total=Count("pk"), told=Count("pk", filter=Q(has_lines=True))
    )
    if not found["total"]:
        return None
    share = Decimal(found["told"] * 100) / found["total"]
    return int(share.to_integral_value(ROUND_HALF_UP))


def method_names(codes: Iterable[str]) -> dict[str, str]:
    """How readers of the active language call these payment methods."""
    rows = PaymentMethod.objects.filter(code__in=set(codes) - {""})
    return {row.code: str(row) for row in rows}


def of_visitors(rows: QuerySet[Any], *, are_visitors: bool = True) -> QuerySet[Any]:
    """Transactions of visitors, or of locals, by payments/rules/visitors.py; those of whom nobody
    can say are neither."""
    own_country = Coalesce(NullIf(_country_of("member__region"), Value("")), F("payer_country"))
    known: QuerySet[Any] = rows.annotate(
        own_country=own_country, store_country=_country_of("store__region")
    )
    known = known.exclude(own_country="").exclude(store_country="")
    is_at_home = Q(own_country=F("store_country"))
    return known.filter(~is_at_home if are_visitors else is_at_home)


def _country_of(region: str) -> Case:
    """As `Region.country_code` has it."""
    is_country = Q(**{f"{region}__code__in": sorted(known_countries())})
    return Case(
        When(~Q(**{f"{region}__country": ""}), then=F(f"{region}__country")),
        When(is_country, then=F(f"{region}__code")),
        default=Value(""),
        output_field=CharField(),
    )
