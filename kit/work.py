"""Work: what is still to be done with a row, kept on the row itself."""

from datetime import datetime
from typing import ClassVar, Final

from django.db import connection, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

REPAIR: Final = "repair"  # Parked by kit.drain: the row itself is bad; staff may replay it.

IS_DUE: Final = Q(due_at__isnull=False, waiting_for="")
IS_PARKED: Final = ~Q(waiting_for="")


class Work(models.Model):
    """Three states, no more.

    done    due_at is NULL
    due     due_at is set: taken in the order of due_at
    parked  waiting_for says what is missing (`rate:GBP:2026-11-21`, `member`, `repair` …); due_at
            keeps the row's place in the order for the day it resumes
    """

    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    waiting_for = models.CharField(_("waiting for"), max_length=200, default="", blank=True)
    error = models.TextField(_("error"), default="", blank=True)

    class Meta:
        abstract = True

    indexes_of_work: ClassVar[list[models.Index]] = [
        models.Index(fields=["due_at"], condition=IS_DUE, name="%(app_label)s_%(class)s_due"),
        models.Index(fields=["waiting_for"], condition=IS_PARKED, name="%(class)s_parked"),
    ]

    @property
    def is_done(self) -> bool:
        return self.due_at is None

    @property
    def is_parked(self) -> bool:
        return bool(self.waiting_for)


def hold_keys(keys: list[str]) -> None:
    """Take the transaction-long advisory locks of `keys`, in one order for everybody.

    Who parks a row for a key, and who brings what the key stands for, both hold it while they
    look and write: so a row is never parked for something that has just arrived.
    """
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(lock) FROM"
            " (SELECT DISTINCT hashtextextended(key, 0) AS lock FROM unnest(%s::text[]) AS key"
            " ORDER BY 1) AS ordered",
            [keys],
        )


def release(rows: models.QuerySet[Work], *, at: datetime | None = None) -> int:
    """Make parked rows due again, at their old place in the order unless `at` says otherwise."""
    changes: dict[str, object] = {"waiting_for": "", "error": "", "attempts": 0}
    if at is not None:
        changes["due_at"] = at
    return rows.update(**changes)
