"""Money in: accounts at payment platforms, what they send us, and the transactions in it."""

import secrets
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.crypto import EncryptedTextField
from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from kit.names import Named
from kit.work import Work
from members.models import Member, Store


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
    refused = models.PositiveBigIntegerField(_("refused posts"), default=0, editable=False)

    class Meta:
        verbose_name = _("payment account")
        verbose_name_plural = _("payment accounts")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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
    """The same delivery key came again with another body. The first one counts; staff look."""

    callback = models.ForeignKey(Callback, models.PROTECT, verbose_name=_("callback"))
    body_hash = models.BinaryField(max_length=32)
    sealed = models.BinaryField()
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        constraints = [
            models.UniqueConstraint(fields=["callback", "body_hash"], name="conflict_once")
        ]


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
        return self.reason


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


class Category(Named):
    code = models.CharField(_("code"), max_length=40, unique=True)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["code"]


class Product(Named):
    sku = models.CharField(_("SKU"), max_length=60, unique=True)
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="products",
        verbose_name=_("category"),
    )

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]


class Rate(Fact):
    """One unit of `currency` in the programme's currency, from a day on until a newer rate."""

    currency = models.CharField(_("currency"), max_length=3)
    valid_from = models.DateField(_("valid from"))
    rate = models.DecimalField(_("rate"), max_digits=20, decimal_places=10)
    source = models.CharField(_("source"), max_length=60, default="staff")
    entered_at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "valid_from"], name="rate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.rate.normalize():f} ({self.valid_from})"


class Transaction(Fact, Work):
    """One effect on money, in the normal form of every source. From here all take one road.

    Its second key, besides the callback's delivery key, is the effect: two notices about the same
    refund are one transaction.
    """

    class Kind(models.TextChoices):
        PAYMENT = "payment", _("payment")
        REFUND = "refund", _("refund")
        CHARGEBACK = "chargeback", _("chargeback")
        REVERSAL = "reversal", _("reversal")

    class Source(models.TextChoices):
        CALLBACK = "callback", _("callback")
        IMPORT = "import", _("import")
        API = "api", _("API")
        STAFF = "staff", _("staff")

    account = models.ForeignKey(Account, models.PROTECT, db_index=False, verbose_name=_("account"))
    callback = models.ForeignKey(
        Callback, models.PROTECT, null=True, blank=True, verbose_name=_("callback")
    )
    source = models.CharField(_("source"), max_length=10, choices=Source)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    payment_ref = models.CharField(_("payment reference"), max_length=100)
    effect_ref = models.CharField(_("effect reference"), max_length=100)
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    is_total = models.BooleanField(
        _("total so far"),
        default=False,
        help_text=_("The platform gave the total of all refunds."),
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))
    order_ref = models.CharField(_("order number"), max_length=100, blank=True, default="")
    method = models.CharField(_("payment method"), max_length=40, blank=True, default="")
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    clues = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="kind:blind index of each sign of the payer",
    )
    may_message = models.BooleanField(default=True)
    original = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="corrections",
        verbose_name=_("original payment"),
    )
    member = models.ForeignKey(
        Member,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="transactions",
        verbose_name=_("member"),
    )
    rate = models.ForeignKey(
        Rate,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("exchange rate"),
    )
    reporting_amount = models.DecimalField(
        _("reporting amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
    )

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        permissions = [("link_transaction", _("Can link a transaction to a member"))]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "payment_ref", "kind", "effect_ref"], name="effect_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transaction_moves_money"),
        ]
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["-occurred_at"], name="transaction_newest"),
            models.Index(fields=["member", "-occurred_at"], name="transaction_of_member"),
            models.Index(
                fields=["member", "due_at"],
                condition=Q(due_at__isnull=False, waiting_for=""),
                name="transaction_due_of_member",
            ),
            models.Index(
                fields=["original"],
                condition=Q(original__isnull=False),
                name="transaction_of_original",
            ),
            GinIndex(
                fields=["clues"], condition=Q(member__isnull=True), name="transaction_unmatched"
            ),
        ]

    def __str__(self) -> str:
        return self.payment_ref

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Line(Fact):
    """One line of a basket; `amount` is what was paid for it, in the transaction's currency."""

    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        db_index=False,
        related_name="lines",
        verbose_name=_("transaction"),
    )
    position = models.PositiveSmallIntegerField(_("position"))
    product = models.ForeignKey(Product, models.PROTECT, verbose_name=_("product"))
    quantity = models.DecimalField(
        _("quantity"), max_digits=12, decimal_places=3, default=Decimal(1)
    )
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        constraints = [
            models.UniqueConstraint(fields=["transaction", "position"], name="line_once")
        ]
