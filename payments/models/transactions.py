"""Transactions: effects on money in one normal form, and the lines of their baskets."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from kit.work import Work
from members.models import Member, Store
from payments.models.accounts import Account
from payments.models.callbacks import Callback
from payments.models.catalogue import Product
from payments.models.orders import Order
from payments.models.rates import Rate


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
    order = models.ForeignKey(
        Order,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="payments",
        verbose_name=_("order"),
        help_text=_("Of a payment: the order that it pays, or a part of it."),
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

    earning_amount = models.DecimalField(
        _("amount that earns"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("Of a payment, where a part of it earns no points: vouchers, say."),
    )
    payer_country = models.CharField(
        _("payer's country"), max_length=2, blank=True, default="", help_text="ISO 3166-1 alpha-2"
    )
    settled_amount = models.DecimalField(
        _("settled amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("What the platform pays out for this, before its fee."),
    )
    settled_currency = models.CharField(  # noqa: DJ001 - learnt later: NULL may become a value once
        _("settlement currency"), max_length=3, null=True, blank=True
    )
    fee = models.DecimalField(
        _("fee"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("The platform's fee, in the settlement currency."),
    )
    is_outside = models.BooleanField(
        _("paid back another way"),
        default=False,
        help_text=_("In cash, say: no total that the platform reports contains it."),
    )
    confirms = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="confirmed_by",
        verbose_name=_("confirms"),
        help_text=_("An earlier telling of the same one, which counts no more."),
    )

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        permissions = [
            ("link_transaction", _("Can link a transaction to a member")),
            ("refund_transaction", _("Can enter refunds and chargebacks")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "payment_ref", "kind", "effect_ref"], name="effect_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transaction_moves_money"),
            models.CheckConstraint(
                condition=Q(earning_amount=None) | Q(earning_amount__range=(0, F("amount"))),
                name="transaction_earns_at_most_all",
            ),
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
            models.Index(
                fields=["order"],
                condition=Q(order__isnull=False),
                name="transaction_of_order",
            ),
            models.Index(
                fields=["order_ref"],
                condition=~Q(order_ref=""),
                name="transaction_of_order_number",
            ),
            models.Index(
                fields=["confirms"],
                condition=Q(confirms__isnull=False),
                name="transaction_confirming",
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

    def that_earns(self, left: Money) -> Money:
        """The part of what is `left` of this payment that earns points: all, or its share."""
        if self.earning_amount is None:
            return left
        return left.convert(self.earning_amount / self.amount, left.currency)


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
