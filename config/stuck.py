"""The Stuck page: whatever waits, of every Work model, with reasons in words and a way out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, Count, F, Func, Min, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from campaigns.models import Message
from campaigns.services.deliver import DOUBT
from campaigns.wording import WAITS
from kit.correspondence import DEAD
from kit.money import Money
from kit.work import IS_PARKED, REPAIR, Work, release
from payments.models import Alarm, AmountConflict, Query, Transaction
from payments.services.booking import unmatched
from payments.services.conflicts import CONFLICT
from payments.services.refunds import DEAD_AFTER
from payments.services.unmatched import IN_QUEUE
from payments.wording import error_in_words, waiting_in_words

RETRY: Final = "payments.replay_callback"
TWIN: Final = AmountConflict.Kind.TWIN.value
VAIN: Final = "vain"  # Not a key that rows wait for: one that they have waited for too long.
# It waits because that is how it should be: nobody has to mend anything.
WAITS_CALMLY: Final = Q(waiting_for="member") | Q(waiting_for__startswith="campaign:")
SAMPLES: Final = 5
MOST_ALARMS: Final = 20
CACHED_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one model that wait for the same thing."""

    model: str
    title: str
    reason: str
    count: int
    oldest: Any
    list_url: str
    samples: list[tuple[str, str, str, str]]  # name, amount, URL, error
    remedy: tuple[str, str] | None  # words, URL
    can_retry: bool
    is_calm: bool


