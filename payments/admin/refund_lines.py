"""The part of the refund dialog in which staff say which goods came back, and how many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.widgets import BASE_INPUT_CLASSES

from kit.admin import plain
from kit.money import Money, exponent
from payments.models import Transaction
from payments.providers.base import NoticeLine
from payments.rules.returning import worth
from payments.rules.spreading import spread
from payments.selectors import BoughtLine, bought_lines, left_of
from payments.services.refunds import too_many

MOST_SHOWN: Final = 500  # As many as the API takes in one refund.
_THOUSANDTHS: Final = 3  # Of a piece: quantities have no more decimals.


@dataclass(frozen=True, slots=True)
class Picked:
    """So many of a line came back."""

    bought: BoughtLine
    quantity: Decimal

    def worth(self, places: int) -> Decimal:
        return worth(
            self.bought.goods, back=self.bought.back, quantity=self.quantity, places=places
        )


class ReturnedWidget(forms.Widget):
    """A quantity for each line; static/payments/refunds.js proposes the amount by them."""

    def __init__(self, payment: Transaction, rows: Sequence[BoughtLine], left: Money) -> None:
        super().__init__()
        self.payment, self.rows, self.left = payment, rows, left

    def value_from_datadict(
        self, data: Mapping[str, Any], files: Any, name: str
    ) -> dict[int, str]:
        return {
            row.line.position: data.get(f"{name}-{row.line.position}", "") for row in self.rows
        }

    def id_for_label(self, id_: str) -> str:
        return ""  # Each quantity has a label of its own.

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        given = value or {}
        places = exponent(self.payment.currency)
        context = {
            "name": name,
            "classes": " ".join(BASE_INPUT_CLASSES),
            "places": places,
            "left": _units(self.left.amount, places),
            "rows": [
                self._shown(row, places) | {"given": given.get(row.line.position, "")}
                for row in self.rows
            ],
        }
        return render_to_string("admin/payments/returned_lines.html", context)

    def _shown(self, row: BoughtLine, places: int) -> dict[str, Any]:
        money = Money(row.line.amount, self.payment.currency)
        return {
            "position": row.line.position,
            "product": str(row.line.product),
            "sku": row.line.product.sku,
            "bought": plain(row.goods.quantity),
            "amount": money.display(get_language() or "en"),
            "back": plain(row.back) if row.back else "",
            "left": f"{row.left.normalize():f}" if row.left > 0 else "",
            "units": _units(row.line.amount, places),
            "bought_units": _units(row.goods.quantity, _THOUSANDTHS),
            "back_units": _units(row.back, _THOUSANDTHS),
        }


class ReturnedField(forms.Field):
    """Cleans to what was picked. It is there only where the payment says what was bought."""

    def __init__(self, payment: Transaction, rows: Sequence[BoughtLine], left: Money) -> None:
        super().__init__(
            label=gettext_lazy("What came back"),
            required=False,
            help_text=gettext_lazy("Leave it empty if no goods came back, or nobody knows which."),
            widget=ReturnedWidget(payment, rows, left),
        )
        self.rows = rows

    def clean(self, value: Mapping[int, str]) -> list[Picked]:
        quantity = forms.DecimalField(
            required=False, min_value=0, max_digits=12, decimal_places=_THOUSANDTHS
        )
        picked, problems = [], []
        for row in self.rows:
            name = str(row.line.product)
            try:
                given = quantity.clean(value.get(row.line.position, ""))
            except ValidationError as refusal:
                words = {"product": name, "problem": " ".join(refusal.messages)}
                problems.append(_("%(product)s: %(problem)s") % words)
                continue
            if given:
                picked.append(Picked(row, given))
        if problems:
            raise ValidationError(problems)
        return picked


def returned_field(payment: Transaction) -> ReturnedField | None:
    """None where nothing is known that could come back."""
    found = bought_lines(payment)[:MOST_SHOWN]
    rows = [row for row in found if row.goods.quantity > 0 and row.goods.amount >= 0]
    return ReturnedField(payment, rows, left_of(payment)) if rows else None


def refusals_of(picked: Sequence[Picked]) -> list[str]:
    """Where more came back than was on the line."""
    return [
        too_many(str(each.bought.line.product), each.bought.left)
        for each in picked
        if each.quantity > each.bought.left
    ]


def proposed_amount(picked: Sequence[Picked], left: Money) -> Decimal:
    """What was paid for what came back, and never more than is left of the payment."""
    places = exponent(left.currency)
    return min(sum((each.worth(places) for each in picked), Decimal(0)), left.amount)


def lines_of(picked: Sequence[Picked], money: Money) -> tuple[NoticeLine, ...]:
    """As an API sends them. Where less was paid back than they cost, each bears its share."""
    places = exponent(money.currency)
    units = [_units(each.worth(places), places) for each in picked]
    asked = _units(money.amount, places)
    if sum(units) > asked:
        units = spread(asked, units)
    return tuple(
        NoticeLine(
            sku=each.bought.line.product.sku,
            quantity=each.quantity,
            amount=Money.from_minor(share, money.currency).amount,
        )
        for each, share in zip(picked, units, strict=True)
    )


def _units(figure: Decimal, places: int) -> int:
    return int(figure.scaleb(places))
