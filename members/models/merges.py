"""Merges: two members turned out to be one person, or one turned out to be two."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from members.models.people import Member


class Merge(Fact):
    """From `merged_at` until `undone_at`, `merged` and `survivor` are one person.

    What either did stays theirs: payments, consents and coupons keep their member. Points are held
    by the survivor as long as it lasts. `Member.merged_into` follows from the merges that last.
    """

    merged = models.ForeignKey(
        Member,
        models.PROTECT,
        db_index=False,
        related_name="merges",
        verbose_name=_("merged member"),
    )
    survivor = models.ForeignKey(
        Member, models.PROTECT, related_name="absorptions", verbose_name=_("surviving member")
    )
    reason = models.CharField(_("reason"), max_length=200)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name=_("by"), related_name="+"
    )
    merged_at = models.DateTimeField(_("merged at"))
    undone_at = models.DateTimeField(_("undone at"), null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        verbose_name=_("undone by"),
        related_name="+",
    )
    undone_reason = models.CharField(  # noqa: DJ001 - learnt later: NULL may become a value once
        _("why undone"), max_length=200, null=True
    )

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        constraints = [
            models.UniqueConstraint(
                fields=["merged"], condition=Q(undone_at=None), name="merged_into_one"
            ),
            models.CheckConstraint(condition=~Q(merged=F("survivor")), name="merge_of_two"),
        ]
        indexes = [models.Index(fields=["merged", "-merged_at"], name="merge_of_member")]

    def __str__(self) -> str:
        return f"{self.merged} → {self.survivor}"
