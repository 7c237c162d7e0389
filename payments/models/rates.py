"""Exchange rates."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from members.models import Programme


class Rate(Fact):
    """One unit of `currency` in `quote_currency`, from a day on until a newer rate.

    It was the programme's currency when the rate was entered. Where that changed since, before
    any money came in, the rate stays and is not used any more.
    """

    currency = models.CharField(_("currency"), max_length=3)
    quote_currency = models.CharField(_("reporting currency"), max_length=3)
    valid_from = models.DateField(_("valid from"))
    rate = models.DecimalField(_("rate"), max_digits=20, decimal_places=10)
    source = models.CharField(_("source"), max_length=60, default="staff")
    entered_at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "quote_currency", "valid_from"], name="rate_once"
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_is_positive"),
        ]

    def clean(self) -> None:
        if self.currency == Programme.current().currency:
            words = _("This is the programme's own currency, which needs no rate.")
            raise ValidationError({"currency": words})
        if self.rate is not None and self.rate <= 0:
            words = _("A rate is above zero and has at most 10 decimals.")
            raise ValidationError({"rate": words})

    def __str__(self) -> str:
        return f"{self.currency} {self.rate.normalize():f} ({self.valid_from})"
