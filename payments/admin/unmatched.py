"""The queue of unmatched payments, and the question whether two members are one person."""

from contextlib import suppress
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from kit.admin import FactAdmin, action, display
from kit.masking import mask_name
from kit.scope import Scoping, scope_of
from kit.spreadsheet_admin import SheetImportMixin
from kit.spreadsheet_import import SheetResult
from members.identity_kinds import kind_label
from members.models import Member
from payments.admin.transactions import LINK
from payments.imports.links import LinkSheet
from payments.models import Disagreement, Transaction, UnmatchedPayment
from payments.services.linking import link_transactions
from payments.services.matching import METADATA, ORDER, answer
from payments.services.unmatched import (
    IN_QUEUE,
    MOST,
    MOST_COUNTED,
    Payer,
    count_of,
    keep_count,
    payers_of,
    waiting_payments,
)
from payments.wording import signed_amount

MERGE = "members.merge_member"
_SHOWN_PAYMENTS = 5


@admin.register(UnmatchedPayment)
class UnmatchedDesk(SheetImportMixin, FactAdmin):
    """A page of payers instead of a list of rows; the rows themselves are the transactions'."""

    scope = Scoping(store="store", region="store__region")
    sheet = LinkSheet
    import_rights: ClassVar[tuple[str, ...]] = ()
    list_display = ["payment_ref"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(waiting_payments())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_see = request.user.has_perm("payments.view_transaction")
        return bool(may_see) and self.is_in_scope(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("payments.view_transaction"))

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(LINK))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return redirect("admin:payments_transaction_change", object_id)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._link(request)
        rows = self.get_queryset(request).select_related("store__region", "account")
        payers = payers_of(rows, self._members(request), scope=scope_of(request.user))
        waiting = sum(len(payer.payments) for payer in payers)
        waiting = waiting if waiting < MOST else count_of(self.get_queryset(request))
        keep_count(request.user, waiting)  # So that the sidebar says the same as this page.
        context = {
            **(extra_context or {}),
            "title": _("Unmatched payments"),
            "payers": [_shown(payer) for payer in payers],
            "waiting": _waiting_in_words(waiting),
            "is_cut": waiting > MOST,
            "most": MOST,
            "may_link": request.user.has_perm(LINK),
            "may_merge": request.user.has_perm(MERGE),
            "list_url": f"{reverse('admin:payments_transaction_changelist')}?{IN_QUEUE}",
            "import_url": reverse("admin:payments_unmatchedpayment_import"),
        }
        page = super().changelist_view(request, context)
        if isinstance(page, TemplateResponse):
            page.template_name = "admin/payments/unmatched.html"
        return page

    def after_import(self, result: SheetResult) -> None:
        """Linking matched the other payments of these payers along the way."""

    def _link(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(LINK):
            raise PermissionDenied
        member = self._members(request).filter(pk__in=_keys(request, "member")).first()
        seen = self.admin_site._registry[Transaction].get_queryset(request)
        chosen = list(seen.filter(pk__in=_keys(request, "payment")))
        if member is None or not chosen:
            words = _("This suggestion no longer holds. Look at the queue again.")
            self.say(request, words, level=messages.WARNING)
        else:
            count = link_transactions(chosen, member, now=timezone.now())
            self._say_linked(request, count, member, chosen)
        return HttpResponseRedirect(reverse("admin:payments_unmatchedpayment_changelist"))

    def _say_linked(
        self, request: HttpRequest, count: int, member: Member, chosen: list[Transaction]
    ) -> None:
        """And of how many of those that were `chosen` somebody else was faster."""
        if count:
            words = ngettext(
                "%(count)d transaction now belongs to %(member)s.",
                "%(count)d transactions now belong to %(member)s.",
                count,
            )
            self.say(request, words % {"count": count, "member": member})
        if late := _of_others(chosen, member):
            words = ngettext(
                "%(count)d payment was linked to somebody else meanwhile, and stays theirs.",
                "%(count)d payments were linked to somebody else meanwhile, and stay theirs.",
                late,
            )
            self.say(request, words % {"count": late}, level=messages.WARNING)
        elif not count:
            words = _("These payments belong to %(member)s already.")
            self.say(request, words % {"member": member}, level=messages.INFO)

    def _members(self, request: HttpRequest) -> QuerySet[Member]:
        return cast("QuerySet[Member]", self.admin_site._registry[Member].get_queryset(request))


@admin.register(Disagreement)
class DisagreementDesk(FactAdmin):
    """Pairs of members whom one payment's signs named together."""

    scope = Scoping(
        store=("first__home_store", "second__home_store"),
        region=("first__region", "second__region"),
    )
    list_display = ["noticed_at", "shown_first", "shown_second", "shown_payment", "answer"]
    list_select_related = ["first", "second", "transaction", "answered_by"]
    list_filter = [("answer", ChoicesDropdownFilter)]
    search_fields = ["first__code__exact", "second__code__exact"]
    ordering = ["-noticed_at"]
    fields = [
        "noticed_at", "shown_first", "shown_second", "transaction", "answer", "answered_at",
        "answered_by",
    ]  # fmt: skip
    readonly_fields = ["shown_first", "shown_second"]
    actions = ["are_two"]
    when_empty = gettext_lazy("No payment has named two members at once.")
    actions_row = ["compare"]
    actions_detail = ["compare"]

    def has_merge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(MERGE)) and self.is_in_scope(request, obj)

    @action(description=gettext_lazy("They are two people"), permissions=["merge"])
    def are_two(self, request: HttpRequest, queryset: QuerySet[Disagreement]) -> None:
        count = answer(
            queryset,
            Disagreement.Answer.TWO,
            by=cast("User", request.user),
            now=timezone.now(),
        )
        if not count:
            words = _("Somebody answered this already: nothing was changed.")
            self.say(request, words, level=messages.WARNING)
            return
        words = ngettext("%(count)d pair answered.", "%(count)d pairs answered.", count)
        self.say(request, words % {"count": count})

    @action(description=gettext_lazy("Compare and merge"), icon="merge", permissions=["merge"])
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: Disagreement | None = self.get_object(request, object_id)
        if row is None:
            raise PermissionDenied
        url = reverse("admin:members_member_merge_with", args=[row.first_id])
        return HttpResponseRedirect(f"{url}?member={row.second_id}")

    @display(description=gettext_lazy("member"))
    def shown_first(self, row: Disagreement) -> str:
        return f"{row.first} · {sign_in_words(row.first_sign)}"

    @display(description=gettext_lazy("payment"))
    def shown_payment(self, row: Disagreement) -> str:
        return f"{row.transaction} · {signed_amount(row.transaction)}"

    @display(description=gettext_lazy("other member"))
    def shown_second(self, row: Disagreement) -> str:
        return f"{row.second} · {sign_in_words(row.second_sign)}"


