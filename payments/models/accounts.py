"""Accounts at payment platforms, and the keys to them."""

import secrets

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.crypto import EncryptedTextField
from members.models import Store


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Account(models.Model):
    """One account at a payment platform, with its keys and its own callback URL.

    Spreadsheets and tills have one too, so that every transaction says where it came from.
    """

    provider = models.CharField(_("platform"), max_length=30)
    name = models.CharField(_("name"), max_length=120)
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    secrets = EncryptedTextField(blank=True, default="", editable=False)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    store = models.ForeignKey(
        Store,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("store"),
        help_text=_("Payments that name no store of their own belong to this one."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    order_wait_seconds = models.PositiveIntegerField(
        _("wait for the order (seconds)"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_(
            "Payments with an order number wait so long for the order that your shop sends by API,"
            " so that earning rules see what was bought. 0: they earn at once."
        ),
    )
    refused = models.PositiveBigIntegerField(_("refused posts"), default=0, editable=False)

    class Meta:
        verbose_name = _("payment account")
        verbose_name_plural = _("payment accounts")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
