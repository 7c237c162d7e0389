"""Who: the merchant's programme, its regions and stores, its members, and what befell them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kit.checking import check_columns, check_currency, check_zone
from kit.crypto import EncryptedTextField
from kit.facts import Fact
from kit.ids import new_code, uuid7
from kit.names import Named
from kit.work import Work

LANGUAGES = [("zh-hant", "繁體中文"), ("zh-hans", "简体中文"), ("en", "English")]


def default_languages() -> list[str]:
    return [code for code, _name in LANGUAGES]


def new_member_code() -> str:
    return new_code("M")


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
        before = Programme.objects.filter(pk=self.pk).values_list("currency", flat=True).first()
        if before not in (None, self.currency) and Event.objects.filter(kind="paid").exists():
            raise ValidationError(
                {"currency": _("Money came in already, and all of it was counted in this.")}
            )

    @classmethod
    def current(cls) -> "Programme":
        return cls.objects.get_or_create(singleton=True, defaults={"name": "Regulars"})[0]


class Region(Named):
    """A market: a currency, a time zone and a language."""

    code = models.CharField(_("code"), max_length=10, unique=True)
    currency = models.CharField(_("currency"), max_length=3)
    zone = models.CharField(_("time zone"), max_length=64)
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES)

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["code"]

    def clean(self) -> None:
        check_columns(self, currency=check_currency, zone=check_zone)


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


class StaffScope(models.Model):
    """What a member of staff may see: whole regions, single stores, or everything."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="scope", verbose_name=_("user")
    )
    sees_everything = models.BooleanField(_("sees every store"), default=False)
    regions = models.ManyToManyField(Region, blank=True, verbose_name=_("regions"))
    stores = models.ManyToManyField(Store, blank=True, verbose_name=_("stores"))

    class Meta:
        verbose_name = _("scope of staff")
        verbose_name_plural = _("scopes of staff")

    def __str__(self) -> str:
        return str(self.user)


class Member(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(
        _("member number"), max_length=20, unique=True, default=new_member_code, editable=False
    )
    name = EncryptedTextField(pgettext_lazy("of a person", "name"), blank=True, default="")
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES, default="zh-hant")
    region = models.ForeignKey(
        Region, models.PROTECT, related_name="members", verbose_name=_("region")
    )
    home_store = models.ForeignKey(
        Store,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="members",
        verbose_name=_("home store"),
    )
    born_on = models.DateField(_("date of birth"), null=True, blank=True)
    joined_at = models.DateTimeField(_("joined at"), default=timezone.now)
    page_version = models.PositiveSmallIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        permissions = [
            ("see_personal_data", _("Can see names, phones and e-mails unmasked")),
            ("export_rows", _("Can export lists")),
        ]
        ordering = ["-joined_at"]
        indexes = [
            models.Index(fields=["-joined_at"], name="member_joined"),
            models.Index(fields=["region", "-joined_at"], name="member_region_joined"),
        ]

    def __str__(self) -> str:
        return self.code


class Identity(models.Model):
    """One way to recognise a member. The value is encrypted; the hash finds it."""

    class Kind(models.TextChoices):
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")
        ALIPAY_BUYER = "alipay_buyer", _("Alipay buyer")
        ALIPAY_OPEN_ID = "alipay_open_id", _("Alipay open id")
        STRIPE_CUSTOMER = "stripe_customer", _("Stripe customer")
        STRIPE_CARD = "stripe_card", _("card (Stripe fingerprint)")
        WALLET = "wallet", _("wallet")
        CUSTOMER = "customer", _("customer number")

    member = models.ForeignKey(
        Member, models.CASCADE, related_name="identities", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=30, choices=Kind)
    value = EncryptedTextField(_("value"), blank=True, default="")
    hash = models.CharField(max_length=64, editable=False)
    added_at = models.DateTimeField(_("added at"), default=timezone.now)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint(fields=["kind", "hash"], name="identity_once")]

    def __str__(self) -> str:
        return str(self.get_kind_display())


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
        DEMO = "demo", _("demo")

    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="consents", verbose_name=_("member")
    )
    channel = models.CharField(_("channel"), max_length=20, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    is_granted = models.BooleanField(_("granted"))
    source = models.CharField(_("source"), max_length=20, choices=Source)
    given_at = models.DateTimeField(_("given at"))

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


class ApiKey(models.Model):
    """A till's or partner's key: shown once, kept as a hash, limited to scopes and a store."""

    class Scope(models.TextChoices):
        COUPONS_REDEEM = "coupons:redeem", _("redeem coupons")
        COUPONS_READ = "coupons:read", _("look coupons up")
        SALES_WRITE = "sales:write", _("send sales")
        MEMBERS_READ = "members:read", _("look members up")

    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("begins with"), max_length=12, unique=True, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=40, choices=Scope), default=list, verbose_name=_("scopes")
    )
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, verbose_name=_("store")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_on = models.DateField(_("last used on"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return self.name


class ApiCall(models.Model):
    """The first answer to a mutation, kept so that its repetition gets the same one."""

    api_key = models.ForeignKey(ApiKey, models.CASCADE)
    idempotency_key = models.CharField(max_length=120)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField(default=dict)
    called_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="api_call_once")
        ]
        indexes = [models.Index(fields=["called_at"], name="api_call_age")]

    def __str__(self) -> str:
        return self.idempotency_key
