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
        ORDERS_WRITE = "orders:write", _("send orders")
        REFUNDS_WRITE = "refunds:write", _("send refunds and returns")
        TRANSACTIONS_READ = "transactions:read", _("read transactions and orders")
        MEMBERS_READ = "members:read", _("look members up")
        MEMBERS_WRITE = "members:write", _("enrol and change members")
        CHECKOUT_READ = "checkout:read", _("read checkout options")
        PRODUCTS_READ = "products:read", _("read products")
        PRODUCTS_WRITE = "products:write", _("write products")

    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("begins with"), max_length=12, unique=True, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    old_hash = models.CharField(max_length=64, default="", editable=False)
    old_until = models.DateTimeField(_("old secret works until"), null=True, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=40, choices=Scope), default=list, verbose_name=_("scopes")
    )
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True, help_text=_("Empty: it works until switched off.")
    )
    addresses = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        verbose_name=_("allowed addresses"),
        help_text=_(
            "IP addresses or networks, separated by commas, as in 203.0.113.7, 2001:db8::/48. "
            "Empty: any address may use the key."
        ),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests per minute"),
        null=True,
        blank=True,
        help_text=_("How many it may send, over all servers. Empty: the usual number."),
    )
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


class ApiRate(models.Model):
    """Requests of one subject (`key:7`, `address:203.0.113.7`) in its latest minute, over all web
    processes. Each takes a handful at a time, so not every request comes here."""

    subject = models.CharField(max_length=60, primary_key=True)
    minute = models.DateTimeField()
    taken = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("rate of requests")
        verbose_name_plural = _("rates of requests")
        default_permissions = ()  # Nobody looks at it.
        indexes = [models.Index(fields=["minute"], name="api_rate_age")]

    def __str__(self) -> str:
        return self.subject
