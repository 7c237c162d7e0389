"""Keys of tills and partners, and what was answered to them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from members.models.programme import Store


class ApiKey(models.Model):
    """A till's or partner's key: shown once, kept as a hash, limited to scopes and a store."""

    class Scope(models.TextChoices):
        COUPONS_REDEEM = "coupons:redeem", _("redeem coupons")
        COUPONS_READ = "coupons:read", _("look coupons up")
        SALES_WRITE = "sales:write", _("send sales")
        MEMBERS_READ = "members:read", _("look members up")

    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("begins with"), max_length=12, unique=True, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=40, choices=Scope), default=list, verbose_name=_("scopes")
    )
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_on = models.DateField(_("last used on"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return self.name


class ApiCall(models.Model):
    """The first answer to a mutation, kept so that its repetition gets the same one."""

    api_key = models.ForeignKey(ApiKey, models.CASCADE)
    idempotency_key = models.CharField(max_length=120)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField(default=dict)
    called_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="api_call_once")
        ]
        indexes = [models.Index(fields=["called_at"], name="api_call_age")]

    def __str__(self) -> str:
        return self.idempotency_key
