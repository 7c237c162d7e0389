"""Work: what is still to be done with a row, kept on the row itself."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db import connection, models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kit.wording import said_in_words

REPAIR: Final = "repair"  # Parked by kit.drain: the row itself is bad; staff may replay it.
_LONGEST_ERROR: Final = 2000

IS_DUE: Final = Q(due_at__isnull=False, waiting_for="")
IS_PARKED: Final = ~Q(waiting_for="")

_MOST_LOCKS: Final = 1_000  # Of one family and transaction.


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
    @admin.display(description=_("error"))
    def shown_error(self) -> str:
        """What went wrong, in words of the active language."""
        return said_in_words(self.error) or "–"


def hold_keys(keys: list[str]) -> None:
    """Take the transaction-long advisory locks of `keys`, in one order for everybody.

    Who parks a row for a key, and who brings what the key stands for, both hold it while they
    look and write: so a row is never parked for something that has just arrived.

    The server has room for some thousand locks in all. So a large upload holds its whole family
    (`payment:<account>`, `clue:phone`), which everybody else holds in common.
    """
    if not keys:
        return
    families: dict[str, set[str]] = {}
    for key in keys:
        families.setdefault(":".join(key.split(":")[:2]), set()).add(key)
    wanted = [(0, name, len(own) <= _MOST_LOCKS) for name, own in families.items()]
    for own in families.values():
        wanted += [(1, key, False) for key in own if len(own) <= _MOST_LOCKS]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN is_common THEN pg_advisory_xact_lock_shared(lock)::text"
            " ELSE pg_advisory_xact_lock(lock)::text END FROM"
            " (SELECT DISTINCT rank, hashtextextended(key, rank) AS lock, is_common"
            " FROM unnest(%s::int[], %s::text[], %s::bool[]) AS wanted (rank, key, is_common)"
            " ORDER BY 1, 2) AS ordered",
            [list(column) for column in zip(*wanted, strict=True)],
        )


def note_failure(rows: models.QuerySet[Any], error: str, *, tries: int) -> None:
    """Count a failed try of `rows`; those that have had `tries` wait for repair."""
    rows.update(attempts=F("attempts") + 1, error=error[:_LONGEST_ERROR])
    rows.filter(attempts__gte=tries).update(waiting_for=REPAIR)


def release(rows: models.QuerySet[Work], *, at: datetime | None = None) -> int:
    """Make parked rows due again, at their old place in the order; or at `at`, and then those that
    are done as well."""
    changes: dict[str, object] = {"waiting_for": "", "error": "", "attempts": 0}
    if at is not None:
        changes["due_at"] = at
    return rows.update(**changes)
