"""What we offer: campaigns, what they decided, and the messages that went out."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from kit.crypto import EncryptedTextField
from kit.facts import Fact
from kit.ids import uuid7
from kit.money import DECIMAL_PLACES, MAX_DIGITS
from kit.names import Named
from kit.work import Work
from loyalty.models import Coupon, CouponType, Tier
from members.models import LANGUAGES, Consent, Event, Member


class Campaign(Named):
    """A trigger, a condition, an offer, and words for it in each language."""

    class Trigger(models.TextChoices):
        TIER_REACHED = "tier_reached", _("a tier was reached")
        LARGE_TICKET = "large_ticket", _("one payment above an amount")
        SILENCE = "silence", _("no purchase for a number of days")

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")

    trigger = models.CharField(_("trigger"), max_length=20, choices=Trigger)
    tier = models.ForeignKey(
        Tier,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("tier"),
        help_text=_("Of “a tier was reached”. None: any higher tier."),
    )
    amount = models.DecimalField(
        _("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, null=True, blank=True
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        blank=True,
        help_text=_("Payments in other currencies are compared at the rate of their day."),
    )
    silent_days = models.PositiveSmallIntegerField(
        _("days without a purchase"), null=True, blank=True
    )
    condition = models.JSONField(_("condition"), default=dict, blank=True)
    coupon_type = models.ForeignKey(
        CouponType, models.PROTECT, null=True, blank=True, verbose_name=_("coupon")
    )
    daily_cap = models.PositiveIntegerField(_("members a day, at most"), null=True, blank=True)
    freshness_hours = models.PositiveSmallIntegerField(
        _("only for events of the last (hours)"),
        default=24,
        help_text=_(
            "What is older, such as last year's sales out of a spreadsheet, sends nothing."
        ),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.DRAFT, editable=False
    )
    started_at = models.DateTimeField(_("running since"), null=True, blank=True, editable=False)
    includes_already_silent = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [("run_campaign", _("Can start and pause campaigns"))]
        ordering = ["name"]


class CampaignText(models.Model):
    """The message of a campaign in one language, with variables such as {{ coupon }}."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="texts")
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))

    class Meta:
        verbose_name = _("message text")
        verbose_name_plural = _("message texts")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "language"], name="campaign_text_once")
        ]

    def __str__(self) -> str:
        return str(self.get_language_display())


class CampaignDay(models.Model):
    """How many members a campaign has reached on a day: the counter behind the daily cap."""

    campaign = models.ForeignKey(Campaign, models.CASCADE)
    on = models.DateField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "on"], name="campaign_day_once")
        ]

    def __str__(self) -> str:
        return str(self.on)


class Reaction(Fact):
    """Every campaign of its trigger looked at an event; `declined` says who said no, and why."""

    event = models.OneToOneField(Event, models.PROTECT, related_name="reaction")
    reacted_at = models.DateTimeField(_("reacted at"))
    declined = models.JSONField(_("declined"), default=list)

    class Meta:
        verbose_name = _("reaction")
        verbose_name_plural = _("reactions")


class Decision(Fact):
    """A campaign said yes to a member, once for each occurrence."""

    campaign = models.ForeignKey(
        Campaign,
        models.PROTECT,
        db_index=False,
        related_name="decisions",
        verbose_name=_("campaign"),
    )
    member = models.ForeignKey(
        Member, models.PROTECT, related_name="decisions", verbose_name=_("member")
    )
    occurrence = models.CharField(_("occurrence"), max_length=100)
    event = models.ForeignKey(Event, models.PROTECT, related_name="decisions")
    coupon = models.OneToOneField(Coupon, models.PROTECT, null=True, verbose_name=_("coupon"))
    decided_at = models.DateTimeField(_("decided at"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "member", "occurrence"], name="decision_once"
            )
        ]


class Message(Work):
    """One intended send: sent once, or a reason why not."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        WITHHELD = "withheld", _("not sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown: perhaps sent")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    decision = models.OneToOneField(
        Decision, models.PROTECT, related_name="message", verbose_name=_("decision")
    )
    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="messages", verbose_name=_("member")
    )
    channel = models.CharField(_("channel"), max_length=20, default="email")
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    subject = models.CharField(_("subject"), max_length=300, blank=True, default="")
    body = EncryptedTextField(_("text"), blank=True, default="")
    queued_at = models.DateTimeField(_("queued at"))
    sending_at = models.DateTimeField(_("sending since"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["-queued_at"], name="message_newest"),
            models.Index(fields=["member", "-queued_at"], name="message_of_member"),
            models.Index(
                fields=["sending_at"], condition=Q(state="sending"), name="message_sending"
            ),
        ]

    def __str__(self) -> str:
        """Subjects hold names."""
        return f"{self.channel_in_words()} {localtime(self.queued_at):%Y-%m-%d %H:%M}"

    def channel_in_words(self) -> str:
        return str(Consent.Channel(self.channel).label)
