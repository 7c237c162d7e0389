"""What the member's page in the admin shows below the form: at most 20 rows of each kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from campaigns.models import Message
from campaigns.wording import reason_in_words
from config.admin.timeline import as_lines, lines_of
from kit.admin import may_see_personal_data
from kit.masking import mask_value
from kit.money import Money
from loyalty.models import Coupon, Transfer
from loyalty.selectors import (
    TierProgress,
    coupons_of,
    ledger_rows,
    open_lots,
    rule_versions,
    standing_of,
    tier_progress,
)
from loyalty.wording import benefit, reasons, title
from members.models import Event, Identity, Member, Merge
from members.persons import own_rows
from members.selectors import newest_consent
from payments.models import Transaction
from payments.wording import state_of

MOST_ROWS: Final = 20
Cells = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    title: str
    headers: Sequence[str]
    rows: list[Cells]
    more_url: str = ""

    @property
    def table(self) -> dict[str, Any]:
        return {"headers": self.headers, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Desk:
    """The member's whole page: figures at the top, tabs below."""

    balance: str
    progress: TierProgress | None
    missing: str
    payments: int
    last_paid_at: datetime | None
    consent: str
    merges: list[Merge]
    is_merged: bool  # Another member holds all that is counted.
    tabs: list[Tab] = field(default_factory=list)


def tabs_of(member: Member, request: HttpRequest, *, now: datetime) -> Desk:
    """A fixed number of queries, however long the member's history is."""
    standing = standing_of(member)
    progress = tier_progress(standing)
    consent = newest_consent(member)
    word = _("not asked") if consent is None else (_("yes") if consent.is_granted else _("no"))
    parts: list[tuple[type[Model], Callable[[], Tab]]] = [
        (Transfer, lambda: _lots(member)),
        (Transfer, lambda: _ledger(member)),
        (Transaction, lambda: _transactions(member, request)),
        (Coupon, lambda: _coupons(member, now)),
        (Message, lambda: _messages(member)),
        (Event, lambda: _timeline(member, request)),
        (Member, lambda: _identities(member, request)),
    ]
    return Desk(
        balance=_points(standing.balance),
        progress=progress,
        missing=_money(progress.missing) if progress and progress.missing else "",
        payments=standing.payments,
        last_paid_at=standing.last_paid_at,
        consent=word,
        merges=_merges(member),
        is_merged=member.merged_into_id is not None,
        tabs=[read() for model, read in parts if _desk(model).has_view_permission(request)],
    )


def _merges(member: Member) -> list[Merge]:
    """Those of the member itself: into another, and of others into it."""
    of_member = Merge.objects.filter(Q(merged=member) | Q(survivor=member))
    found = of_member.select_related("merged", "survivor", "actor", "undone_by")
    return list(found.order_by("-merged_at")[:MOST_ROWS])


def _lots(member: Member) -> Tab:
    rows = [
        (_points(lot.left), _points(lot.lot.points), _day(lot.lot.starts_at), _day(lot.expires_at))
        for lot in open_lots(member)[:MOST_ROWS]
    ]
    headers = [_("left"), _("of"), pgettext("a day", "from"), _("lapses at")]
    return Tab("lots", _("Points that are left"), headers, rows)


def _ledger(member: Member) -> Tab:
    found = ledger_rows(member, limit=MOST_ROWS)
    versions = rule_versions(found)
    rows: list[Cells] = [
        (
            _instant(row.transfer.booked_at),
            _link(row.transfer, str(row.transfer.get_kind_display())),
            _points(row.points, is_signed=True),
            as_lines([title(row), *reasons(row, versions)]),
        )
        for row in found
    ]
    headers = [_("booked at"), _("movement"), _("points"), _("reason")]
    return Tab("ledger", _("Ledger"), headers, rows, _more(Transfer, member))


def _transactions(member: Member, request: HttpRequest) -> Tab:
    found = _desk(Transaction).get_queryset(request).filter(member__in=own_rows(member))
    rows = [
        (
            _instant(row.occurred_at),
            _link(row, row.payment_ref),
            str(row.get_kind_display()),
            _money(row.money),
            str(row.store or "–"),
            state_of(row),
        )
        for row in found.select_related("store").order_by("-occurred_at")[:MOST_ROWS]
    ]
    headers = [
        _("occurred at"), _("payment reference"), _("kind"), _("amount"), _("store"), _("state"),
    ]  # fmt: skip
    return Tab("transactions", _("Transactions"), headers, rows, _more(Transaction, member))


def _coupons(member: Member, now: datetime) -> Tab:
    rows = [
        (
            _link(held.coupon, held.coupon.code),
            str(held.coupon.type),
            benefit(held.coupon.type),
            str(held.state.label),
            _day(held.coupon.expires_at),
        )
        for held in coupons_of(member, now=now, limit=MOST_ROWS)
    ]
    headers = [_("code"), _("coupon"), _("benefit"), _("state"), _("usable until")]
    return Tab("coupons", _("Coupons"), headers, rows, _more(Coupon, member))


def _messages(member: Member) -> Tab:
    sent = Message.objects.filter(member__in=own_rows(member))
    found = sent.order_by("-queued_at")[:MOST_ROWS]
    rows = [
        (
            _instant(row.queued_at),
            _link(row, str(row)),
            str(row.get_state_display()),
            reason_in_words(row.reason) if row.reason else "",
        )
        for row in found
    ]
    headers = [_("queued at"), _("message"), _("state"), _("reason")]
    return Tab("messages", _("Messages"), headers, rows, _more(Message, member))


def _timeline(member: Member, request: HttpRequest) -> Tab:
    happened = Event.objects.filter(member__in=own_rows(member))
    found = list(happened.order_by("-occurred_at")[:MOST_ROWS])
    rows: list[Cells] = [
        (_instant(row.occurred_at), _link(row, str(row.get_kind_display())), as_lines(lines))
        for row, lines in zip(found, lines_of(found, request), strict=True)
    ]
    headers = [_("occurred at"), _("what happened"), _("details")]
    return Tab("timeline", _("Timeline"), headers, rows, _more(Event, member))


def _identities(member: Member, request: HttpRequest) -> Tab:
    is_open = may_see_personal_data(request)
    known = Identity.objects.filter(member__in=own_rows(member))
    found = known.order_by("-added_at")[:MOST_ROWS]
    rows = [
        (
            str(row),
            (row.value if is_open else mask_value(row.value)) or _("known by its hash only"),
            _instant(row.added_at),
        )
        for row in found
    ]
    return Tab("identities", _("Identities"), [_("kind"), _("value"), _("added at")], rows)


def _desk(model: type[Model]) -> admin.ModelAdmin[Any]:
    return admin.site._registry[model]


def _link(row: Model, words: str) -> str:
    options = row._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return format_html('<a class="rg-link" href="{}">{}</a>', url, words)


def _more(model: type[Model], member: Member) -> str:
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?q={member.code}"


def _money(money: Money) -> str:
    return money.display(get_language() or "en")


def _points(points: int, *, is_signed: bool = False) -> str:
    shown = number_format(points, use_l10n=True, force_grouping=True)
    return f"+{shown}" if is_signed and points > 0 else shown


def _instant(instant: datetime) -> str:
    return date_format(localtime(instant), "SHORT_DATETIME_FORMAT")


def _day(instant: datetime | None) -> str:
    return date_format(localtime(instant), "SHORT_DATE_FORMAT") if instant else "–"
