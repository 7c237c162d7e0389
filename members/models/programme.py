"""The merchant's settings, markets and stores."""

from typing import Final

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from kit.checking import check_columns, check_country, check_currency, check_zone, known_countries
from kit.names import Named

LANGUAGES = [("zh-hant", "繁體中文"), ("zh-hans", "简体中文"), ("en", "English")]

# What every payment is counted in, and the days that limits and rates go by.
_KEPT_ONCE_PAID: Final = {
    "currency": _("Money came in already, and all of it was counted in this."),
    "zone": _(
        "Money came in already, and its days were counted in this. Change the time zone of a"
        " region instead: its stores go by that."
    ),
}


def default_languages() -> list[str]:
    return [code for code, _name in LANGUAGES]


class Programme(Named):
    """The merchant's one row of settings."""

    class Downgrade(models.TextChoices):
        NEVER = "never", _("never: a tier once reached is kept")
        ONE_STEP = "one_step", _("one tier at a time")
        TO_EARNED = "to_earned", _("straight to the tier that the spend supports")

    singleton = models.BooleanField(default=True, editable=False, unique=True)
    currency = models.CharField(
        _("reporting currency"),
        max_length=3,
        default="HKD",
        help_text=_(
            "ISO 4217. Tiers and reports count in it; it cannot change once money came in."
        ),
    )
    zone = models.CharField(_("time zone"), max_length=64, default="Asia/Hong_Kong")
    language = models.CharField(
        _("main language"), max_length=10, choices=LANGUAGES, default="zh-hant"
    )
    points_valid_months = models.PositiveSmallIntegerField(
        _("points are valid for (months)"),
        default=12,
        help_text=_(
            "Points lapse at the end of the month, this many months after they were earned."
        ),
    )
    downgrade = models.CharField(
        _("downgrade"),
        max_length=20,
        choices=Downgrade,
        default=Downgrade.ONE_STEP,
        help_text=_("What the nightly review does with a member whose 12-month spend fell short."),
    )
    tier_kept_days = models.PositiveSmallIntegerField(
        _("a tier is kept for at least (days)"), default=90
    )
    returns_coupons = models.BooleanField(
        _("give coupons back when their purchase is refunded in full"),
        default=True,
        help_text=_(
            "Within its validity the coupon can be used again. It is found by the order number "
            "that it was redeemed with. Chargebacks give no coupon back."
        ),
    )
    bodies_kept_months = models.PositiveSmallIntegerField(
        _("content of callbacks is kept for (months)"),
        default=13,
        validators=[MinValueValidator(2), MaxValueValidator(120)],
        help_text=_(
            "What platforms sent holds personal data. Older content is deleted, month by month; "
            "transactions and points stay. At least 2: chargebacks come late."
        ),
    )
    sender_address = models.CharField(
        _("sender's postal address"),
        max_length=200,
        blank=True,
        help_text=_("Stands at the foot of every message, as the law asks in Hong Kong."),
    )

    class Meta:
        verbose_name = _("programme")
        verbose_name_plural = _("programme")

    def clean(self) -> None:
        check_columns(self, currency=check_currency, zone=check_zone)
        before = Programme.objects.filter(pk=self.pk).first()
        changed = {
            name: words
            for name, words in _KEPT_ONCE_PAID.items()
            if before is not None and getattr(before, name) != getattr(self, name)
        }
        if changed and apps.get_model("members", "Event").objects.filter(kind="paid").exists():
            raise ValidationError(changed)

    @classmethod
    def current(cls) -> "Programme":
        return cls.objects.get_or_create(singleton=True, defaults={"name": "Regulars"})[0]


class Region(Named):
    """A market: a currency, a time zone and a language."""

    code = models.CharField(_("code"), max_length=10, unique=True)
    currency = models.CharField(_("currency"), max_length=3)
    zone = models.CharField(_("time zone"), max_length=64)
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES)
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        default="",
        help_text=_("ISO 3166, as in HK or CN. Empty: the code of the region, if it is one."),
    )

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["code"]

    def clean(self) -> None:
        check_columns(self, currency=check_currency, zone=check_zone, country=check_country)

    @property
    def country_code(self) -> str:
        """Its country; empty if it is not known."""
        return self.country or (self.code if self.code in known_countries() else "")

    @property
    def phone_country(self) -> str:
        """Whose numbers its people write without a country; of `TW-N`, Taiwan's."""
        return self.country_code or self.code


class Store(Named):
    code = models.CharField(_("code"), max_length=20, unique=True)
    region = models.ForeignKey(
        Region, models.PROTECT, related_name="stores", verbose_name=_("region")
    )
    is_open = models.BooleanField(_("open"), default=True)

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ["code"]
