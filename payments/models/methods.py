"""Payment methods: what people pay with, in the words that they use for it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.names import Named
from members.models import Region


class PaymentMethod(Named):
    """A way to pay. Unknown ones are learnt from transactions, as products are.

    payer_countries: whose people carry it (empty: everybody's), which says where it is offered
                     first; regions and currencies: where the merchant takes it (empty: everywhere)
    """

    class Kind(models.TextChoices):
        CARD = "card", _("card")
        WALLET = "wallet", _("electronic wallet")
        BANK = "bank", _("bank transfer")
        CASH = "cash", _("cash")
        OTHER = "other", _("other")

    code = models.CharField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.OTHER)
    payer_countries = ArrayField(
        models.CharField(max_length=2),
        default=list,
        blank=True,
        verbose_name=_("countries of its payers"),
        help_text=_("Two letters each, as in HK, CN. Empty: it is known everywhere."),
    )
    regions = models.ManyToManyField(
        Region,
        blank=True,
        verbose_name=_("taken in"),
        help_text=_("Regions whose stores take it. None chosen: all of them."),
    )
    currencies = ArrayField(
        models.CharField(max_length=3),
        default=list,
        blank=True,
        verbose_name=_("currencies"),
        help_text=_("Three letters each, as in HKD, CNY. Empty: all currencies."),
    )
    is_offered = models.BooleanField(
        _("offered"), default=False, help_text=_("Shown to members as a way to pay.")
    )
    order = models.PositiveSmallIntegerField(_("order"), default=100)

    class Meta:
        verbose_name = _("payment method")
        verbose_name_plural = _("payment methods")
        ordering = ["order", "code"]
