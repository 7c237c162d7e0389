"""Who read a platform's post unmasked, and why."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from payments.models.accounts import Account


class Disclosure(Fact):
    """A payload was shown with its personal data, once, for a reason that was given."""

    class Subject(models.TextChoices):
        CALLBACK = "callback", _("callback")
        REJECTION = "rejection", _("refused post")
        CONFLICT = "conflict", _("conflict")

    account = models.ForeignKey(Account, models.PROTECT, verbose_name=_("account"))
    subject = models.CharField(_("what"), max_length=10, choices=Subject)
    subject_id = models.CharField(max_length=40)
    name = models.CharField(_("name"), max_length=200)
    reason = models.CharField(_("reason"), max_length=300)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("read by"), related_name="+"
    )
    seen_at = models.DateTimeField(_("read at"))

    class Meta:
        verbose_name = _("disclosure")
        verbose_name_plural = _("disclosures")
        permissions = [
            ("unmask_callback", _("Can read the content of posts unmasked, giving a reason")),
        ]
        indexes = [models.Index(fields=["-seen_at"], name="disclosure_newest")]

    def __str__(self) -> str:
        return self.name
