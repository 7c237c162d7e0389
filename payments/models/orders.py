"""Orders: what a shop says was bought, before, with or after the money for it."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from members.models import ApiKey, Member, Store
from payments.models.catalogue import Product


class Order(Fact):
    """An order with its lines, as a shop or till sent it.

    It knows its payments by its number and store. Points follow what was paid, not what was
    ordered; a difference between the two is shown to staff.
    """

    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    order_ref = models.CharField(_("order number"), max_length=100)
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    channel = models.CharField(_("sales channel"), max_length=40, blank=True, default="")
    ordered_at = models.DateTimeField(_("ordered at"))
    received_at = models.DateTimeField(_("received at"))
    member = models.ForeignKey(
        Member,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("member"),
    )
    clues = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="kind:blind index of each sign of the buyer",
    )
    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, blank=True, verbose_name=_("API key")
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.UniqueConstraint(
                fields=["order_ref", "store"], nulls_distinct=False, name="order_once"
            )
        ]
        indexes = [
            models.Index(fields=["-ordered_at"], name="order_newest"),
            GinIndex(
                fields=["clues"],
                condition=models.Q(member__isnull=True),
                name="order_of_nobody_known",
            ),
        ]

    def __str__(self) -> str:
        return self.order_ref

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class OrderLine(Fact):
    """One line of an order; `amount` is what the whole line costs, after discounts."""

    order = models.ForeignKey(
        Order, models.PROTECT, db_index=False, related_name="lines", verbose_name=_("order")
    )
    position = models.PositiveSmallIntegerField(_("position"))
    product = models.ForeignKey(Product, models.PROTECT, verbose_name=_("product"))
    quantity = models.DecimalField(
        _("quantity"), max_digits=12, decimal_places=3, default=Decimal(1)
    )
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)

    class Meta:
        verbose_name = _("line of an order")
        verbose_name_plural = _("lines of orders")
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_once")
        ]
