"""Settlement files: upload, what comparing came to, and a way out for each fault."""

from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.forms import BaseDialogForm

from kit.admin import FactAdmin, PeriodFilter, RelatedFilter, action, display, once, plain
from kit.money import Money
from kit.scope import Scoping
from payments.admin.callbacks import WorkFilter
from payments.admin.settlement_uploads import StatementUploads
from payments.models import Settlement, SettlementRow
from payments.services.accounts import BY_FILE
from payments.services.reconcile.comparing import COMPARED_AT_ONCE, compare_again
from payments.services.reconcile.figures import balances_of, counts_of, fees_of
from payments.services.reconcile.proposing import Result, book_by_file
from payments.services.reconcile.repeats import repeated_by
from payments.services.reconcile.taking import withdraw
from payments.statements import all_formats
from payments.wording import footing_in_words

Verdict = SettlementRow.Verdict
FAULTS: Final = (
    Verdict.MISSING_HERE,
    Verdict.MISSING_THERE,
    Verdict.AMOUNT_DIFFERS,
    Verdict.CURRENCY_DIFFERS,
    Verdict.FEE_DIFFERS,
    Verdict.DUPLICATE,
)


@admin.register(Settlement)
class SettlementAdmin(StatementUploads, FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["uploaded_at", "account", "file_name", "period", "rows_read", "shown_faults"]
    list_select_related = ["account"]
    list_filter = [("account", RelatedFilter), WorkFilter, ("uploaded_at", PeriodFilter)]
    search_fields = ["file_name"]
    ordering = ["-uploaded_at"]
    actions_list = ["go_to_upload"]
    when_empty = gettext_lazy(
        "Upload a settlement file of a platform or bank to compare it with what is booked here."
    )
    actions_detail = ["book_missing", "compare_once_more", "withdraw_one"]
    fieldsets = [
        (None, {"fields": ["result"]}),
        (gettext_lazy("The file"), {"fields": [
            "account", "shown_format", "file_name", "period", "rows_read", "uploaded_by",
            "uploaded_at", "compared_at", "withdrawn_at", "withdrawn_by", "shown_error",
        ]}),
    ]  # fmt: skip
    readonly_fields = ["result", "shown_format", "period", "shown_error"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Settlement]:
        faulty = (
            SettlementRow.objects.filter(settlement=OuterRef("pk"), verdict__in=FAULTS)
            .order_by()
            .values("settlement")
            .annotate(rows=Count("pk"))
            .values("rows")
        )
        rows: QuerySet[Settlement] = super().get_queryset(request)
        return rows.annotate(faults=Subquery(faulty, output_field=IntegerField()))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.compared)
        name = "payments_settlement_compared"
        return [path("<uuid:object_id>/compared/", view, name=name), *super().get_urls()]

    def compared(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Asked again and again by the page of a file that is being compared: is it done?"""
        row = self.row_or_refuse(request, str(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if is_being_compared(row):
            return HttpResponse(status=204)
        return HttpResponse(headers={"HX-Refresh": "true"})

    def has_book_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By file alone: there the right to import sales is enough."""
        if not request.user.has_perm("payments.add_transaction"):
            return False
        row = self.known(request, getattr(obj, "pk", obj)) if obj else None
        return row is not None and row.account.provider in BY_FILE and not row.withdrawn_at

    def why_late(self, request: HttpRequest, row: Settlement, name: str) -> str:
        may_book = request.user.has_perm("payments.add_transaction")
        if name != "book_missing" or row.withdrawn_at is None or not may_book:
            return ""
        return _("This file was withdrawn; it counts no longer.")

    def has_upload_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_upload_permission(request) and self.is_in_scope(request, obj)

    @action(
        description=gettext_lazy("Upload a file"),
        icon="upload_file",
        permissions=["upload"],
        url_path="go-to-upload",
    )
    def go_to_upload(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=302, headers={"Location": _url("upload")})

    @action(
        description=gettext_lazy("Compare again"), icon="compare_arrows", permissions=["upload"]
    )
    def compare_once_more(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.row_or_refuse(request, object_id)
        compare_again(row, now=timezone.now())
        if row.rows_read <= COMPARED_AT_ONCE:
            self.say(request, _("The file was compared with what is booked now."))
        return HttpResponse(status=302, headers={"Location": _url("change", object_id)})

    @action(
        description=gettext_lazy("Book what is missing here"),
        icon="playlist_add",
        permissions=["book"],
        dialog={
            "title": gettext_lazy("Book what is missing here?"),
            "description": gettext_lazy(
                "Every payment and refund of this file that we do not have becomes a transaction"
                " and earns points. Nobody gets a message for it."
            ),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Book them"),
        },
    )
    def book_missing(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        result = book_by_file(self.row_or_refuse(request, object_id), now=timezone.now())
        self.say(request, sentence_of(result))
        if result.homeless:
            self.say(request, sentence_of_homeless(result), level=messages.WARNING)
        return HttpResponse(headers={"HX-Redirect": _url("change", object_id)})

    @action(
        description=gettext_lazy("Withdraw this file"),
        icon="undo",
        permissions=["upload"],
        dialog={
            "title": gettext_lazy("Withdraw this file?"),
            "description": gettext_lazy(
                "It counts no longer and may be uploaded again, for another account too. What"
                " was booked out of it stays."
            ),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Withdraw"),
        },
    )
    def withdraw_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.row_or_refuse(request, object_id)
        if withdraw(row, user=request.user, now=timezone.now()):
            self.say(request, _("The file was withdrawn."))
        return HttpResponse(headers={"HX-Redirect": _url("change", object_id)})

    def row_or_refuse(self, request: HttpRequest, object_id: str) -> Settlement:
        row: Settlement | None = self.get_object(request, object_id)
        if row is None:
            raise PermissionDenied
        return row

    @display(description=gettext_lazy("period"), ordering="starts_on")
    def period(self, row: Settlement) -> str:
        days = [date_format(day, "SHORT_DATE_FORMAT") for day in (row.starts_on, row.ends_on)]
        return days[0] if days[0] == days[1] else " – ".join(days)

    @display(description=gettext_lazy("format"))
    def shown_format(self, row: Settlement) -> str:
        form = all_formats().get(row.format)
        return str(form.label) if form else row.format

    @display(
        description=gettext_lazy("differences"),
        label={"none": "success", "some": "danger", "waits": "info", "gone": "warning"},
    )
    def shown_faults(self, row: Settlement) -> tuple[str, str]:
        if row.withdrawn_at:
            return "gone", _("withdrawn")
        if is_being_compared(row):
            return "waits", _("being compared")
        if not row.compared_at:
            return "waits", _("not compared yet")
        number = (getattr(row, "faults", 0) or 0) + len(row.wrong_footings) + row.rows_unread
        return ("some", f"{number:,}") if number else ("none", _("none"))

    @display(description=gettext_lazy("result"))
    def result(self, row: Settlement) -> str:
        return once(row, "result", lambda: render_result(row))  # type: ignore[no-any-return]


def is_being_compared(row: Settlement) -> bool:
    return row.due_at is not None and not row.waiting_for and row.withdrawn_at is None


def render_result(row: Settlement) -> str:
    if is_being_compared(row):
        waits = {"rows": f"{row.rows_read:,}", "compared_url": _url("compared", row.pk)}
        return render_to_string("admin/payments/settlement_waits.html", waits)
    counts = counts_of(row) if row.compared_at else {}
    context = {
        "settlement": row,
        "warnings": list(_warnings(row)),
        "repeated": _repeated(row),
        "verdicts": [
            {
                "label": Verdict(verdict).label,
                "rows": f"{rows:,}",
                "url": _rows_url(row, verdict),
                "is_fault": verdict in FAULTS,
            }
            for verdict, rows in counts.items()
        ],
        "balances": _balances(row),
        "footings": {
            "headers": [_("sums of the file"), _("says the file"), _("add up its rows"), ""],
            "rows": [
                (
                    footing_in_words(what),
                    plain(Decimal(said)),
                    plain(Decimal(found)),
                    "✓" if said == found else "✗",
                )
                for what, said, found in row.footings
            ],
        },
        "problems": {"headers": [_("row"), _("what is wrong")], "rows": row.problems},
    }
    return render_to_string("admin/payments/settlement.html", context)


def sentence_of(result: Result) -> str:
    words = ngettext(
        "%(booked)d transaction was booked, %(known)d were known already.",
        "%(booked)d transactions were booked, %(known)d were known already.",
        result.booked,
    )
    return words % {"booked": result.booked, "known": result.known + result.differing}


def sentence_of_homeless(result: Result) -> str:
    return _(
        "Not booked, because their payment is not known here: %(refs)s. Upload the file with"
        " the payment first."
    ) % {"refs": ", ".join(result.homeless[:10])}


def _balances(row: Settlement) -> dict[str, Any]:
    rows = [
        (balance.currency, *(_money(sum_, balance.currency) for sum_ in balance.sums))
        for balance in balances_of(row)
    ]
    rows += [
        (_("fees, %(currency)s") % {"currency": currency}, _money(fee, currency), "", "")
        for currency, fee in fees_of(row)
    ]
    headers = [_("currency"), _("in the file"), _("here"), _("difference")]
    return {"headers": headers, "rows": rows}


def _money(amount: Decimal, currency: str) -> str:
    return Money(amount, currency).display(get_language() or "en")


def _warnings(row: Settlement) -> Any:
    if row.wrong_footings:
        yield _(
            "The file's own sums do not come out: rows are missing in it, or it was changed."
            " Download it again before you act on it."
        )
    if row.rows_unread:
        words = ngettext(
            "%(count)d row could not be read.",
            "%(count)d rows could not be read.",
            row.rows_unread,
        )
        yield words % {"count": row.rows_unread}


def _repeated(row: Settlement) -> dict[str, Any] | None:
    """A hint at the earlier file of which this one largely consists."""
    found = repeated_by(row)
    if found is None:
        return None
    words = ngettext(
        "%(shared)s of the %(count)s row of this file is in an earlier one too. If it is the same"
        " statement again, withdraw this file.",
        "%(shared)s of the %(count)s rows of this file are in an earlier one too. If it is the"
        " same statement again, withdraw this file.",
        row.rows_read,
    )
    figures = {"shared": f"{found.rows:,}", "count": f"{row.rows_read:,}"}
    return {
        "sentence": words % figures,
        "file": found.earlier,
        "url": _url("change", found.earlier.pk),
    }


def _rows_url(row: Settlement, verdict: str) -> str:
    asked = {"settlement__id__exact": row.pk, "verdict__exact": verdict}
    return f"{reverse('admin:payments_settlementrow_changelist')}?{urlencode(asked)}"


def _url(page: str, *args: Any) -> str:
    return reverse(f"admin:payments_settlement_{page}", args=args)
