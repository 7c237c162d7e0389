"""Relay: genuine posts of a platform are passed on to the address that heard them before us."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.correspondence import Attempt, Correspondent
from kit.work import Work
from payments.models.accounts import Account
from payments.models.callbacks import Callback


class Relay(Correspondent):
    """Where the posts of an account go on to, and whose answer the platform gets."""

    class Answers(models.TextChoices):
        OURS = "ours", _("ours, at once; it is passed on in the background")
        THEIRS = "theirs", _("theirs: it is passed on first, and their answer is returned")

    class WhenDown(models.TextChoices):
        ACCEPT = "accept", _("accept the post and pass it on later")
        REFUSE = "refuse", _("refuse the post, so that the platform sends it again")

    account = models.OneToOneField(Account, models.CASCADE, related_name="relay")
    is_enabled = models.BooleanField(_("enabled"), default=True)
    answers = models.CharField(
        _("answer to the platform"), max_length=10, choices=Answers, default=Answers.OURS
    )
    when_down = models.CharField(
        _("if that address does not answer"),
        max_length=10,
        choices=WhenDown,
        default=WhenDown.ACCEPT,
        help_text=_("Counts only where their answer is returned."),
    )

    class Meta:
        verbose_name = _("relay")
        verbose_name_plural = _("relays")

    def __str__(self) -> str:
        return self.url


class RelayedPost(Work):
    """A genuine post that goes on, byte for byte. Pruned after a while, sealed content and all.

    parked  `dead`: it was given up, and staff may pass it on again
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, verbose_name=_("account"))
    callback = models.OneToOneField(
        Callback, models.PROTECT, related_name="relayed", verbose_name=_("callback")
    )
    received_at = models.DateTimeField(_("received at"))
    sealed = models.BinaryField(null=True)
    taken_at = models.DateTimeField(_("taken at"), null=True)

    class Meta:
        verbose_name = _("relayed post")
        verbose_name_plural = _("relayed posts")
        permissions = [("resend_relayedpost", _("Can pass posts on again"))]
        indexes = [
            models.Index(
                fields=["account", "due_at", "id"],
                condition=Q(due_at__isnull=False, waiting_for=""),
                name="relayedpost_due",
            ),
            models.Index(
                fields=["waiting_for"], condition=~Q(waiting_for=""), name="relayedpost_parked"
            ),
            models.Index(fields=["received_at"], name="relayedpost_age"),
        ]

    def __str__(self) -> str:
        return str(self.callback)


class RelayAttempt(Attempt):
    """One try of passing a post on, and what was answered."""

    post = models.ForeignKey(RelayedPost, models.CASCADE, related_name="tries")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.status or self.trouble)
