"""GET /api/v1/checkout-options: ways to pay and the currency, for a member in a store."""

from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from kit.http import LineOfText, PlainDecimal, StrictSerializer, query_of
from kit.money import Money, MoneyError
from members.api import LOOK_UP_PROBLEMS, ApiView, store_for
from members.models import ApiKey, Member, Programme, Region, Store
from members.services.identities import find_by_code
from payments.services.checkout import CheckoutOptions, HomePrice, checkout_options


class CheckoutIn(StrictSerializer):
    member = LineOfText(longest=20, required=False, help_text="The member number.")
    store = LineOfText(longest=20, required=False, help_text="Left out: the key's own store.")
    region = LineOfText(longest=10, required=False, help_text="Where there is no store.")
    amount = PlainDecimal(
        required=False, help_text="The bill in the shop's currency, to show it in the member's."
    )


class MethodOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField(help_text="In the member's language.")
    kind = serializers.CharField(help_text="card, wallet, bank, cash or other.")


class HomeOut(serializers.Serializer[Any]):
    currency = serializers.CharField(help_text="Of the member's home region.")
    rate = serializers.CharField(help_text="What one unit of the shop's currency is worth in it.")
    rate_on = serializers.DateField(help_text="The day from which the rate holds.")
    rate_source = serializers.CharField(help_text="Who said so.")
    amount = serializers.CharField(
        allow_null=True, help_text="The bill in it, for information. The shop's is charged."
    )


class CheckoutOut(serializers.Serializer[Any]):
    currency = serializers.CharField(help_text="What is charged.")
    language = serializers.CharField()
    methods = MethodOut(many=True, help_text="The likeliest for this member first.")
    home = HomeOut(allow_null=True, help_text="Null: the same currency, or no rate is known.")


class CheckoutView(ApiView):
    required_scope: ClassVar[str] = ApiKey.Scope.CHECKOUT_READ

    @extend_schema(
        operation_id="checkout_options",
        summary="Ways to pay and the currency, for a member in a store",
        description=(
            "Methods stand in the member's language, those that people of their country carry "
            "first. Without a member, the store's own language and country count."
        ),
        tags=["checkout"],
        parameters=[CheckoutIn],
        responses={200: CheckoutOut, **LOOK_UP_PROBLEMS},
        examples=[
            OpenApiExample(
                "A member from Hong Kong in Taipei",
                response_only=True,
                status_codes=["200"],
                value={
                    "currency": "TWD",
                    "language": "zh-hant",
                    "methods": [
                        {"code": "alipay_hk", "name": "AlipayHK 支付寶香港", "kind": "wallet"},
                        {"code": "visa", "name": "Visa", "kind": "card"},
                        {"code": "jkopay", "name": "街口支付", "kind": "wallet"},
                    ],
                    "home": {
                        "currency": "HKD",
                        "rate": "0.2440000000",
                        "rate_on": "2026-11-20",
                        "rate_source": "ECB 2026-11-20",
                        "amount": "312.32",
                    },
                },
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, CheckoutIn)
        store = store_for(request, asked.get("store", ""))
        member = _member(asked.get("member", ""))
        region = _region(asked.get("region", ""), store, member)
        options = checkout_options(region=region, store=store, member=member, now=timezone.now())
        return Response(_answer(options, asked.get("amount")))


def _member(code: str) -> Member | None:
    if not code:
        return None
    member = find_by_code(code)
    if member is None:
        raise ValidationError({"member": [_("No member has this number.")]})
    return member


def _region(code: str, store: Store | None, member: Member | None) -> Region:
    """The one that is named, else the store's, else the member's, else the only one there is."""
    if code:
        region = Region.objects.filter(code=code).first()
        if region is None:
            raise ValidationError({"region": [_("There is no region with this code.")]})
        if store is not None and store.region != region:
            raise ValidationError({"region": [_("The store lies in another region.")]})
        return region
    if store is not None or member is not None:
        return store.region if store else member.region  # type: ignore[union-attr]
    own = Region.objects.filter(currency=Programme.current().currency).first()
    if own is None:
        raise ValidationError({"region": [_("Name a store or a region.")]})
    return own


def _answer(options: CheckoutOptions, amount: Decimal | None) -> dict[str, Any]:
    return dict(
        CheckoutOut(
            {
                "currency": options.currency,
                "language": options.language,
                "methods": [
                    {
                        "code": method.code,
                        "name": method.name_in(options.language),
                        "kind": method.kind,
                    }
                    for method in options.methods
                ],
                "home": options.home and _home(options.home, options.currency, amount),
            }
        ).data
    )


def _home(home: HomePrice, currency: str, amount: Decimal | None) -> dict[str, Any]:
    return {
        "currency": home.currency,
        "rate": f"{home.rate:.10f}",
        "rate_on": home.on,
        "rate_source": ", ".join(sorted(set(home.sources))),
        "amount": None if amount is None else str(home.of(_bill(amount, currency)).amount),
    }


def _bill(amount: Decimal, currency: str) -> Money:
    try:
        return Money.parse(amount, currency)
    except MoneyError as problem:
        raise ValidationError(
            {"amount": [_("The amount is too large, or has more decimals than its currency.")]}
        ) from problem
