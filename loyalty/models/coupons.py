"""Coupons: what they are worth, who holds one, and when it was used."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.checking import check_columns, check_currency
from kit.facts import Fact
from kit.ids import new_code
from kit.money import DECIMAL_PLACES, MAX_DIGITS
from kit.names import Named
from members.models import ApiKey, Member, Store
from payments.models import Category, Transaction


def new_coupon_code() -> str:
    return new_code("C", length=11)


class CouponType(Named):
    """What a kind of coupon gives, on which conditions, for how long and how often."""

    class Benefit(models.TextChoices):
        AMOUNT = "amount", _("amount off")
        PERCENT = "percent", _("percent off")
        GIFT = "gift", _("gift")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    benefit = models.CharField(_("benefit"), max_length=10, choices=Benefit)
    value = models.DecimalField(
        _("value"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("An amount in the coupon's currency, or a percentage."),
    )
    currency = models.CharField(_("currency"), max_length=3, default="HKD")
    most_off = models.DecimalField(
        _("at most"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("The most that a percentage takes off."),
    )
    minimum_spend = models.DecimalField(
        _("minimum spend"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, default=0
    )
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("only for category"),
    )
    stores = models.ManyToManyField(
        Store,
        blank=True,
        verbose_name=_("only at stores"),
        help_text=_("None chosen: everywhere."),
    )
    valid_days = models.PositiveSmallIntegerField(_("valid for (days)"), default=30)
    starts_at = models.DateTimeField(_("usable from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("usable until"), null=True, blank=True)
    total_limit = models.PositiveIntegerField(_("coupons in all"), null=True, blank=True)
    member_limit = models.PositiveIntegerField(_("coupons for each member"), null=True, blank=True)
    uses_per_coupon = models.PositiveSmallIntegerField(
        _("uses of each coupon"), default=1, validators=[MinValueValidator(1)]
    )
    issued = models.PositiveIntegerField(_("issued"), default=0, editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("coupon type")
        verbose_name_plural = _("coupon types")
        ordering = ["code"]

    def clean(self) -> None:
        check_columns(self, currency=check_currency)


class Coupon(Fact):
    code = models.CharField(_("code"), max_length=20, unique=True, default=new_coupon_code)
    type = models.ForeignKey(
        CouponType, models.PROTECT, related_name="coupons", verbose_name=_("coupon type")
    )
    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="coupons", verbose_name=_("member")
    )
    issued_at = models.DateTimeField(_("issued at"))
    starts_at = models.DateTimeField(_("usable from"))
    expires_at = models.DateTimeField(_("usable until"))
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        permissions = [("redeem_coupon", _("Can redeem coupons and take it back"))]
        indexes = [
            models.Index(fields=["member", "-issued_at"], name="coupon_of_member"),
            models.Index(fields=["-issued_at"], name="coupon_newest"),
        ]

    def __str__(self) -> str:
        return self.code


class CouponUse(Fact):
    """One redemption. Undone by filling `cancelled_at`; the next use takes the next number."""

    coupon = models.ForeignKey(
        Coupon, models.PROTECT, db_index=False, related_name="uses", verbose_name=_("coupon")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    used_at = models.DateTimeField(_("used at"))
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    order_ref = models.CharField(_("order number"), max_length=100, blank=True, default="")
    bill = models.DecimalField(
        _("bill"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, null=True
    )
    discount = models.DecimalField(
        _("discount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, default=0
    )
    currency = models.CharField(_("currency"), max_length=3)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, verbose_name=_("API key"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name=_("by"), related_name="+"
    )
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    refund = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        db_index=False,
        verbose_name=_("given back by the refund"),
        related_name="+",
        help_text=_("Empty if staff or a till took the use back."),
    )

    class Meta:
        verbose_name = _("coupon use")
        verbose_name_plural = _("coupon uses")
        constraints = [
            models.UniqueConstraint(fields=["coupon", "number"], name="coupon_use_once"),
            models.CheckConstraint(condition=Q(discount__gte=0), name="discount_not_negative"),
        ]
