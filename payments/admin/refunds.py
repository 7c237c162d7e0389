"""What came back of a payment, and the hand that enters what no platform reports."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from kit.admin import PlainDecimalField, action, display, once
from kit.ids import new_code
from kit.money import LARGEST, Money, MoneyError
from payments.admin.refund_lines import (
    lines_of,
    proposed_amount,
    refusals_of,
    returned_field,
)
from payments.models import Transaction
from payments.providers.base import Kind
from payments.rules.remaining import counting
from payments.selectors import corrections_of, left_of
from payments.services.refunds import (
    CannotRefund,
    RefTaken,
    TooMany,
    Wanted,
    check_wanted,
    refund_payment,
)

REFUND = "payments.refund_transaction"
_KINDS = [
    (Kind.REFUND.value, gettext_lazy("refund")),
    (Kind.CHARGEBACK.value, gettext_lazy("chargeback")),
    (Kind.REVERSAL.value, gettext_lazy("reversal: the money is back")),
]

# Beside which field a refusal is said, if not beside the amount.
_FIELDS = {RefTaken: "ref", TooMany: "lines"}


class RefundDialog(BaseDialogForm):  # type: ignore[misc]
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=_KINDS,
        widget=UnfoldAdminSelectWidget(choices=_KINDS),
    )
    amount = PlainDecimalField(
        label=gettext_lazy("Amount"), widget=UnfoldAdminDecimalFieldWidget()
    )
    ref = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=100,
        help_text=gettext_lazy("The platform's number of the refund, if you have it."),
        widget=UnfoldAdminTextInputWidget(),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget()
    )
    is_outside = forms.BooleanField(
        label=gettext_lazy("Paid back another way, in cash say"),
        required=False,
        help_text=gettext_lazy("The platform knows nothing of it and will never report it."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    is_another = forms.BooleanField(
        label=gettext_lazy("It is another one than the platform reported"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = Transaction.objects.get(pk=self.object_id)
        left = left_of(self.payment)
        if left.amount:
            self.fields["amount"].initial = left.amount
        else:  # Then there is but one thing that can still be entered.
            self.fields["kind"].initial = Kind.REVERSAL.value
        self.fields["amount"].help_text = _("%(left)s is left of this payment.") % {
            "left": left.display(get_language() or "en")
        }
        # The same number if the button is pressed twice: then it is the same refund.
        self.fields["ref"].initial = new_code("R")
        lines = returned_field(self.payment)
        if lines is not None:
            self.fields["lines"] = lines
            self.fields["amount"].required = False  # Left out: what the lines come to.
            self.order_fields(["kind", "lines"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        # Goods come back with refunds; for the other kinds the page hides them.
        picked = cleaned.get("lines", []) if cleaned["kind"] == Kind.REFUND else []
        amount = cleaned["amount"]
        if amount is None and not picked:
            self.add_error("amount", self.fields["amount"].error_messages["required"])
            return cleaned
        if amount is None:
            amount = proposed_amount(picked, left_of(self.payment))
        cleaned["money"] = self._money(amount)
        if not self.errors:
            cleaned["lines"] = lines_of(picked, cleaned["money"])
            self._check(_wanted_of(cleaned), refusals_of(picked))
        return cleaned

    def _money(self, amount: Decimal) -> Money | None:
        if amount >= LARGEST:
            self.add_error(
                "amount", _("This amount is too large. Enter what came back of this payment.")
            )
            return None
        try:
            # Whatever is below zero is refused as such, however long it is.
            return Money.parse(max(amount, Decimal(-1)), self.payment.currency)
        except MoneyError:
            self.add_error("amount", _("The amount has more decimals than its currency."))
            return None

    def _check(self, wanted: Wanted, refusals: list[str]) -> None:
        """What booking would refuse is said here, beside what was typed."""
        try:
            known, told = check_wanted(self.payment, wanted, by=None, now=timezone.now())
        except CannotRefund as refusal:
            self.add_error(_FIELDS.get(type(refusal), "amount"), str(refusal))
            return
        if refusals and known is None:  # Pressed twice, it came back by the first one.
            self.add_error("lines", refusals)
        if told is not None:
            words = _(
                "The platform reported one of this amount already: %(ref)s. If this is "
                "another one, say so below."
            )
            self.add_error("amount", words % {"ref": told.effect_ref})


def _wanted_of(given: dict[str, Any]) -> Wanted:
    return Wanted(
        amount=given["money"],
        ref=given["ref"].strip(),
        reason=given["reason"],
        kind=Kind(given["kind"]),
        lines=given["lines"],
        is_outside=given["is_outside"],
        is_another=given["is_another"],
    )


class RefundPages:
    """For the transactions' admin: what is left of a payment, and entering what came back."""

    class Media:
        js = ("payments/refunds.js",)

    def has_refund_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not request.user.has_perm(REFUND):
            return False
        row = self.known(request, getattr(obj, "pk", obj)) if obj else None  # type: ignore[attr-defined]
        return obj is None or (row is not None and row.kind == Kind.PAYMENT)

    @action(
        description=gettext_lazy("Enter a refund"),
        icon="undo",
        permissions=["refund"],
        dialog={
            "title": gettext_lazy("Enter a refund or chargeback"),
            "description": gettext_lazy(
                "For what the platform does not report. Points are taken back at once. If a "
                "report comes later after all, it counts only once."
            ),
            "form_class": RefundDialog,
            "form_submit_text": gettext_lazy("Enter it"),
        },
    )
    def refund_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        payment = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if payment is None:
            raise PermissionDenied
        given = form.cleaned_data
        wanted = _wanted_of(given)
        try:
            done = refund_payment(payment, wanted, by=request.user, now=timezone.now())
        except CannotRefund as refusal:
            self.say(request, str(refusal), level=messages.ERROR)  # type: ignore[attr-defined]
            return _back_to(object_id)
        words = {
            True: _("%(amount)s was entered. Points follow within seconds."),
            False: _("%(ref)s had been entered already. Nothing changed."),
        }[done.is_new]
        shown = given["money"].display(get_language() or "en")
        self.say(request, words % {"amount": shown, "ref": wanted.ref})  # type: ignore[attr-defined]
        return _back_to(object_id)

    @display(description=gettext_lazy("what is left"))
    def what_is_left(self, row: Transaction) -> str:
        return render_to_string(
            "admin/payments/corrections.html", once(row, "corrections", lambda: _came_back(row))
        )


def _back_to(object_id: str) -> HttpResponse:
    """Dialogs are posted by htmx: it follows this header, a redirect would end inside."""
    url = reverse("admin:payments_transaction_change", args=[object_id])
    return HttpResponse(headers={"HX-Redirect": url})


def _came_back(row: Transaction) -> dict[str, Any]:
    payment = row.original or row
    found = list(
        corrections_of(payment).select_related("hand_entry__actor", "hand_entry__api_key")
    )
    counted = {each.pk for each in counting(found)}
    language = get_language() or "en"
    return {
        "paid": payment.money.display(language),
        "left": left_of(payment).display(language) if found else "",
        "rows": [
            {
                "row": each,
                "amount": each.money.display(language),
                "sign": "+" if each.kind == Kind.REVERSAL else "−",
                "counts": each.pk in counted,
                "entry": getattr(each, "hand_entry", None),
            }
            for each in found
        ],
    }
