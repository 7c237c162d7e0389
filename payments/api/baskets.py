"""What sales, orders and returns have in common: lines, exact amounts, and who paid."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from kit.http import LineOfText, PlainDecimal, Refused, StrictSerializer
from kit.ids import is_valid_code, normal_code
from kit.money import Money, MoneyError
from members.api import IdentityIn
from members.identity_kinds import EMAIL, PHONE
from members.models import Store
from members.selectors import phone_country_of
from members.services.identities import BadIdentity, find_by_code, normalise_identity
from payments.providers.base import Clue, NoticeLine
from payments.services.booking import CLOCK_SKEW

MOST_LINES: Final = 500
LARGEST_QUANTITY: Final = Decimal(10) ** 9
# A till's clock may run ahead by so much; beyond it the date is wrong, and points would follow it.


class LineIn(StrictSerializer):
    """One line of a basket; `amount` is what was paid for the whole line."""

    sku = LineOfText(longest=60)
    quantity = PlainDecimal(default=Decimal(1))
    amount = PlainDecimal()
    name = LineOfText(longest=120, required=False)
    category = LineOfText(longest=40, required=False)

    def validate_quantity(self, quantity: Decimal) -> Decimal:
        if not 0 < quantity < LARGEST_QUANTITY or quantity != round(quantity, 3):
            raise serializers.ValidationError(
                _("A quantity is above zero and has at most three decimals.")
            )
        return quantity


class PayerIn(StrictSerializer):
    """Who paid or ordered: one of these is enough, and all may be left out."""

    member = LineOfText(longest=20, required=False, help_text="The member number.")
    phone = LineOfText(longest=40, required=False, help_text="+852 9123 4567")
    email = LineOfText(longest=254, required=False)
    identity = IdentityIn(required=False, help_text="Any other sign, such as a wallet.")

    def validate_member(self, code: str) -> str:
        if code and not is_valid_code(normal_code(code), "M"):
            raise serializers.ValidationError(_("This member number has a typing error."))
        return code


@dataclass(frozen=True, slots=True)
class Payer:
    code: str
    clues: tuple[Clue, ...]


def payer_in(given: Mapping[str, Any], store: Store | None) -> Payer:
    """The member number and the signs of the payer; raises Refused if nobody has the number."""
    code = given.get("member", "")
    if code and find_by_code(code) is None:
        raise Refused(
            _("No member has this number. Leave it out to book without a member."),
            code="member_unknown",
        )
    country = phone_country_of(store)
    other = given.get("identity") or {"kind": "", "value": ""}
    signs = [(kind, given.get(kind, ""), kind) for kind in (PHONE, EMAIL)]
    signs.append((other["kind"], other["value"], "identity"))
    clues = []
    for kind, value, field in signs:
        if value:
            try:
                normal = normalise_identity(kind, value, country=country)
            except BadIdentity as problem:
                raise serializers.ValidationError({field: [str(problem)]}) from problem
            clues.append(Clue(kind, normal))
    return Payer(code, tuple(clues))


def not_ahead(moment: datetime) -> datetime:
    """The moment itself; raises ValidationError if it lies in the future."""
    if moment > timezone.now() + CLOCK_SKEW:
        raise serializers.ValidationError(_("This lies in the future. Set the clock of the till."))
    return moment


def positive_money(given: Mapping[str, Any], field: str, currency: str) -> Money:
    money = money_in(given, field, currency)
    if money.amount <= 0:
        raise serializers.ValidationError({field: [_("The amount must be above zero.")]})
    return money


def money_in(given: Mapping[str, Any], field: str, currency: str) -> Money:
    """The amount in `field`, exact in its currency; raises ValidationError naming the field."""
    try:
        Money.parse(0, currency)
    except MoneyError as problem:
        raise serializers.ValidationError(
            {"currency": [_("This is not a currency of ISO 4217.")]}
        ) from problem
    try:
        return Money.parse(given[field], currency)
    except MoneyError as problem:
        raise serializers.ValidationError(
            {field: [_("The amount is too large, or has more decimals than its currency.")]}
        ) from problem


def notice_lines(lines: list[dict[str, Any]], bill: Money) -> tuple[NoticeLine, ...]:
    """Lines in the normal form; raises ValidationError if they come to more than the bill."""
    read = tuple(
        NoticeLine(
            sku=line["sku"],
            quantity=line["quantity"],
            amount=_line_amount(line, bill.currency, place),
            name=line.get("name", ""),
            category=line.get("category", ""),
        )
        for place, line in enumerate(lines)
    )
    if sum((line.amount for line in read), Decimal(0)) > bill.amount:
        raise serializers.ValidationError(
            {"lines": [_("The lines come to more than the whole. Send what was paid for each.")]}
        )
    return read


def _line_amount(line: dict[str, Any], currency: str, place: int) -> Decimal:
    try:
        return money_in(line, "amount", currency).amount
    except serializers.ValidationError as problem:
        raise serializers.ValidationError({"lines": {str(place): problem.detail}}) from problem


def coin(money: Money) -> str:
    """The amount with the decimals of its currency; the database keeps four for all of them."""
    return str(Money.parse(money.amount, money.currency).amount)
