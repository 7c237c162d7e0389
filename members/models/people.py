"""Members and the ways to recognise them."""

from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kit.crypto import EncryptedTextField
from kit.ids import new_code, uuid7
from kit.rows import Row
from members.identity_kinds import kind_label
from members.models.programme import LANGUAGES, Region, Store


def new_member_code() -> str:
    return new_code("M")


class Member(Row):
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
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="absorbed",
        verbose_name=_("merged into"),
        help_text=_("The member who stands for both, at the end of a chain of merges."),
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        permissions = [
            ("see_personal_data", _("Can see names, phones and e-mails unmasked")),
            ("export_rows", _("Can export lists")),
            ("merge_member", _("Can merge members and undo it")),
        ]
        ordering = ["-joined_at"]
        indexes = [
            models.Index(fields=["-joined_at"], name="member_joined"),
            models.Index(fields=["region", "-joined_at"], name="member_region_joined"),
            models.Index(
                fields=["merged_into"],
                condition=models.Q(merged_into__isnull=False),
                name="member_absorbed",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def person_id(self) -> UUID:
        """Whoever holds this member's points: the member, or the one it was merged into."""
        return self.merged_into_id or self.pk


class Identity(models.Model):
    """One way to recognise a member. The value is encrypted; the hash finds it."""

    member = models.ForeignKey(
        Member, models.CASCADE, related_name="identities", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=30)
    value = EncryptedTextField(_("value"), blank=True, default="")
    hash = models.CharField(max_length=64, editable=False)
    added_at = models.DateTimeField(_("added at"), default=timezone.now)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint(fields=["kind", "hash"], name="identity_once")]

    def __str__(self) -> str:
        return str(kind_label(self.kind))
