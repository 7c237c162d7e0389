"""What people add to the money: corrections entered by hand, and what they decide in conflicts."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from members.models import ApiKey
from payments.models.callbacks import Callback
from payments.models.transactions import Transaction


class HandEntry(Fact):
    """Who entered a refund, chargeback or reversal that no platform reported, and why."""

    transaction = models.OneToOneField(
        Transaction,
        models.PROTECT,
        related_name="hand_entry",
        verbose_name=_("transaction"),
    )
    reason = models.CharField(_("reason"), max_length=300)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name=_("by")
    )
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, verbose_name=_("API key"))
    entered_at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("entry by hand")
        verbose_name_plural = _("entries by hand")

    def __str__(self) -> str:
        return self.reason


class AmountConflict(Fact):
    """Two tellings of what may be one effect on money. The first one counts until staff decide.

    different:  the same effect came again with another amount (nothing is booked of it)
    twin:       a platform tells of a refund that may be one that was entered by hand (its own
                transaction waits)
    """

    class Kind(models.TextChoices):
        DIFFERENT = "different", _("another amount")
        TWIN = "twin", _("perhaps told twice")

    class Decision(models.TextChoices):
        KEPT = "kept", _("the first one is right")
        CORRECTED = "corrected", _("the second one is right: the difference was booked")
        SAME = "same", _("it is the same one")
        ANOTHER = "another", _("it is another one")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    first = models.ForeignKey(
        Transaction, models.PROTECT, related_name="conflicts", verbose_name=_("booked first")
    )
    second = models.OneToOneField(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="conflict",
        verbose_name=_("came later"),
    )
    callback = models.ForeignKey(Callback, models.PROTECT, null=True, verbose_name=_("callback"))
    amount = models.DecimalField(
        _("later amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES
    )
    currency = models.CharField(_("currency"), max_length=3)
    found_at = models.DateTimeField(_("found at"))
    decision = models.CharField(  # noqa: DJ001 - written once: NULL becomes a value
        _("decision"), max_length=10, choices=Decision, null=True
    )
    reason = models.CharField(  # noqa: DJ001
        _("reason"), max_length=300, null=True
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    correction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("booked to correct it"),
    )

    class Meta:
        verbose_name = _("amount conflict")
        verbose_name_plural = _("amount conflicts")
        permissions = [("decide_amountconflict", _("Can decide amount conflicts"))]
        constraints = [
            models.UniqueConstraint(
                fields=["first", "callback", "amount", "currency"],
                condition=Q(kind="different"),
                nulls_distinct=False,
                name="amount_conflict_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["found_at"],
                condition=Q(decided_at__isnull=True),
                name="amount_conflict_open",
            )
        ]

    def __str__(self) -> str:
        return str(self.first)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)
