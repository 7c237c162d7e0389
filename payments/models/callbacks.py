"""What platforms send us: genuine posts, conflicts, and a sample of those refused."""

from django.db import models
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.work import Work
from payments.models.accounts import Account


class Callback(Fact, Work):
    """A genuine post of a platform. Its bytes lie in CallbackBody, which may be pruned.

    `outcome` says what translating it came to; a replay may find better words.
    """

    exempt = (*Fact.exempt, "outcome")

    account = models.ForeignKey(Account, models.PROTECT, db_index=False, verbose_name=_("account"))
    delivery_key = models.CharField(_("delivery key"), max_length=200)
    body_hash = models.BinaryField(max_length=32)
    received_at = models.DateTimeField(_("received at"))
    outcome = models.CharField(_("outcome"), max_length=60, default="", blank=True)

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        permissions = [("replay_callback", _("Can replay callbacks and retry stuck work"))]
        constraints = [
            models.UniqueConstraint(fields=["account", "delivery_key"], name="callback_once")
        ]
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["-received_at"], name="callback_newest"),
        ]

    def __str__(self) -> str:
        return self.delivery_key


class CallbackBody(models.Model):
    """The bytes and headers of a callback, encrypted. Partitioned by month, see the migration."""

    pk = models.CompositePrimaryKey("callback_id", "received_at")
    callback_id = models.UUIDField()
    received_at = models.DateTimeField()
    sealed = models.BinaryField()

    class Meta:
        managed = False
        db_table = "payments_callbackbody"

    def __str__(self) -> str:
        return str(self.callback_id)


class Conflict(Fact):
    """The same delivery key came again with another body. The first one counts; staff look.

    Its bytes are kept as long as those of callbacks, and of the first few of each callback only.
    """

    MOST_KEPT = 20
    exempt = (*Fact.exempt, "sealed")

    callback = models.ForeignKey(Callback, models.PROTECT, verbose_name=_("callback"))
    body_hash = models.BinaryField(max_length=32)
    sealed = models.BinaryField(null=True)
    received_at = models.DateTimeField(_("received at"))
    pruned_at = models.DateTimeField(_("content deleted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        constraints = [
            models.UniqueConstraint(fields=["callback", "body_hash"], name="conflict_once")
        ]

    def __str__(self) -> str:
        return str(self.callback)


class Rejection(models.Model):
    """A refused post: a ring of the latest 200 of each account. It holds no delivery key, so a
    forgery never stands in the way of the real payment."""

    RING = 200

    account = models.ForeignKey(Account, models.CASCADE, verbose_name=_("account"))
    slot = models.PositiveSmallIntegerField(editable=False)
    received_at = models.DateTimeField(_("received at"))
    reason = models.CharField(_("reason"), max_length=40)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    sealed = models.BinaryField(null=True)

    class Meta:
        verbose_name = _("refused post")
        verbose_name_plural = _("refused posts")
        constraints = [models.UniqueConstraint(fields=["account", "slot"], name="rejection_ring")]
        indexes = [models.Index(fields=["-received_at"], name="rejection_newest")]

    def __str__(self) -> str:
        return date_format(localtime(self.received_at), "DATETIME_FORMAT")


class RejectionCount(models.Model):
    """How many posts of an account were refused in a minute."""

    account = models.ForeignKey(Account, models.CASCADE)
    minute = models.DateTimeField()
    reason = models.CharField(max_length=40)
    posts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "minute", "reason"], name="rejection_count_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.reason)
