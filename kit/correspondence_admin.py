"""What the lists of deliveries and of relayed posts share: states in words, tries as a table."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import display
from kit.correspondence import DEAD, Attempt, Correspondent
from kit.outward import in_words
from kit.work import IS_DUE, IS_PARKED, REPAIR, Work

MOST_SHOWN = 10
_MOST_OF_ONE = 50  # Four times sent again until it is given up.
_MOST_QUOTED = 160

STATE_LABELS = {
    "taken": "success",
    "waiting": "info",
    "failing": "warning",
    DEAD: "danger",
    REPAIR: "danger",
    "dropped": "warning",
}


class LogOfTries:
    """For the lists of what is handed over. Who sends again lets the waits between tries begin
    anew (`attempts`); the log goes on, and it is the log that says how often that was tried."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)  # type: ignore[misc]
        log: Any = rows.model._meta.get_field("tries")
        own = log.related_model.objects.filter(**{log.field.name: OuterRef("pk")})
        counted = own.order_by().values(log.field.name).annotate(rows=Count("pk")).values("rows")
        seen: QuerySet[Any] = rows.annotate(tried=Coalesce(Subquery(counted), 0))
        return seen

    @display(description=gettext_lazy("attempts"))
    def shown_tries(self, row: Any) -> str:
        return number_format(row.tried)

    @display(description=gettext_lazy("last answers"))
    def last_answers(self, row: Any) -> str:
        return attempts_table(row.tries.all()[:_MOST_OF_ONE])


class HandOverFilter(DropdownFilter):  # type: ignore[misc]
    """As on the Stuck page: done, due, parked."""

    title = gettext_lazy("state")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("done", _("taken")),
            ("due", _("waiting")),
            ("failing", _("failing, is tried again")),
            ("parked", _("given up")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        kinds: dict[str, dict[str, Any]] = {
            "done": {"due_at__isnull": True},
            "failing": {"due_at__isnull": False, "waiting_for": "", "attempts__gt": 0},
        }
        if self.value() in kinds:
            return queryset.filter(**kinds[self.value()])
        if self.value() == "due":
            return queryset.filter(IS_DUE)
        return queryset.filter(IS_PARKED) if self.value() == "parked" else queryset


def state_of(row: Work, *, was_taken: bool) -> tuple[str, str]:
    """The code by which it is coloured, and the words."""
    if row.waiting_for == DEAD:
        return DEAD, _("given up")
    if row.waiting_for:
        return REPAIR, _("waits for repair")
    if row.due_at is None:
        return ("taken", _("taken")) if was_taken else ("dropped", _("not taken"))
    return ("failing", _("is tried again")) if row.attempts else ("waiting", _("waiting"))


def attempts_table(attempts: Iterable[Attempt]) -> str:
    """The latest tries, the newest first."""
    rows = [(_when_in_words(row), _answer_in_words(row)) for row in attempts]
    table = {"headers": [_("tried at"), _("answer")], "rows": rows}
    return render_to_string("admin/parts/table.html", {"table": table})


def _when_in_words(attempt: Attempt) -> str:
    moment = date_format(timezone.localtime(attempt.tried_at), "DATETIME_FORMAT")
    return f"{moment} · {attempt.milliseconds} ms"


def _answer_in_words(attempt: Attempt) -> str:
    said = [str(attempt.status)] if attempt.status else []
    said += [in_words(attempt.trouble)] if attempt.trouble else []
    return " · ".join([*said, *filter(None, [attempt.note[:_MOST_QUOTED]])])


def standing_in_words(whom: Correspondent) -> str:
    """How it is going, in a sentence."""
    if not whom.failures:
        return _("All is well.") if whom.last_good_at else _("Nothing was sent yet.")
    values = {
        "failures": whom.failures,
        "since": date_format(timezone.localtime(whom.failing_since), "DATETIME_FORMAT")
        if whom.failing_since
        else "–",
    }
    if whom.rests_until and whom.rests_until > timezone.now():
        values["until"] = date_format(timezone.localtime(whom.rests_until), "TIME_FORMAT")
        return (
            _("%(failures)d failures in a row since %(since)s; it is asked again at %(until)s.")
            % values
        )
    return _("%(failures)d failures in a row since %(since)s.") % values
