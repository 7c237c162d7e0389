"""One post of a no-code inlet, read by its recipe. Values are checked as they are taken out."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from kit.money import Money
from kit.untrusted import (
    LONGEST_CLUE,
    Unreadable,
    clean_text,
    form_fields,
    json_object,
    plain_decimal,
    plausible,
    positive,
)
from payments.inlet_recipe import Recipe, value_at
from payments.providers.base import Clue, Inbound, Kind, Notice, NoticeLine

_MOST_LINES: Final = 1000
_CLOCK: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII
)


def tree_of(body: bytes, shape: str) -> dict[str, Any]:
    """The post as a tree of fields; raises Unreadable."""
    if shape == "json":
        return json_object(body)
    try:
        return {name.decode(): value.decode() for name, value in form_fields(body).items()}
    except UnicodeDecodeError as problem:
        raise Unreadable("The form is not in UTF-8.") from problem


def notice_by(recipe: Recipe, request: Inbound) -> Notice | None:
    """The one effect that the post tells of, None for a state that is neither paid nor refunded;
    raises Unreadable or MoneyError."""
    post = _Post(recipe, tree_of(request.body, recipe.shape))
    kind = post.kind()
    return post.notice(kind, request) if kind is not None else None


def text_at(tree: Mapping[str, Any], pointer: str, *, longest: int = 100) -> str:
    return _text(value_at(tree, pointer), pointer, longest=longest)


class _Post:
    """A post whose fields are taken out by a recipe."""

    def __init__(self, recipe: Recipe, tree: Mapping[str, Any]) -> None:
        self.recipe = recipe
        self.tree = tree

    def kind(self) -> Kind | None:
        """Payment or refund; None for a state that is neither."""
        if not self.recipe.status:
            return Kind.PAYMENT
        state = self._text("status").casefold()
        if state in self.recipe.refunded:
            return Kind.REFUND
        return Kind.PAYMENT if state in self.recipe.paid else None

    def notice(self, kind: Kind, request: Inbound) -> Notice:
        recipe, reference = self.recipe, self._text("reference")
        money = self._money(kind)
        is_total = kind is Kind.REFUND and recipe.refund_means == "total"
        effect = reference
        if kind is Kind.REFUND:
            own = f"{reference}:{money.amount}" if is_total else self._text("refund_reference")
            effect = clean_text(own, recipe.refund_reference or recipe.reference)
        payer = self._hint("payer", longest=LONGEST_CLUE)
        return Notice(
            kind=kind,
            payment_ref=reference,
            effect_ref=effect,
            amount=money,
            occurred_at=self._instant(request),
            is_total=is_total,
            order_ref=self._hint("order"),
            member_code=self._hint("member", longest=40),
            store_code=self._hint("store", longest=20),
            method=self._hint("method", longest=40),
            clues=(Clue(recipe.payer_kind, payer),) if payer else (),
            lines=tuple(self._lines(money.currency)) if kind is Kind.PAYMENT else (),
        )

    def _text(self, name: str, *, longest: int = 100) -> str:
        pointer = getattr(self.recipe, name)
        return text_at(self.tree, pointer, longest=longest)

    def _hint(self, name: str, *, longest: int = 100) -> str:
        """Money does not wait for a side remark."""
        if not getattr(self.recipe, name):
            return ""
        try:
            return self._text(name, longest=longest)
        except Unreadable:
            return ""

    def _money(self, kind: Kind) -> Money:
        recipe = self.recipe
        pointer = recipe.amount
        if kind is Kind.REFUND and recipe.refund_amount:
            pointer = recipe.refund_amount
        currency = recipe.fixed_currency or self._text("currency", longest=3)
        money = _amount(value_at(self.tree, pointer), pointer, currency, recipe.unit)
        return positive(money, pointer)

    def _instant(self, request: Inbound) -> datetime:
        recipe = self.recipe
        if recipe.time_format == "arrival":
            if request.received_at is None:
                raise Unreadable("It is not known when the post came in.")
            return request.received_at
        text = self._text("time")
        if recipe.time_format in ("seconds", "milliseconds"):
            return _unix(text, recipe)
        return _written(text, recipe)

    def _lines(self, currency: str) -> Iterator[NoticeLine]:
        recipe = self.recipe
        rows = value_at(self.tree, recipe.lines) if recipe.lines else None
        if not isinstance(rows, list):
            return
        if len(rows) > _MOST_LINES:
            raise Unreadable(
                "%(field)s has more than %(most)s entries.", field=recipe.lines, most=_MOST_LINES
            )
        for number, row in enumerate(rows):
            name = f"{recipe.lines}/{number}"
            if not isinstance(row, Mapping):
                raise Unreadable("%(field)s is not an object.", field=name)
            amount = _amount(
                row.get(recipe.line_amount), f"{name}/{recipe.line_amount}", currency, recipe.unit
            )
            quantity = row.get(recipe.line_quantity, 1) if recipe.line_quantity else 1
            named = row.get(recipe.line_name) if recipe.line_name else None
            yield NoticeLine(
                sku=_text(row.get(recipe.line_sku), f"{name}/{recipe.line_sku}", longest=60),
                quantity=_quantity(quantity, f"{name}/{recipe.line_quantity}"),
                amount=amount.amount,
                name=_text(named, f"{name}/{recipe.line_name}") if named else "",
            )


def _text(value: Any, name: str, *, longest: int = 100) -> str:
    """Text, or a whole number written without quotes: many systems number so."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean_text(value, name, longest=longest)


def _amount(value: Any, name: str, currency: str, unit: str) -> Money:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        figure = Decimal(value)
    else:
        figure = plain_decimal(clean_text(value, name), name)
    if unit == "minor":
        if figure != figure.to_integral_value():
            raise Unreadable("%(field)s is not a whole number of cents.", field=name)
        return Money.from_minor(int(figure), currency)
    return Money.parse(figure, currency)


def _quantity(value: Any, name: str) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    quantity = plain_decimal(clean_text(value, name), name)
    if not 0 < quantity < 1_000_000 or quantity != round(quantity, 3):
        raise Unreadable("%(field)s is not between 0.001 and 1,000,000.", field=name)
    return quantity


def _unix(text: str, recipe: Recipe) -> datetime:
    figure = plain_decimal(text, recipe.time)
    if recipe.time_format == "milliseconds":
        figure /= 1000
    try:
        return plausible(datetime.fromtimestamp(int(figure), UTC), recipe.time)
    except (OverflowError, OSError, ValueError) as problem:
        raise Unreadable("%(field)s is not a time.", field=recipe.time) from problem


def _written(text: str, recipe: Recipe) -> datetime:
    pattern = _ISO if recipe.time_format == "iso" else _CLOCK
    if not pattern.fullmatch(text):
        raise Unreadable("%(field)s is not a time as the recipe says.", field=recipe.time)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as problem:
        raise Unreadable(
            "%(field)s is not a time of the calendar.", field=recipe.time
        ) from problem
    if recipe.time_format == "clock":
        at = at.replace(tzinfo=ZoneInfo(recipe.zone))
    return plausible(at, recipe.time)