def stuck_view(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _retry(request)
    groups = [group for model in work_models() for group in groups_of(model, request)]
    context = {
        **admin.site.each_context(request),
        "title": _("Stuck"),
        "groups": [group for group in groups if not group.is_calm],
        "calm": [group for group in groups if group.is_calm],
        "may_retry": request.user.has_perm(RETRY),
        "alarms": open_alarms(request),
    }
    return TemplateResponse(request, "admin/stuck.html", context)


def open_alarms(request: HttpRequest) -> list[Alarm]:
    """Accounts that are silent against their own rhythm, in the scope of who asks; at most a
    minute old."""
    key = f"alarms:{request.user.pk}"
    kept: list[Alarm] | None = cache.get(key)
    if kept is None:
        desk = admin.site._registry[Alarm]
        rows = desk.get_queryset(request).select_related("account").filter(closed_at=None)
        may_see = desk.has_view_permission(request)
        kept = list(rows.order_by("silent_since")[:MOST_ALARMS]) if may_see else []
        cache.set(key, kept, CACHED_SECONDS)
    return kept


def work_models() -> list[type[Work]]:
    models = (model for model in apps.get_models() if not model._meta.proxy)
    return [model for model in models if issubclass(model, Work)]


def stuck_count(request: HttpRequest) -> int:
    """How many rows wait for somebody, for the sidebar; at most a minute old."""
    key = f"stuck:{request.user.pk}"
    kept: int | None = cache.get(key)
    if kept is None:
        # One question, however many kinds of work there are: every page asks it.
        first, *others = (
            _parked(model, request)
            .exclude(WAITS_CALMLY)
            .order_by()
            .annotate(place=Value(1))
            .values_list("place")
            for model in work_models()
        )
        kept = first.union(*others, all=True).count()
        cache.set(key, kept, CACHED_SECONDS)
    return kept


def groups_of(model: type[Work], request: HttpRequest) -> Iterable[Group]:
    waits = Case(When(_in_vain(), then=Value(VAIN)), default=_part(1), output_field=CharField())
    kinds = (
        _parked(model, request)
        .annotate(what=waits, detail=_part(2))
        .values("what", "detail")
        .annotate(rows=Count("pk"), oldest=Min("due_at"), example=Min("waiting_for"))
        .order_by("-rows")
    )
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for found in kinds[:200]:
        # Each payment waited for is a reason of its own; together they are one.
        key = (found["what"], found["detail"] if found["what"] in {"rate", "platform"} else "")
        known = merged.setdefault(key, {**found, "rows": 0})
        known["rows"] += found["rows"]
    for (what, detail), found in merged.items():
        yield _group(model, request, what=what, detail=detail, found=found)


def _group(
    model: type[Work], request: HttpRequest, *, what: str, detail: str, found: dict[str, Any]
) -> Group:
    prefix = f"{what}:{detail}" if detail else what
    waiting = _in_vain() if what == VAIN else Q(waiting_for__startswith=prefix)
    if what == "payment":
        waiting &= ~_in_vain()
    rows = _parked(model, request).filter(waiting).order_by("due_at")
    return Group(
        model=model._meta.label_lower,
        title=_("Not matched yet") if what == "member" else str(model._meta.verbose_name_plural),
        reason=_reason(what, detail, found["example"]),
        count=found["rows"],
        oldest=found["oldest"],
        list_url=_list_url(model, what),
        samples=[_sample(row) for row in rows[:SAMPLES]],
        remedy=_remedy_of_dead(model, request)
        if what == DEAD
        else _remedy(request, what=what, detail=detail, example=found["example"]),
        can_retry=what == REPAIR,
        is_calm=what in {"member", "campaign"},
    )


def _sample(row: Work) -> tuple[str, str, str, str]:
    money: Money | None = getattr(row, "money", None)
    amount = money.display(get_language() or "en") if money else ""
    return str(row), amount, _change_url(row), error_in_words(row.error)[:300]


def _reason(what: str, detail: str, example: str) -> str:
    if what == "payment":
        return _("Wait for the payment that they take back: it has not come in yet.")
    if what == VAIN:
        return _(
            "Have waited more than %(days)d days for the payment that they take back. It will "
            "hardly come: look for it at the platform, or enter it by spreadsheet."
        ) % {"days": DEAD_AFTER.days}
    if what == "rate":
        return _("Wait for an exchange rate of %(currency)s.") % {"currency": detail}
    if what == DEAD:
        return _("The other side did not take them in three days of trying.")
    if what in WAITS:
        return str(WAITS[what])
    return waiting_in_words(example)


def _remedy(
    request: HttpRequest, *, what: str, detail: str, example: str
) -> tuple[str, str] | None:
    """The way out, for whoever may take it."""
    if what == "rate" and request.user.has_perm("payments.add_rate"):
        asked = urlencode({"currency": detail, "valid_from": example.rpartition(":")[2]})
        words = _("Enter a rate of %(currency)s") % {"currency": detail}
        return words, f"{reverse('admin:payments_rate_add')}?{asked}"
    if what == "member" and request.user.has_perm("payments.link_transaction"):
        return _("Link them to members"), reverse("admin:payments_unmatchedpayment_changelist")
    if what == "platform" and request.user.has_perm(RETRY):
        return _("Ask the platform again"), _list_url(Query, what)
    if what in {CONFLICT, TWIN} and request.user.has_perm("payments.decide_amountconflict"):
        url = reverse("admin:payments_amountconflict_changelist")
        return _("Decide"), f"{url}?decided=no"
    if what == DOUBT and request.user.has_perm("campaigns.run_campaign"):
        return _("Confirm or send again"), _list_url(Message, what)
    return None


def _remedy_of_dead(model: type[Work], request: HttpRequest) -> tuple[str, str] | None:
    right = f"{model._meta.app_label}.resend_{model._meta.model_name}"
    may = request.user.has_perm(right)
    return (_("Look at them and send them again"), _list_url(model, DEAD)) if may else None


def _retry(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(RETRY):
        raise PermissionDenied
    wanted = request.POST.get("model")
    model = next((known for known in work_models() if known._meta.label_lower == wanted), None)
    if model is None:
        raise PermissionDenied
    count = release(_parked(model, request).filter(waiting_for=REPAIR))
    cache.delete(f"stuck:{request.user.pk}")
    words = ngettext("%(count)d row is tried again.", "%(count)d rows are tried again.", count)
    messages.success(request, words % {"count": count})
    return redirect("admin:stuck")


def _parked(model: type[Work], request: HttpRequest) -> QuerySet[Any]:
    """Within the scope and the permissions of who asks. A message in doubt was never parked."""
    desk = admin.site._registry.get(model)
    if desk is None or not desk.has_view_permission(request):
        return model._default_manager.none()
    rows = desk.get_queryset(request).select_related(None).filter(IS_PARKED)
    # What was taken back of an unmatched payment follows it: there is nothing to do with it.
    follows = unmatched() & ~Q(kind=Transaction.Kind.PAYMENT)
    return rows.exclude(follows) if model is Transaction else rows


def _in_vain() -> Q:
    """Refunds whose payment has not come for so long that it hardly will."""
    return Q(waiting_for__startswith="payment:", due_at__lt=timezone.now() - DEAD_AFTER)


def _part(number: int) -> Func:
    return Func(
        F("waiting_for"),
        Value(":"),
        Value(number),
        function="split_part",
        output_field=CharField(),
    )


def _list_url(model: type[Work], what: str) -> str:
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    if model is Message:
        return f"{url}?state__exact=unknown" if what == DOUBT else url
    if model is Transaction:
        return f"{url}?{IN_QUEUE}" if what == "member" else f"{url}?waiting={what}"
    return f"{url}?work=parked"


def _change_url(row: Work) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