def sign_in_words(sign: str) -> str:
    words = {METADATA: _("named by the platform"), ORDER: _("named by the order")}
    return str(words.get(sign) or kind_label(sign))


def _waiting_in_words(count: int) -> str:
    values = {"count": number_format(count, force_grouping=True)}
    if count >= MOST_COUNTED:
        return _("%(count)s payments or more wait. Those of one payer stand together.") % values
    words = ngettext(
        "%(count)s payment waits.",
        "%(count)s payments wait. Those of one payer stand together.",
        count,
    )
    return words % values if count else ""


def _of_others(chosen: list[Transaction], member: Member) -> int:
    """How many of these belong to another person by now."""
    rows = Transaction.objects.filter(pk__in=[row.pk for row in chosen], member__isnull=False)
    owners = [row.member for row in rows.select_related("member")]
    return sum(owner is not None and owner.person_id != member.person_id for owner in owners)


def _shown(payer: Payer) -> dict[str, Any]:
    language = get_language() or "en"
    newest = payer.payments[0]
    return {
        "payments": [
            {"row": row, "amount": row.money.display(language)}
            for row in payer.payments[:_SHOWN_PAYMENTS]
        ],
        "keys": [row.pk for row in payer.payments],
        "more": max(len(payer.payments) - _SHOWN_PAYMENTS, 0),
        "title": _title(payer, language),
        "choose_url": reverse("admin:payments_transaction_link_one", args=[newest.pk]),
        "suggestions": [
            {
                "member": each.member,
                "label": format_html(
                    '<a class="rg-link" href="{}">{}</a> {}',
                    reverse("admin:members_member_change", args=[each.member.pk]),
                    each.member.code,
                    mask_name(each.member.name),
                ),
                "reasons": _(", ").join(each.reasons),
            }
            for each in payer.suggestions
        ],
        "merge_url": _merge_url(payer),
    }


def _title(payer: Payer, language: str) -> str:
    count = len(payer.payments)
    values = {
        "count": count,
        "sign": _(", ").join(payer.signs),
        "amount": " + ".join(money.display(language) for money in payer.totals),
    }
    if not payer.signs:
        return _("A payment without any sign of its payer, %(amount)s") % values
    return (
        ngettext(
            "%(count)d payment of one unknown payer, %(amount)s: %(sign)s",
            "%(count)d payments of one unknown payer, %(amount)s: %(sign)s",
            count,
        )
        % values
    )


def _merge_url(payer: Payer) -> str:
    """Where two members are suggested, they may be one."""
    if len(payer.suggestions) != 2:
        return ""
    first, second = (each.member for each in payer.suggestions)
    return f"{reverse('admin:members_member_merge_with', args=[first.pk])}?member={second.pk}"


def _keys(request: HttpRequest, name: str) -> list[UUID]:
    """What is no key is no row either."""
    keys = []
    for text in request.POST.getlist(name):
        with suppress(ValueError):
            keys.append(UUID(text))
    return keys
