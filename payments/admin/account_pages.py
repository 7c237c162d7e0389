"""Pages of a payment account: is it well, what would a pasted post be, what became of a payment,
and the fields of an inlet."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from kit.admin import action
from kit.untrusted import Unreadable
from payments.admin.inlet_page import inlet_page
from payments.models import Account
from payments.notice_words import reading_in_words, verdict_in_words
from payments.providers import all_providers
from payments.services.account_check import check_account
from payments.services.accounts import callback_url, keys_of
from payments.services.queries import ask_platform, can_be_asked
from payments.services.tryout import pasted, try_post

ASK = "payments.replay_callback"
_LONGEST_BODY = 200_000


class PastedForm(forms.Form):
    headers = forms.CharField(
        label=gettext_lazy("Headers"),
        help_text=gettext_lazy("One on each line, as in Stripe-Signature: t=1,v1=ab…"),
        required=False,
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
    )
    body = forms.CharField(
        label=gettext_lazy("Body"),
        required=False,
        strip=False,
        max_length=_LONGEST_BODY,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
    )
    address = forms.CharField(
        label=gettext_lazy("Address that it was sent to"),
        help_text=gettext_lazy("Blank: this account's own. Some platforms sign it along."),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            pasted(cleaned.get("headers", ""), "", method="POST", url="/")
        except Unreadable as line:
            words = _("This line is no header: %(line)s") % {"line": line}
            self.add_error("headers", words)
        return cleaned


class ReferenceForm(forms.Form):
    reference = forms.CharField(
        label=gettext_lazy("Number of the payment at the platform"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class AccountPages:
    """For AccountAdmin: what can be done with one account beside changing it."""

    actions_detail = ["test_account", "set_up_fields", "ask_about"]
    get_object: Any
    known: Any
    is_in_scope: Any
    has_view_permission: Any
    has_change_permission: Any
    log_change: Any
    say: Any

    def has_test_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_view_permission(request, obj))

    def has_set_up_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        account = self._account(request, obj)
        provider = all_providers().get(account.provider) if account else None
        is_inlet = provider is not None and provider.acknowledge_as is not None
        return is_inlet and bool(self.has_change_permission(request, obj))

    def has_ask_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        account = self._account(request, obj)
        if account is None or not request.user.has_perm(ASK):
            return False
        return can_be_asked(account.provider)

    def _account(self, request: HttpRequest, obj: Any) -> Account | None:
        if obj is None or isinstance(obj, Account):
            return obj
        found: Account | None = self.known(request, obj)
        return found

    def _account_or_refuse(self, request: HttpRequest, object_id: str) -> Account:
        account: Account | None = self.get_object(request, object_id)
        if account is None:
            raise PermissionDenied
        return account

    @action(
        description=gettext_lazy("Test this account"),
        icon="stethoscope",
        url_path="test",
        permissions=["test"],
    )
    def test_account(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Is it well? And what would a pasted post be read as? Nothing is stored."""
        account = self._account_or_refuse(request, object_id)
        form = PastedForm(request.POST or None)
        context = {
            "title": _("Test this account"),
            "findings": check_account(account, now=timezone.now()),
            "form": form,
            "tried": _tried(account, form) if request.method == "POST" else None,
        }
        return self.page(request, account, "check.html", context)

    @action(
        description=gettext_lazy("Set up the fields"),
        icon="account_tree",
        url_path="fields",
        permissions=["set_up"],
    )
    def set_up_fields(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self._account_or_refuse(request, object_id)
        context = inlet_page(request, account, now=timezone.now())
        if context is None:
            self.log_change(request, account, _("Set up the fields"))
            self.say(request, _("The fields are set up: posts like the sample are taken now."))
            return redirect("admin:payments_account_change", object_id)
        shown = {"title": _("Set up the fields"), **context}
        return self.page(request, account, "inlet.html", shown)

    @action(
        description=gettext_lazy("Ask the platform …"),
        icon="contact_support",
        url_path="ask",
        permissions=["ask"],
    )
    def ask_about(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self._account_or_refuse(request, object_id)
        form = ReferenceForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            ask_platform(account, form.cleaned_data["reference"].strip(), now=timezone.now())
            words = _("The platform is asked; its answer stands here within a minute.")
            self.say(request, words, level=messages.SUCCESS)
            url = reverse("admin:payments_query_changelist")
            return redirect(f"{url}?q={form.cleaned_data['reference'].strip()}")
        context = {"title": _("Ask the platform about a payment"), "form": form}
        return self.page(request, account, "ask.html", context)

    def page(
        self, request: HttpRequest, account: Account, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        shown = {
            **admin.site.each_context(request),
            **context,
            "account": account,
            "address": callback_url(account),
            "back": reverse("admin:payments_account_change", args=[account.pk]),
        }
        return TemplateResponse(request, f"admin/payments/account/{template}", shown)


def _tried(account: Account, form: PastedForm) -> dict[str, Any] | None:
    if not form.is_valid():
        return None
    given, keys = form.cleaned_data, keys_of(account)
    path = given["address"].strip() or f"/callbacks/{account.provider}/{account.token}/"
    provider = all_providers()[account.provider]
    method = provider.methods[0]
    inbound = pasted(given["headers"], given["body"], method=method, url=path)
    tried = try_post(provider, keys, inbound, now=timezone.now())
    return {
        "verdict": verdict_in_words(tried),
        "is_genuine": tried.is_genuine,
        "reading": reading_in_words(tried),
    }
