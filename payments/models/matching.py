"""Whose payment it is: signs seen beside a member, signs that disagree, and what waits."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from members.models import Member
from payments.models.transactions import Transaction


class Sighting(Fact):
    """A sign that nobody is known by, on a payment of a member who was known otherwise.

    It proves nothing (a friend may have paid), but it is a reason to suggest the member where the
    same sign is all that there is.
    """

    clue = models.CharField(_("sign"), max_length=100, help_text="kind:blind index")
    member = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="+", verbose_name=_("member")
    )
    transaction = models.ForeignKey(
        Transaction, models.PROTECT, db_index=False, related_name="+", verbose_name=_("payment")
    )
    seen_at = models.DateTimeField(_("seen at"))

    class Meta:
        verbose_name = _("sighting")
        verbose_name_plural = _("sightings")
        constraints = [models.UniqueConstraint(fields=["clue", "member"], name="sighting_once")]


class Disagreement(Fact):
    """Two signs on one payment that belong to two members: one person, or a borrowed card?

    One row for each pair of members, with the payment that showed it first; staff answer it.
    """

    class Answer(models.TextChoices):
        ONE = "one", _("one person")
        TWO = "two", _("two people")

    first = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="+", verbose_name=_("member")
    )
    second = models.ForeignKey(
        Member, models.PROTECT, db_index=False, related_name="+", verbose_name=_("other member")
    )
    first_sign = models.CharField(_("known by"), max_length=30)
    second_sign = models.CharField(_("other known by"), max_length=30)
    transaction = models.ForeignKey(
        Transaction, models.PROTECT, db_index=False, related_name="+", verbose_name=_("payment")
    )
    noticed_at = models.DateTimeField(_("noticed at"))
    answer = models.CharField(  # noqa: DJ001 - learnt later: NULL may become a value once
        _("answer"), max_length=3, choices=Answer, null=True
    )
    answered_at = models.DateTimeField(_("answered at"), null=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("answered by"),
    )

    class Meta:
        verbose_name = _("disagreement")
        verbose_name_plural = _("same person?")
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="disagreement_once")
        ]
        indexes = [
            models.Index(fields=["-noticed_at"], name="disagreement_newest"),
            models.Index(
                fields=["noticed_at"], condition=Q(answer=None), name="disagreement_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} / {self.second}"


class UnmatchedPayment(Transaction):
    """A transaction in the queue of those that wait for a member: the same rows, another desk."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("unmatched payment")
        verbose_name_plural = _("unmatched payments")
