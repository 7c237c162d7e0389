"""POST /api/v1/sales: tills and shops send what was paid, with lines."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import Instant, LineOfText, PlainDecimal, Refused, StrictSerializer, problems
from kit.ids import is_valid_code, normal_code
from kit.money import Money, MoneyError
from members.api import IDEMPOTENCY_KEY, ApiView, answer_once, store_for
from members.identity_kinds import EMAIL, PHONE
from members.models import ApiKey, Store
from members.services import BadIdentity, find_by_code, normalise_identity
from payments.models import Transaction
from payments.providers.base import Clue, Kind, Notice, NoticeLine
from payments.services.sales import book_sales
from payments.services.tills import till_account

MOST_LINES: Final = 500
LARGEST_QUANTITY: Final = Decimal(10) ** 9
# A till's clock may run ahead by so much; beyond it the date is wrong, and points would follow it.
CLOCK_SKEW: Final = timedelta(minutes=10)
DEFAULT_COUNTRY: Final = "HK"


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


class SaleIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=[Kind.PAYMENT.value, Kind.REFUND.value])
    order_ref = LineOfText(help_text="The order's number, unique at its store.")
    refund_ref = LineOfText(
        required=False, help_text="The refund's own number; only for a refund."
    )
    amount = PlainDecimal()
    currency = LineOfText(longest=3, help_text="ISO 4217.")
    occurred_at = Instant(help_text="ISO 8601 with an offset.")
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")
    method = LineOfText(longest=40, required=False)
    member = LineOfText(longest=20, required=False, help_text="The member number.")
    phone = LineOfText(longest=40, required=False, help_text="+852 9123 4567")
    email = LineOfText(longest=254, required=False)
    # The stubs do not know that `many` makes a list, which has a length.
    lines = LineIn(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]

    def validate_occurred_at(self, moment: Any) -> Any:
        if moment > timezone.now() + CLOCK_SKEW:
            raise serializers.ValidationError(
                _("This lies in the future. Set the clock of the till.")
            )
        return moment

    def validate_member(self, code: str) -> str:
        if code and not is_valid_code(normal_code(code), "M"):
            raise serializers.ValidationError(_("This member number has a typing error."))
        return code

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        is_refund = given["kind"] == Kind.REFUND
        if is_refund != bool(given.get("refund_ref")):
            raise serializers.ValidationError(
                {"refund_ref": [_("A refund has a number of its own, a payment has none.")]}
            )
        given["amount"] = money_in(given, "amount", given["currency"])
        if given["amount"].amount <= 0:
            raise serializers.ValidationError({"amount": [_("The amount must be above zero.")]})
        given["lines"] = notice_lines(given.get("lines", []), given["amount"])
        return given


class SaleOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    order_ref = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    store = serializers.CharField(allow_null=True)
    is_new = serializers.BooleanField(help_text="False: this sale was known already.")
    is_matched = serializers.BooleanField(
        help_text="Whether the member is known. If not, the points wait until they are."
    )


class SalesView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.SALES_WRITE

    @extend_schema(
        operation_id="book_sale",
        summary="Book a payment or a refund",
        description=(
            "Points follow within a second. The same order number with the same amount is "
            "booked once, whatever its Idempotency-Key; with another amount it is refused."
        ),
        tags=["sales"],
        parameters=[IDEMPOTENCY_KEY],
        request=SaleIn,
        responses={
            201: SaleOut,
            200: SaleOut,
            **problems(400, 401, 403, 409, 422, 429),
        },
        examples=[
            OpenApiExample(
                "Payment with lines",
                request_only=True,
                value={
                    "kind": "payment",
                    "order_ref": "TST-20261121-0042",
                    "amount": "238.00",
                    "currency": "HKD",
                    "occurred_at": "2026-11-21T15:04:05+08:00",
                    "phone": "+852 9123 4567",
                    "lines": [
                        {"sku": "TEA-OOLONG", "quantity": "2", "amount": "158.00"},
                        {"sku": "CUP-BLUE", "amount": "80.00", "category": "cups"},
                    ],
                },
            ),
            OpenApiExample(
                "Refund",
                request_only=True,
                value={
                    "kind": "refund",
                    "order_ref": "TST-20261121-0042",
                    "refund_ref": "TST-20261122-R003",
                    "amount": "80.00",
                    "currency": "HKD",
                    "occurred_at": "2026-11-22T11:20:00+08:00",
                },
            ),
        ],
    )
    @answer_once
    def post(self, request: Request) -> Response:
        form = SaleIn(data=request.data)
        form.is_valid(raise_exception=True)
        sale = form.validated_data
        store = store_for(request, sale.get("store", ""))
        account = till_account(store)
        booked = book_sales(
            [_notice(sale, store)],
            account=account,
            source=Transaction.Source.API,
            now=timezone.now(),
        )
        if booked.conflicting:
            raise Refused(
                _("This number was booked with another amount. Correct it by a refund."),
                code="sale_conflict",
                status=HTTPStatus.CONFLICT,
            )
        row = booked.fresh[0] if booked.fresh else _known(sale, account.pk)
        status = HTTPStatus.CREATED if booked.fresh else HTTPStatus.OK
        return Response(_answer(row, store, is_new=bool(booked.fresh)), status)


def money_in(given: dict[str, Any], field: str, currency: str) -> Money:
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


@dataclass(frozen=True, slots=True)
class _Payer:
    code: str
    clues: tuple[Clue, ...]


def _notice(sale: dict[str, Any], store: Store | None) -> Notice:
    payer = _payer(sale, store)
    return Notice(
        kind=Kind(sale["kind"]),
        payment_ref=sale["order_ref"],
        effect_ref=sale.get("refund_ref") or sale["order_ref"],
        amount=sale["amount"],
        occurred_at=sale["occurred_at"],
        order_ref=sale["order_ref"],
        member_code=payer.code,
        store_code=store.code if store else "",
        method=sale.get("method", ""),
        clues=payer.clues,
        lines=sale["lines"],
    )


def _payer(sale: dict[str, Any], store: Store | None) -> _Payer:
    code = sale.get("member", "")
    if code and find_by_code(code) is None:
        raise Refused(
            _("No member has this number. Leave it out to book the sale without a member."),
            code="member_unknown",
        )
    country = store.region.code if store else DEFAULT_COUNTRY
    clues = []
    for kind in (PHONE, EMAIL):
        if value := sale.get(kind, ""):
            try:
                normal = normalise_identity(kind, value, country=country)
            except BadIdentity as problem:
                raise serializers.ValidationError({kind: [str(problem)]}) from problem
            clues.append(Clue(kind, normal))
    return _Payer(code, tuple(clues))


def _known(sale: dict[str, Any], account_id: int) -> Transaction:
    return Transaction.objects.get(
        account_id=account_id,
        payment_ref=sale["order_ref"],
        kind=sale["kind"],
        effect_ref=sale.get("refund_ref") or sale["order_ref"],
    )


def _answer(row: Transaction, store: Store | None, *, is_new: bool) -> dict[str, Any]:
    return dict(
        SaleOut(
            {
                "id": row.pk,
                "kind": row.kind,
                "order_ref": row.order_ref,
                "amount": str(Money.parse(row.amount, row.currency).amount),
                "currency": row.currency,
                "store": store.code if store else None,
                "is_new": is_new,
                "is_matched": row.member_id is not None,
            }
        ).data
    )
