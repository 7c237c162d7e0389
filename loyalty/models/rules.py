"""Rules that earn, tiers, and the award that each transaction got."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kit.checking import check_columns, check_currency
from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS
from kit.names import Named
from members.models import Member
from payments.models import Category, Transaction


class Tier(Named):
    """A level that 12 months of spend reach. Spending points never costs it."""

    code = models.SlugField(_("code"), max_length=20, unique=True)
    rank = models.PositiveSmallIntegerField(_("rank"), unique=True)
    threshold = models.DecimalField(
        _("spend in 12 months"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("In the programme's currency. The lowest tier has 0: everybody starts there."),
    )
    multiplier = models.DecimalField(
        _("points multiplier"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
    )

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ["rank"]


class Rule(Named):
    """An earning rule as staff edit it. What counts for a payment is its RuleVersion of then."""

    class Kind(models.TextChoices):
        BASE = "base", _("points for the whole payment")
        CATEGORY = "category", _("extra points for lines of a category")
        BONUS = "bonus", _("a fixed number of points")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.BASE)
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=100,
        help_text=_("Of several rules for the whole payment that fit, the lowest number counts."),
    )
    condition = models.JSONField(_("condition"), default=dict, blank=True)
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, verbose_name=_("category")
    )
    fixed_points = models.PositiveIntegerField(_("fixed points"), default=0)
    cap_per_day = models.PositiveIntegerField(
        _("at most per member and day"),
        null=True,
        blank=True,
        help_text=_("Points of this rule. What lies above is cut off, and the reason is kept."),
    )
    starts_at = models.DateTimeField(_("starts at"), default=timezone.now)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ["kind", "priority", "id"]


class RuleRate(models.Model):
    """`points` for every full `per_amount` in `currency`: a block, never a fraction."""

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="rates")
    currency = models.CharField(_("currency"), max_length=3)
    per_amount = models.DecimalField(
        _("for every full"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        validators=[MinValueValidator(Decimal("0.0001"))],
    )
    points = models.PositiveIntegerField(_("points"), default=1)

    class Meta:
        verbose_name = pgettext_lazy("points for an amount", "rate")
        verbose_name_plural = _("rates")
        constraints = [models.UniqueConstraint(fields=["rule", "currency"], name="rule_rate_once")]

    def __str__(self) -> str:
        return f"{self.currency} {self.per_amount.normalize():f} → {self.points}"

    def clean(self) -> None:
        check_columns(self, currency=check_currency)


class RuleVersion(Fact):
    """A rule as it stood from `effective_at` on; awards name the versions that made them."""

    rule = models.ForeignKey(Rule, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    effective_at = models.DateTimeField(_("effective at"))
    content = models.JSONField(_("content"))

    class Meta:
        verbose_name = _("rule version")
        verbose_name_plural = _("rule versions")
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_version_once")
        ]


class Award(Fact):
    """What one transaction earned or took back, and why. One for each transaction."""

    transaction = models.OneToOneField(
        Transaction, models.PROTECT, related_name="award", verbose_name=_("transaction")
    )
    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="awards", verbose_name=_("member")
    )
    points = models.IntegerField(
        _("points"), help_text=_("Negative where points were taken back.")
    )
    forgiven = models.IntegerField(
        _("not taken back"),
        default=0,
        help_text=_("They had lapsed already. Negative where a reversal makes up for it."),
    )
    spend = models.DecimalField(
        _("spend that counts for the tier"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES
    )
    paid_at = models.DateTimeField(
        _("paid at"), help_text=_("Of the payment, also on its refunds.")
    )
    booked_at = models.DateTimeField(_("booked at"))
    facts = models.JSONField(default=dict)
    why = models.JSONField(_("why"), default=list)

    class Meta:
        verbose_name = _("award")
        verbose_name_plural = _("awards")
        indexes = [
            models.Index(fields=["member", "paid_at"], include=["spend"], name="award_spend"),
            models.Index(fields=["-booked_at"], name="award_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.points:+d}"


class TierChange(Fact):
    class Cause(models.TextChoices):
        SPEND = "spend", _("12-month spend")
        REVIEW = "review", _("nightly review")
        MERGE = "merge", _("merge of members")
        UNMERGE = "unmerge", _("merge undone")

    member = models.ForeignKey(
        Member,
        models.PROTECT,
        db_index=False,
        related_name="tier_changes",
        verbose_name=_("member"),
    )
    before = models.ForeignKey(
        Tier, models.PROTECT, null=True, related_name="+", verbose_name=_("before")
    )
    after = models.ForeignKey(Tier, models.PROTECT, related_name="+", verbose_name=_("after"))
    cause = models.CharField(_("cause"), max_length=10, choices=Cause)
    spend = models.DecimalField(
        _("12-month spend"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES
    )
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("tier change")
        verbose_name_plural = _("tier changes")
        indexes = [models.Index(fields=["member", "-changed_at"], name="tier_change_of_member")]
