"""Coupon types, coupons, and the till in the admin: redeem, take back, make void."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from kit.admin import (
    BaseAdmin,
    BaseTabular,
    FactAdmin,
    PeriodFilter,
    RelatedFilter,
    action,
    display,
)
from kit.money import Money
from kit.scope import EVERYBODY, Scoping
from loyalty.models import Coupon, CouponType, CouponUse
from loyalty.refusals import CouponRefused
from loyalty.selectors import CouponState, may_be, with_states
from loyalty.services.coupons import cancel_coupon, cancel_use, redeem_coupon
from loyalty.wording import benefit
from members.models import Store

_NAMES = ["name", "name_zh_hant", "name_zh_hans"]
REDEEM = "loyalty.redeem_coupon"
_COLOURS = {
    CouponState.USABLE: "success",
    CouponState.UPCOMING: "info",
    CouponState.USED: "info",
    CouponState.EXPIRED: "warning",
    CouponState.CANCELLED: "danger",
}


@admin.register(CouponType)
class CouponTypeAdmin(BaseAdmin):
    scope = EVERYBODY
    list_display = [
        "code",
        "__str__",
        "gives",
        "valid_days",
        "issued",
        "total_limit",
        "is_enabled",
    ]
    list_select_related = ["category"]
    list_filter = [("benefit", ChoicesDropdownFilter), "is_enabled"]
    search_fields = ["code", *_NAMES]
    autocomplete_fields = ["category", "stores"]
    readonly_fields = ["issued"]
    conditional_fields = {"most_off": "benefit == 'percent'", "value": "benefit != 'gift'"}
    fieldsets = [
        (None, {"fields": [
            "code", *_NAMES, "benefit", "value", "currency", "most_off", "is_enabled",
        ]}),
        (gettext_lazy("Conditions"), {"fields": ["minimum_spend", "category", "stores"]}),
        (gettext_lazy("Validity"), {"fields": ["valid_days", "starts_at", "ends_at"]}),
        (gettext_lazy("Limits"), {"fields": [
            "total_limit", "member_limit", "uses_per_coupon", "issued",
        ]}),
    ]  # fmt: skip
    export_fields = ["code", "name", "benefit", "value", "currency", "issued", "is_enabled"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Coupons name it; switch it off instead.

    @display(description=gettext_lazy("benefit"))
    def gives(self, kind: CouponType) -> str:
        return benefit(kind)


class RedeemDialog(BaseDialogForm):  # type: ignore[misc]
    """What the till knows. The service is asked before it is done, so a refusal shows here."""

    bill = forms.DecimalField(
        label=gettext_lazy("Bill"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    store = forms.ModelChoiceField(
        label=gettext_lazy("Store"),
        queryset=Store.objects.none(),
        widget=UnfoldAdminSelectWidget(),
    )
    order_ref = forms.CharField(
        label=gettext_lazy("Order number"),
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = admin.site._registry[Store].get_queryset(self.request)
        self.fields["store"].queryset = stores.filter(is_open=True)


class CouponStateFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in CouponState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        state = self.value()
        if state not in CouponState.values:
            return queryset
        return queryset.filter(may_be(CouponState(state), now=timezone.now()), state=state)


class UseInline(BaseTabular):
    model = CouponUse
    fields = [
        "number",
        "used_at",
        "store",
        "order_ref",
        "shown_bill",
        "shown_discount",
        "cancelled_at",
        "refund",
    ]
    readonly_fields = [
        "number",
        "used_at",
        "store",
        "order_ref",
        "shown_bill",
        "shown_discount",
        "cancelled_at",
        "refund",
    ]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponUse]:
        return super().get_queryset(request).select_related("store", "coupon", "refund")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("bill"))
    def shown_bill(self, use: CouponUse) -> str:
        return "–" if use.bill is None else _money(Money(use.bill, use.currency))

    @display(description=gettext_lazy("discount"))
    def shown_discount(self, use: CouponUse) -> str:
        return _money(Money(use.discount, use.currency))


def _money(amount: Money) -> str:
    return amount.display(get_language() or "en")


@admin.register(Coupon)
class CouponAdmin(FactAdmin):
    scope = Scoping(store="member__home_store", region="member__region")
    list_display = ["code", "type", "member", "issued_at", "expires_at", "shown_state"]
    list_select_related = ["type", "member"]
    list_filter = [
        CouponStateFilter,
        ("type", RelatedFilter),
        ("issued_at", PeriodFilter),
    ]
    search_fields = ["code__exact", "member__code__exact"]
    search_help_text = gettext_lazy("The whole coupon code or member number")
    ordering = ["-issued_at"]
    inlines = [UseInline]
    actions = ["make_void"]
    actions_detail = ["redeem", "take_back"]
    fields = [
        "code",
        "type",
        "member",
        "issued_at",
        "starts_at",
        "expires_at",
        "cancelled_at",
        "state_in_words",
    ]
    readonly_fields = ["state_in_words"]
    export_fields = ["code", "type__code", "member__code", "issued_at", "expires_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        return with_states(super().get_queryset(request), now=timezone.now())

    def has_redeem_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(REDEEM)) and self.is_in_scope(request, obj)

    @action(
        description=gettext_lazy("Redeem"),
        icon="qr_code_scanner",
        permissions=["redeem"],
        dialog={
            "title": gettext_lazy("Redeem this coupon"),
            "description": gettext_lazy("The discount is worked out from the bill."),
            "form_class": RedeemDialog,
            "form_submit_text": gettext_lazy("Redeem"),
        },
    )
    def redeem(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        coupon = self.coupon_or_refuse(request, object_id)
        given = form.cleaned_data
        bill = given["bill"]
        try:
            use = redeem_coupon(
                coupon.code,
                bill=None if bill is None else Money(bill, coupon.type.currency),
                store=given["store"],
                order_ref=given["order_ref"],
                actor=cast("User", request.user),
                now=timezone.now(),
            )
        except CouponRefused as refusal:
            self.say(request, str(refusal), level=messages.ERROR)
        else:
            off = _money(Money(use.discount, use.currency))
            self.say(request, _("Redeemed: %(amount)s off.") % {"amount": off})
        return self.back_to(object_id)

    @action(
        description=gettext_lazy("Take the last use back"),
        icon="undo",
        permissions=["redeem"],
        dialog={
            "title": gettext_lazy("Take the last use back"),
            "description": gettext_lazy("Within its validity the coupon can be used again."),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Take it back"),
        },
    )
    def take_back(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        coupon = self.coupon_or_refuse(request, object_id)
        use = coupon.uses.filter(cancelled_at=None).order_by("-number").first()
        if use is None:
            self.say(request, _("This coupon has not been used."), level=messages.ERROR)
        else:
            cancel_use(use, now=timezone.now(), actor=cast("User", request.user))
            self.say(request, _("The use was taken back."))
        return self.back_to(object_id)

    @action(description=gettext_lazy("Make the selected coupons void"), permissions=["redeem"])
    def make_void(self, request: HttpRequest, queryset: QuerySet[Coupon]) -> None:
        now = timezone.now()
        count = sum(cancel_coupon(coupon, now=now) for coupon in queryset[:1000])
        words = ngettext("%(count)d coupon is void.", "%(count)d coupons are void.", count)
        self.say(request, words % {"count": count})

    def coupon_or_refuse(self, request: HttpRequest, object_id: str) -> Coupon:
        coupon: Coupon | None = self.get_object(request, object_id)
        if coupon is None:
            raise PermissionDenied
        return coupon

    def back_to(self, object_id: str) -> HttpResponse:
        url = reverse("admin:loyalty_coupon_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": url})

    @display(description=gettext_lazy("state"), label=_COLOURS)
    def shown_state(self, coupon: Any) -> tuple[str, str]:
        state = CouponState(coupon.state)
        return state.value, str(state.label)

    @display(description=gettext_lazy("state"))
    def state_in_words(self, coupon: Coupon) -> str:
        return self.shown_state(coupon)[1]
