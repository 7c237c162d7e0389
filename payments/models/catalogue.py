"""What is sold: products in a tree of categories."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.checking import check_columns, check_currency
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from kit.names import Named


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

    def clean(self) -> None:
        """No category stands below itself, by however many steps."""
        parents = dict(Category.objects.values_list("pk", "parent_id"))
        seen, above = {self.pk}, self.parent_id
        while above is not None:
            if above in seen:
                raise ValidationError({"parent": _("A category cannot stand below itself.")})
            seen.add(above)
            above = parents.get(above)


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
    brand = models.CharField(_("brand"), max_length=80, blank=True, default="")
    barcode = models.CharField(
        _("barcode"), max_length=40, blank=True, default="", help_text=_("EAN, UPC or your own.")
    )
    cost = models.DecimalField(
        _("unit cost"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("What one costs you, before tax."),
    )
    cost_currency = models.CharField(
        _("currency of the cost"), max_length=3, blank=True, default=""
    )
    launched_on = models.DateField(_("launched on"), null=True, blank=True)
    days_of_supply = models.PositiveSmallIntegerField(
        _("days of supply"),
        null=True,
        blank=True,
        help_text=_("How long one lasts its buyer: reminders to buy again count from it."),
    )
    is_learnt = models.BooleanField(
        _("learnt from sales"),
        default=False,
        help_text=_("Nobody has completed it yet: it has what a sale said about it."),
    )

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]
        indexes = [
            models.Index(fields=["barcode"], condition=~Q(barcode=""), name="product_by_barcode"),
            models.Index(fields=["brand"], condition=~Q(brand=""), name="product_by_brand"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(cost__isnull=True) | (Q(cost__gte=0) & ~Q(cost_currency="")),
                name="product_cost_has_currency",
            )
        ]

    def clean(self) -> None:
        if self.cost is None:
            self.cost_currency = ""
            return
        if self.cost < 0:
            raise ValidationError({"cost": _("A cost is not below zero.")})
        check_columns(self, cost_currency=check_currency)

    @property
    def unit_cost(self) -> Money | None:
        return None if self.cost is None else Money(self.cost, self.cost_currency)
