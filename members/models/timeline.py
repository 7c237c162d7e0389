"""What befell a member, and what they agreed to."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.work import Work
from members.models.people import Member


class ConsentQuerySet(models.QuerySet["Consent"]):
    def newest_first(self) -> Self:
        return self.order_by("-given_at", "-id")

    def newest_of_each(self, *columns: str) -> Self:
        """The last word for each value of `columns`."""
        return self.order_by(*columns, "-given_at", "-id").distinct(*columns)


class Consent(Fact):
    """A member said yes or no to a purpose on a channel; the newest row holds."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")

    class Purpose(models.TextChoices):
        MARKETING = "marketing", _("offers")

    class Source(models.TextChoices):
        STAFF = "staff", _("staff")
        IMPORT = "import", _("import")
        PAGE = "page", _("member page")
        UNSUBSCRIBE = "unsubscribe", _("unsubscribe link")
        TILL = "till", _("till")
        APP = "app", _("app or website")
        DEMO = "demo", _("demo")
        MERGE = "merge", _("merge of two members")

    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="consents", verbose_name=_("member")
    )
    channel = models.CharField(_("channel"), max_length=20, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    is_granted = models.BooleanField(_("granted"))
    source = models.CharField(_("source"), max_length=20, choices=Source)
    given_at = models.DateTimeField(_("given at"))

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [
            models.Index(
                fields=["member", "channel", "purpose", "-given_at"], name="consent_newest"
            )
        ]


class Event(Fact, Work):
    """One entry of a member's timeline. Those that can trigger a campaign are due until react."""

    class Kind(models.TextChoices):
        JOINED = "joined", _("joined")
        PAID = "paid", _("paid")
        REFUNDED = "refunded", _("refunded")
        TIER_CHANGED = "tier_changed", _("tier changed")
        POINTS_EXPIRED = "points_expired", _("points expired")
        POINTS_ADJUSTED = "points_adjusted", _("points adjusted")
        COUPON_ISSUED = "coupon_issued", _("coupon issued")
        COUPON_REDEEMED = "coupon_redeemed", _("coupon redeemed")
        COUPON_RETURNED = "coupon_returned", _("coupon returned")
        SILENT = "silent", _("silent")
        CONSENT = "consent", _("consent changed")
        LINKED = "linked", _("identity linked")
        MERGED = "merged", _("merged")
        UNMERGED = "unmerged", _("merge undone")

    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="events", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    key = models.CharField(max_length=100, help_text="Unique with member and kind.")
    occurred_at = models.DateTimeField(_("occurred at"))
    booked_at = models.DateTimeField(_("booked at"))
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("timeline")
        constraints = [
            models.UniqueConstraint(fields=["member", "kind", "key"], name="event_once")
        ]
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["member", "-occurred_at"], name="event_timeline"),
            models.Index(
                fields=["member", "due_at"],
                condition=Q(due_at__isnull=False, waiting_for=""),
                name="event_due_of_member",
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())
