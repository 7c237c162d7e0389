"""What we ask platforms about: payments that somebody hinted at, or that staff want to know of."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.work import Work
from payments.models.accounts import Account
from payments.models.callbacks import Callback


class Query(Work):
    """A payment that the platform is asked about, one row however often it is hinted at.

    No fact: a hint proves nothing, and what the platform does not know is dropped again. The
    answer that tells of money is a callback like any other.
    """

    account = models.ForeignKey(Account, models.PROTECT, db_index=False, verbose_name=_("account"))
    reference = models.CharField(_("payment reference"), max_length=100)
    order_ref = models.CharField(_("order number"), max_length=100, blank=True, default="")
    hints = models.PositiveIntegerField(_("hints"), default=0)
    is_wanted = models.BooleanField(_("asked by staff"), default=False)
    first_at = models.DateTimeField(_("first heard of"))
    asked_at = models.DateTimeField(_("last asked"), null=True, blank=True)
    outcome = models.CharField(_("answer"), max_length=60, blank=True, default="")
    callback = models.ForeignKey(
        Callback, models.PROTECT, null=True, blank=True, verbose_name=_("callback")
    )

    class Meta:
        verbose_name = _("query")
        verbose_name_plural = _("queries")
        constraints = [models.UniqueConstraint(fields=["account", "reference"], name="query_once")]
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["account", "first_at"], name="query_newest"),
            models.Index(
                fields=["account"],
                condition=models.Q(due_at__isnull=False),
                name="query_open",
            ),
        ]

    def __str__(self) -> str:
        return self.reference
