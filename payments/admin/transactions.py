"""Transactions: their state in words, their lines, and the hand that links one to a member.

Registered in config/admin, which adds what each transaction earned.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
)

from kit.admin import (
    NOTHING,
    BaseTabular,
    FactAdmin,
    PeriodFilter,
    RelatedFilter,
    action,
    display,
    plain,
)
from kit.money import Money
from kit.scope import Scoping
from kit.work import IS_PARKED
from members.models import Member, Programme
from payments.admin.callbacks import WorkFilter
from payments.admin.queries import AsksPlatform
from payments.models import Line, Transaction
from payments.search import transactions_matching
from payments.services.linking import link_transactions
from payments.services.refunds import DEAD_AFTER
from payments.services.unmatched import forget_count
from payments.wording import in_a_line, signed_amount, state_of

LINK = "payments.link_transaction"
MOST_LINKED = 500


class MemberChoice(forms.Form):
    """Which member the chosen transactions belong to."""

    def __init__(self, *args: Any, members: QuerySet[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = Transaction._meta.get_field("member")
        self.fields["member"] = forms.ModelChoiceField(
            label=_("Member"),
            queryset=members,
            widget=AutocompleteSelect(field, admin.site, attrs={"class": "rg-wide"}),
        )


class WaitingFilter(DropdownFilter):  # type: ignore[misc]
    """What a parked transaction waits for."""

    title = gettext_lazy("waits for")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("member", _("a member (unmatched)")),
            ("rate", _("an exchange rate")),
            ("payment", _("its payment")),
            ("vain", _("its payment, for more than 30 days")),
            ("twin", _("an answer whether it is told twice")),
            ("repair", _("repair")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        if self.value() == "vain":
            since = timezone.now() - DEAD_AFTER
            return queryset.filter(waiting_for__startswith="payment:", due_at__lt=since)
        if self.value() in {"member", "repair", "twin"}:
            return queryset.filter(IS_PARKED, waiting_for=self.value())
        return queryset.filter(IS_PARKED, waiting_for__startswith=f"{self.value()}:")


class LineInline(BaseTabular):
    model = Line
    fields = ["position", "product", "shown_quantity", "shown_amount"]
    readonly_fields = ["position", "product", "shown_quantity", "shown_amount"]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        return super().get_queryset(request).select_related("product", "transaction")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("payments.view_transaction"))

    @display(description=gettext_lazy("quantity"))
    def shown_quantity(self, line: Line) -> str:
        return plain(line.quantity)

    @display(description=gettext_lazy("amount"))
    def shown_amount(self, line: Line) -> str:
        return Money(line.amount, line.transaction.currency).display(get_language() or "en")


class TransactionAdmin(AsksPlatform, FactAdmin):
    scope = Scoping(store="store", region="store__region")
    list_display = [
        "occurred_at",
        "payment_ref",
        "kind",
        "shown_amount",
        "member",
        "store",
        "shown_state",
    ]
    list_select_related = ["member", "store"]
    list_filter = [
        WaitingFilter,
        WorkFilter,
        ("kind", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("account", RelatedFilter),
        ("store", RelatedFilter),
        ("occurred_at", PeriodFilter),
    ]
    search_fields = ["payment_ref"]
    search_help_text = gettext_lazy("Payment reference, order number or member number, whole")
    ordering = ["-occurred_at"]
    inlines = [LineInline]
    actions = ["link"]
    actions_detail = ["link_one", "ask_platform"]
    fieldsets = [
        (None, {"fields": [
            "kind", "shown_amount", "shown_earning", "occurred_at", "member", "store",
            "shown_state", "shown_error",
        ]}),
        (gettext_lazy("Where it came from"), {"fields": [
            "source", "account", "callback", "received_at", "payment_ref", "effect_ref",
            "order_ref", "original", "is_total",
        ]}),
        (gettext_lazy("In the reporting currency"), {"fields": ["rate", "shown_reporting"]}),
    ]  # fmt: skip
    readonly_fields = [
        *("shown_amount", "shown_earning", "shown_reporting", "shown_state", "shown_error"),
    ]
    export_fields = [
        "occurred_at",
        "payment_ref",
        "kind",
        "amount",
        "currency",
        "reporting_amount",
        "member__code",
        "store__code",
        "order_ref",
        "waiting_for",
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only few refunds are totals, and only few payments earn on less than the whole."""
        hidden = set()
        if obj is None or not obj.is_total:
            hidden.add("is_total")
        if obj is None or obj.earning_amount is None:
            hidden.add("shown_earning")
        return [
            (title, {"fields": [name for name in shown["fields"] if name not in hidden]})
            for title, shown in self.fieldsets
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        found = queryset.filter(transactions_matching(search_term)) if search_term else queryset
        return found, False

    def has_link_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A row that has a member already is not linked again."""
        if not request.user.has_perm(LINK):
            return False
        row = self.known(request, getattr(obj, "pk", obj)) if obj else None
        return obj is None or (row is not None and row.member_id is None)

    def why_late(self, request: HttpRequest, row: Transaction, name: str) -> str:
        if name != "link_one" or row.member is None or not self.has_link_permission(request):
            return ""
        words = _("This was linked to %(member)s meanwhile: nothing was changed.")
        return words % {"member": row.member}

    @action(
        description=gettext_lazy("Link the selected transactions to a member"),
        permissions=["link"],
    )
    def link(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> HttpResponse | None:
        members = self.admin_site._registry[Member].get_queryset(request)
        asked = "member" in request.POST
        form = MemberChoice(request.POST if asked else None, members=members)
        rows = queryset.filter(member=None)[:MOST_LINKED]
        if not form.is_valid():
            return self.ask_for_member(request, form, rows)
        count = link_transactions(rows, form.cleaned_data["member"], now=timezone.now())
        forget_count(request.user)
        self.say_linked(request, count, form.cleaned_data["member"])
        return None

    @action(description=gettext_lazy("Link to a member"), icon="link", permissions=["link"])
    def link_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        answer = self.link(request, self.get_queryset(request).filter(pk=object_id))
        return answer or redirect("admin:payments_transaction_change", object_id)

    def say_linked(self, request: HttpRequest, count: int, member: Member) -> None:
        if not count:
            words = _(
                "Nothing was linked: they belong to somebody by now, or take money back and follow"
                " their payment."
            )
            self.say(request, words, level=messages.WARNING)
            return
        words = ngettext(
            "%(count)d transaction now belongs to %(member)s.",
            "%(count)d transactions now belong to %(member)s.",
            count,
        )
        self.say(request, words % {"count": count, "member": member})

    def ask_for_member(
        self, request: HttpRequest, form: MemberChoice, rows: QuerySet[Transaction]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Whose transactions are these?"),
            "form": form,
            "media": self.media + form.media,
            "rows": [(row.pk, in_a_line(row)) for row in rows],
            "action": "link",
            "explanation": _(
                "The wallets and cards that paid them become the member's, so their other "
                "payments are recognised too, earlier and later ones."
            ),
            "submit_words": _("Link"),
            "back": "admin:payments_transaction_changelist",
        }
        return TemplateResponse(request, "admin/ask.html", context)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def shown_amount(self, row: Transaction) -> str:
        return signed_amount(row)

    @display(description=gettext_lazy("amount that earns"))
    def shown_earning(self, row: Transaction) -> str:
        """The rest was paid by vouchers or the like, and earns no points."""
        if row.earning_amount is None:
            return NOTHING
        return Money(row.earning_amount, row.currency).display(get_language() or "en")

    @display(description=gettext_lazy("reporting amount"))
    def shown_reporting(self, row: Transaction) -> str:
        if row.reporting_amount is None:
            return NOTHING
        money = Money(row.reporting_amount, Programme.current().currency)
        return money.display(get_language() or "en")

    @display(description=gettext_lazy("state"))
    def shown_state(self, row: Transaction) -> str:
        return state_of(row)
