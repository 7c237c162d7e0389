"""The rhythm of each account's posts, and alarms when it falls silent."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from payments.models.accounts import Account


class AccountHour(models.Model):
    """How many genuine posts an account had in an hour: a projection, counted from callbacks."""

    account = models.ForeignKey(Account, models.CASCADE, verbose_name=_("account"))
    hour = models.DateTimeField(_("hour"))
    posts = models.PositiveIntegerField(_("posts"))
    last_at = models.DateTimeField(_("last post"))

    class Meta:
        verbose_name = _("posts by hour")
        verbose_name_plural = _("posts by hour")
        constraints = [
            models.UniqueConstraint(fields=["account", "hour"], name="account_hour_once")
        ]
        indexes = [models.Index(fields=["hour"], name="account_hour_newest")]

    def __str__(self) -> str:
        return str(self.hour)


class Alarm(Fact):
    """An account was silent for longer than its own rhythm explains."""

    account = models.ForeignKey(
        Account, models.PROTECT, db_index=False, verbose_name=_("account"), related_name="alarms"
    )
    silent_since = models.DateTimeField(_("silent since"))
    opened_at = models.DateTimeField(_("raised at"))
    expected = models.DecimalField(_("posts expected meanwhile"), max_digits=12, decimal_places=1)
    closed_at = models.DateTimeField(_("posts came again at"), null=True, blank=True)
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("seen by"),
        related_name="+",
    )
    mailed_at = models.DateTimeField(_("told by e-mail at"), null=True, blank=True)

    class Meta:
        verbose_name = _("silence alarm")
        verbose_name_plural = _("silence alarms")
        permissions = [
            ("see_alarm", _("Can mark silence alarms as seen")),
            ("hear_alarm", _("Gets an e-mail when an account falls silent")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(closed_at__isnull=True), name="alarm_open_once"
            )
        ]
        indexes = [models.Index(fields=["account", "-opened_at"], name="alarm_newest")]

    def __str__(self) -> str:
        return str(self.account)
