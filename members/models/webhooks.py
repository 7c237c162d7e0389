"""Webhooks: the systems of the merchant and its partners that hear what befalls members."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kit.correspondence import Attempt, Correspondent
from kit.crypto import EncryptedTextField
from kit.work import Work
from members.models.people import Member
from members.models.programme import Region, Store
from members.models.timeline import Event


class Endpoint(Correspondent):
    """One address that is told of events, and the secrets that we sign with."""

    class Type(models.TextChoices):
        """What is told, under the name that the receiver sees."""

        MEMBER_JOINED = "member.joined", _("member joined")
        MEMBER_MERGED = "member.merged", _("members merged")
        MEMBER_UNMERGED = "member.unmerged", _("merge undone")
        CONSENT_CHANGED = "consent.changed", _("consent changed")
        POINTS_EARNED = "points.earned", _("points earned")
        POINTS_REVERSED = "points.reversed", _("points taken back")
        POINTS_EXPIRED = "points.expired", _("points expired")
        POINTS_ADJUSTED = "points.adjusted", _("points adjusted")
        TIER_CHANGED = "tier.changed", _("tier changed")
        COUPON_ISSUED = "coupon.issued", _("coupon issued")
        COUPON_REDEEMED = "coupon.redeemed", _("coupon redeemed")
        COUPON_RETURNED = "coupon.returned", _("coupon returned")
        PAYMENT_MATCHED = "payment.matched", _("payment matched")

    class Stop(models.TextChoices):
        """Why we switched an endpoint off ourselves."""

        GONE = "gone", _("the other side answered that it is gone for good (410)")
        FAILING = "failing", _("nothing was taken for five days")
        NO_KEY = "no_key", _("its signing secret cannot be opened")

    name = models.CharField(_("name"), max_length=120)
    types = ArrayField(
        models.CharField(max_length=40, choices=Type),
        default=list,
        blank=True,
        verbose_name=_("events"),
        help_text=_("None chosen: all of them, also those that are added later."),
    )
    region = models.ForeignKey(
        Region,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("region"),
        help_text=_("Only members of this region."),
    )
    store = models.ForeignKey(
        Store,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("store"),
        help_text=_("Only members whose home store this is."),
    )
    secrets = EncryptedTextField(blank=True, default="", editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    stopped_for = models.CharField(
        _("switched off because"),
        max_length=20,
        choices=Stop,
        default="",
        blank=True,
        editable=False,
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Delivery(Work):
    """One event for one endpoint. The number is the order in which they are delivered to it, for
    each member; the key is the webhook-id, the same over all tries. Pruned after a while.

    done    it was taken, or there is nobody to send it to any more
    parked  `dead`: it was given up, and staff may send it again
    """

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, db_index=False, verbose_name=_("endpoint")
    )
    member = models.ForeignKey(
        Member, models.PROTECT, null=True, db_index=False, verbose_name=_("member")
    )
    event = models.ForeignKey(Event, models.PROTECT, null=True, db_index=False)
    key = models.CharField("webhook-id", max_length=60)
    type = models.CharField(_("event"), max_length=40)
    happened_at = models.DateTimeField(_("occurred at"))
    queued_at = models.DateTimeField(_("queued at"))
    data = models.JSONField(_("content"), default=dict)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("resend_delivery", _("Can send webhooks again"))]
        constraints = [models.UniqueConstraint(fields=["endpoint", "key"], name="delivery_once")]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at", "id"],
                condition=Q(due_at__isnull=False, waiting_for=""),
                name="delivery_due",
            ),
            models.Index(
                fields=["endpoint", "member", "id"],
                condition=Q(due_at__isnull=False, waiting_for=""),
                name="delivery_due_of_member",
            ),
            models.Index(
                fields=["waiting_for"], condition=~Q(waiting_for=""), name="delivery_parked"
            ),
            models.Index(fields=["queued_at"], name="delivery_age"),
            models.Index(fields=["member"], name="delivery_of_member"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.type}"


class DeliveryAttempt(Attempt):
    """One try of a delivery, and what was answered."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.status or self.trouble)
