"""The ledger of points: transfers between accounts, lots that lapse, and where a member stands."""

from decimal import Decimal
from typing import Self, TypedDict
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_stubs_ext import WithAnnotations

from kit.facts import Fact
from kit.ids import uuid7
from kit.money import DECIMAL_PLACES, MAX_DIGITS
from kit.rows import Row
from loyalty.models.rules import Award, Rule, Tier
from members.models import Member


def system_account(kind: str) -> UUID:
    """The id of a system account: the same in every shop, so that nobody needs to look it up."""
    return uuid5(NAMESPACE_URL, f"regulars:point-account:{kind}")


class PointAccount(models.Model):
    """A side of a transfer: a member's account has the member's id, a system account its own."""

    class Kind(models.TextChoices):
        MEMBER = "member", _("member")
        ISSUED = "issued", _("issued")
        EXPIRED = "expired", _("lapsed")
        ADJUSTED = "adjusted", _("adjusted")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    member = models.OneToOneField(
        Member, models.PROTECT, null=True, related_name="point_account", verbose_name=_("member")
    )

    class Meta:
        verbose_name = _("point account")
        verbose_name_plural = _("point accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="member", member=F("id")) | (~Q(kind="member") & Q(member=None)),
                name="member_account_has_member_id",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=~Q(kind="member"), name="system_account_once"
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class Transfer(Fact):
    """`points` from one account to another: double entry by construction."""

    class Kind(models.TextChoices):
        EARN = "earn", _("earned")
        TAKE_BACK = "take_back", _("taken back")
        GIVE_BACK = "give_back", _("given back")
        EXPIRE = "expire", _("lapsed")
        ADJUST = "adjust", _("adjusted")
        MERGE = "merge", _("moved by a merge")
        UNMERGE = "unmerge", _("moved back")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    debit = models.ForeignKey(
        PointAccount, models.PROTECT, related_name="debits", verbose_name=_("from")
    )
    credit = models.ForeignKey(
        PointAccount, models.PROTECT, related_name="credits", verbose_name=_("to")
    )
    points = models.PositiveIntegerField(_("points"))
    award = models.ForeignKey(
        Award, models.PROTECT, null=True, related_name="transfers", verbose_name=_("award")
    )
    owner = models.ForeignKey(
        Member,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("whose"),
        help_text=_("Of merged members: whose points these are. Else the account's own."),
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name=_("by")
    )
    booked_at = models.DateTimeField(_("booked at"))
    covered_at = models.DateTimeField(
        null=True, help_text="When lots covered the whole debit; until then the rest is a debt."
    )

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("ledger")
        permissions = [("adjust_points", _("Can adjust points"))]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="transfer_moves_points"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_has_two_sides"),
        ]
        indexes = [
            models.Index(fields=["-booked_at"], name="transfer_newest"),
            models.Index(
                fields=["debit"], condition=Q(covered_at__isnull=True), name="transfer_debt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.points}"


class Left(TypedDict):
    left: int


class LotQuerySet(models.QuerySet["Lot"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def with_left(self) -> "models.QuerySet[WithAnnotations[Lot, Left]]":
        """Each with `left`: its points less what debits used of them."""
        used = Coalesce(Sum("uses__points"), 0)
        return self.annotate(left=F("points") - used)  # type: ignore[return-value]


class Lot(Fact):
    """Points that came in together and lapse together. Closed once nothing is left in it."""

    account = models.ForeignKey(
        PointAccount, models.PROTECT, related_name="lots", verbose_name=_("account")
    )
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="lot")
    award = models.ForeignKey(
        Award, models.PROTECT, null=True, db_index=False, related_name="lots"
    )
    owner = models.ForeignKey(
        Member,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("whose"),
        help_text=_("Of merged members: whose points these are. Else the account's own."),
    )
    points = models.PositiveIntegerField(_("points"))
    starts_at = models.DateTimeField(pgettext_lazy("a day", "from"))
    expires_at = models.DateTimeField(_("lapses at"), null=True)
    closed_at = models.DateTimeField(_("used up at"), null=True)

    objects = LotQuerySet.as_manager()

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [models.CheckConstraint(condition=Q(points__gt=0), name="lot_holds_points")]
        indexes = [
            models.Index(
                fields=["account", "expires_at"], condition=Q(closed_at=None), name="lot_open"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(closed_at=None, expires_at__isnull=False),
                name="lot_lapsing",
            ),
            models.Index(fields=["award"], condition=Q(award__isnull=False), name="lot_of_award"),
        ]


class LotUse(Fact):
    """How much of a lot a debit used."""

    lot = models.ForeignKey(Lot, models.PROTECT, db_index=False, related_name="uses")
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="lot_uses")
    points = models.PositiveIntegerField(_("points"))
    used_at = models.DateTimeField(_("used at"))

    class Meta:
        verbose_name = _("use of a lot")
        verbose_name_plural = _("uses of lots")
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="lot_use_takes_points"),
            models.UniqueConstraint(fields=["lot", "transfer"], name="lot_use_once"),
        ]


class Standing(Row):
    """Where a member stands: a projection of the ledger, and the row that settling locks."""

    member = models.OneToOneField(
        Member, models.PROTECT, primary_key=True, related_name="standing", verbose_name=_("member")
    )
    balance = models.IntegerField(_("points"), default=0, help_text=_("Negative: a debt."))
    tier = models.ForeignKey(
        Tier, models.PROTECT, null=True, related_name="+", verbose_name=_("tier")
    )
    tier_since = models.DateTimeField(_("tier since"), null=True)
    spend_12m = models.DecimalField(
        _("12-month spend"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        default=Decimal(0),
    )
    reckoned_at = models.DateTimeField(null=True, help_text="The 12 months of spend_12m end here.")
    payments = models.PositiveIntegerField(_("payments"), default=0)
    first_paid_at = models.DateTimeField(_("first payment"), null=True)
    last_paid_at = models.DateTimeField(_("last payment"), null=True)
    is_shared = models.BooleanField(
        default=False, editable=False, help_text="Other members are merged into this one."
    )

    class Meta:
        verbose_name = _("standing")
        verbose_name_plural = _("standings")
        indexes = [models.Index(fields=["last_paid_at"], name="standing_silence")]

    def __str__(self) -> str:
        return str(self.pk)  # The log names by it whose payments fail.


class CapUse(Row):
    """Points that a capped rule gave a member on a day of the programme's zone (a projection)."""

    member = models.ForeignKey(Member, models.PROTECT)
    rule = models.ForeignKey(Rule, models.PROTECT)
    on = models.DateField()
    points = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "rule", "on"], name="cap_use_once")
        ]

    def __str__(self) -> str:
        return str(self.points)
