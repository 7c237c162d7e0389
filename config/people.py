"""People: merging two members who are one person, and parting them again. Each app's part, in
order, in one transaction that holds the standings of both.

A preview is the act itself, rolled back: what it shows is what comes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.services.merging import withhold_doubles
from loyalty.models import Standing
from loyalty.selectors import CouponState, Lapse, coupons_of, next_lapse, open_lots, standing_of
from loyalty.services.merging import part, take_over
from loyalty.services.standings import hold_standings
from members.identity_kinds import kind_label
from members.models import Identity, Member, Merge
from members.persons import own_rows
from members.selectors import newest_consent
from members.services.merging import (
    CannotMerge,
    merge_members,
    merge_to_undo,
    split_of,
    unmerge_members,
)
from payments.services.linking import match_waiting
from payments.services.matching import answer_disagreements

__all__ = ["CannotMerge", "Side", "merge", "preview_merge", "preview_unmerge", "unmerge"]

_TRIAL: Final = "preview"  # It is rolled back with the rest.
# Of phones and addresses the survivor has both anyway; a language and a region everybody has.
_OF_PROFILE: Final = ("name", "born_on", "home_store")


def merge(merged: Member, survivor: Member, *, reason: str, actor: Any, now: datetime) -> Merge:
    """From now on `survivor` stands for both; raises CannotMerge, and then nothing changed."""
    with transaction.atomic():
        held = hold_standings([merged.pk, survivor.pk])
        fact = merge_members(merged, survivor, reason=reason, actor=actor, now=now)
        # What waited because its signs seemed to be two people's.
        match_waiting(survivor, now=now)
        answer_disagreements(survivor, by=actor, now=now)
        take_over(fact, held, now=now)
        withhold_doubles(fact)
    return fact


def unmerge(member: Member, *, reason: str, actor: Any, now: datetime) -> Merge:
    """`member` stands for itself again; raises CannotMerge, and then nothing changed."""
    with transaction.atomic():
        fact = merge_to_undo(member)
        before = split_of(fact)
        held = hold_standings([before.member.pk, before.survivor.pk])
        split = split_of(fact)  # Whoever it is merged into may have been merged itself meanwhile.
        if split.survivor != before.survivor:
            raise CannotMerge(_("Somebody merged these members in this moment. Look again."))
        unmerge_members(split, reason=reason, actor=actor, now=now)
        part(split, held, now=now)
    return fact


@dataclass(frozen=True, slots=True)
class Side:
    """A member as staff compare them before they decide."""

    member: Member
    standing: Standing
    lapse: Lapse | None
    coupons: int
    wants_offers: bool | None
    signs: Sequence[tuple[str, int]]
    absorbed: Sequence[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """The two as they are, and as they would be; who is gone then is missing from `after`.

    lacking: the names of what only the merged member said of themselves. It is not carried over,
    so that parting them brings back both as they were; staff may enter it.
    """

    before: Sequence[Side]
    after: Sequence[Side]
    lacking: Sequence[str] = ()


def preview_merge(merged: Member, survivor: Member, *, now: datetime) -> Preview:
    """Raises CannotMerge."""
    before = [side_of(merged, now=now), side_of(survivor, now=now)]
    with transaction.atomic():
        merge(merged, survivor, reason=_TRIAL, actor=None, now=now)
        after = [side_of(survivor, now=now)]
        transaction.set_rollback(True)
    return Preview(before, after, lacking=_lacking(survivor, merged))


def preview_unmerge(member: Member, *, now: datetime) -> Preview:
    """Raises CannotMerge."""
    survivor = split_of(merge_to_undo(member)).survivor
    before = [side_of(survivor, now=now)]
    with transaction.atomic():
        unmerge(member, reason=_TRIAL, actor=None, now=now)
        after = [side_of(row, now=now) for row in (member, survivor)]
        transaction.set_rollback(True)
    return Preview(before, after)


def side_of(member: Member, *, now: datetime) -> Side:
    rows = own_rows(member)
    consent = newest_consent(member)
    held = coupons_of(member, now=now)
    usable = {CouponState.USABLE, CouponState.UPCOMING}
    absorbed = Member.objects.filter(merged_into=member).order_by("code")
    return Side(
        member=member,
        standing=standing_of(member),
        lapse=next_lapse(open_lots(member), now=now),
        coupons=sum(coupon.state in usable for coupon in held),
        wants_offers=None if consent is None else consent.is_granted,
        signs=_signs(Identity.objects.filter(member__in=rows).values_list("kind", flat=True)),
        absorbed=list(absorbed.values_list("code", flat=True)),
    )


def _lacking(survivor: Member, merged: Member) -> list[str]:
    meta: Any = Member._meta
    return [
        str(meta.get_field(name).verbose_name)
        for name in _OF_PROFILE
        if getattr(merged, name) and not getattr(survivor, name)
    ]


def _signs(kinds: Iterable[str]) -> list[tuple[str, int]]:
    """How many identities of each kind, by its name."""
    counts: dict[str, int] = {}
    for kind in kinds:
        label = str(kind_label(kind))
        counts[label] = counts.get(label, 0) + 1
    return sorted(counts.items())
