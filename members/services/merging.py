"""Merging members who are one person, and undoing it: who stands for whom, what was agreed.

Called by config/people.py, in one transaction with the parts of the other apps, which holds the
standings of both: nothing of either moves meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from members.models import Consent, Event, Member, Merge
from members.persons import branch_of
from members.services.consents import set_consent
from members.services.timeline import record_events

Word = tuple[str, str]  # Channel and purpose.


class CannotMerge(ValueError):
    """The two are one person already, or one of them was merged elsewhere meanwhile."""


@dataclass(frozen=True, slots=True)
class Split:
    """A merge that is being undone: `branch` leaves `survivor`; `member` stands for it then."""

    merge: Merge
    member: Member
    survivor: Member
    branch: list[UUID]


def check_merge(merged: Member, survivor: Member, *, reason: str) -> None:
    """Raises CannotMerge with a sentence for staff."""
    if not reason.strip():
        raise CannotMerge(_("Say why: whoever looks at it later has to understand it."))
    if merged.person_id == survivor.person_id:
        raise CannotMerge(_("These two are one member already."))
    for member in (merged, survivor):
        if member.merged_into is not None:
            raise CannotMerge(
                _("%(member)s was merged into %(survivor)s already: choose that member.")
                % {"member": member.code, "survivor": member.merged_into.code}
            )


def merge_members(
    merged: Member, survivor: Member, *, reason: str, actor: Any, now: datetime
) -> Merge:
    """From now on `survivor` stands for both; raises CannotMerge, and then nothing changed."""
    merged, survivor = _as_they_are([merged, survivor])
    check_merge(merged, survivor, reason=reason)
    for word in _refused(_newest_words([merged.pk])) - _refused(_newest_words([survivor.pk])):
        _refuse(survivor, word, now=now)
    merge = Merge.objects.create(
        merged=merged,
        survivor=survivor,
        reason=reason.strip()[:200],
        actor=actor,
        merged_at=now,
    )
    Member.objects.filter(merged_into=merged).update(merged_into=survivor)
    Member.objects.filter(pk=merged.pk).update(merged_into=survivor)
    merged.merged_into = survivor
    record_events([_event(Event.Kind.MERGED, merge, survivor, now=now)])
    return merge


def merge_to_undo(member: Member) -> Merge:
    """The merge that made somebody else stand for `member`; raises CannotMerge if none lasts."""
    found = Merge.objects.filter(merged=member, undone_at=None).select_related("merged").first()
    if found is None:
        raise CannotMerge(_("This member is not merged into another one."))
    return found


def split_of(merge: Merge) -> Split:
    """Who leaves whom if `merge` is undone; raises CannotMerge if it was undone meanwhile."""
    (member,) = _as_they_are([merge.merged])
    merge = merge_to_undo(member)
    assert member.merged_into is not None  # It is what a lasting merge means.
    return Split(merge, member, member.merged_into, branch_of(member.pk))


def unmerge_members(split: Split, *, reason: str, actor: Any, now: datetime) -> None:
    """`split.member` stands for itself again, and for those who came with it.

    Both keep every no: one that was said while they were merged, and their own from before.
    """
    if not reason.strip():
        raise CannotMerge(_("Say why: whoever looks at it later has to understand it."))
    Member.objects.filter(pk=split.member.pk).update(merged_into=None)
    split.member.merged_into = None
    others = [pk for pk in split.branch if pk != split.member.pk]
    Member.objects.filter(pk__in=others).update(merged_into=split.member)
    joint = _refused(_newest_words([split.survivor.pk]))
    before = split.merge.merged_at
    for member in (split.member, split.survivor):
        words = _newest_words([member.pk])
        own_noes = _refused(_newest_words([member.pk], before=before))
        for word in (joint | own_noes) - _refused(words):
            _refuse(member, word, now=now)
    Merge.objects.filter(pk=split.merge.pk).update(
        undone_at=now, undone_by=actor, undone_reason=reason.strip()[:200]
    )
    record_events([_event(Event.Kind.UNMERGED, split.merge, split.survivor, now=now)])


def _as_they_are(members: Sequence[Member]) -> list[Member]:
    """Read again: whoever waited for the locks may have read what is old by now."""
    rows = Member.objects.select_related("merged_into").in_bulk([row.pk for row in members])
    return [rows[row.pk] for row in members]


def _newest_words(
    member_ids: Iterable[UUID], *, before: datetime | None = None
) -> dict[Word, bool]:
    said = Consent.objects.filter(member__in=list(member_ids))
    if before is not None:
        said = said.filter(given_at__lt=before)
    newest = said.newest_of_each("channel", "purpose")
    rows = newest.values_list("channel", "purpose", "is_granted")
    return {(channel, purpose): is_granted for channel, purpose, is_granted in rows}


def _refused(words: dict[Word, bool]) -> set[Word]:
    return {word for word, is_granted in words.items() if not is_granted}


def _refuse(member: Member, word: Word, *, now: datetime) -> None:
    channel, purpose = word
    set_consent(
        member,
        is_granted=False,
        source=Consent.Source.MERGE,
        now=now,
        channel=channel,
        purpose=purpose,
    )


def _event(kind: str, merge: Merge, survivor: Member, *, now: datetime) -> Event:
    return Event(
        member=survivor,
        kind=kind,
        key=str(merge.pk),
        occurred_at=now,
        booked_at=now,
        details={"merge": str(merge.pk), "member": merge.merged.code, "survivor": survivor.code},
    )
