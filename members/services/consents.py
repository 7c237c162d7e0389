"""Consent: whether a member may be reached, and under which address."""

from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction

from members.identity_kinds import EMAIL
from members.models import Consent, Event, Identity, Member, Merge
from members.persons import person_of, persons_of, rows_of
from members.services.timeline import record_events


def consent_event(consent: Consent) -> Event:
    return Event(
        member_id=consent.member_id,
        kind=Event.Kind.CONSENT,
        key=str(consent.pk),
        occurred_at=consent.given_at,
        booked_at=consent.given_at,
        details={
            "channel": consent.channel,
            "purpose": consent.purpose,
            "granted": consent.is_granted,
            "source": consent.source,
        },
    )


def set_consent(
    member: Member,
    *,
    is_granted: bool,
    source: str,
    now: datetime,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> Consent:
    """The newest word counts; saying the same again is a fact as well. Who speaks for a member
    who was merged speaks for the person."""
    member = person_of(member)
    with transaction.atomic():
        consent = Consent.objects.create(
            member=member,
            channel=channel,
            purpose=purpose,
            is_granted=is_granted,
            source=source,
            given_at=now,
        )
        record_events([consent_event(consent)])
    return consent


def members_with_consent(
    member_ids: Iterable[UUID],
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> set[UUID]:
    """Those whose newest word on the channel and purpose is yes; of one who was merged, that of
    whoever stands for them."""
    persons = persons_of(member_ids)
    newest = (
        Consent.objects.filter(
            member_id__in=set(persons.values()), channel=channel, purpose=purpose
        )
        .newest_of_each("member_id")
        .values_list("member_id", "is_granted")
    )
    agreed = {member_id for member_id, is_granted in newest if is_granted}
    return {member_id for member_id, person in persons.items() if person in agreed}


def emails_of(member_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The newest address of each; of merged members the survivor's, if there is one. Whether
    anything may be sent there, `agreed_emails_of` knows."""
    people = rows_of(member_ids)
    return _addresses(people, {row for rows in people.values() for row in rows})


def agreed_emails_of(
    member_ids: Iterable[UUID],
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> dict[UUID, str]:
    """As `emails_of`, of those addresses only that a yes was given for.

    A yes is for the addresses that were the member's when it was given: whoever was merged brings
    an address that the survivor's earlier yes says nothing of.
    """
    people = rows_of(member_ids)
    rows = {row for family in people.values() for row in family}
    steps = {
        merged: (survivor, at)
        for merged, survivor, at in Merge.objects.filter(
            merged__in=rows, undone_at=None
        ).values_list("merged_id", "survivor_id", "merged_at")
    }
    said = Consent.objects.filter(member__in=rows, channel=channel, purpose=purpose)
    words = list(
        said.order_by("given_at", "id").values_list("member_id", "given_at", "is_granted")
    )
    agreed = set()
    for row in rows:
        since = _spoken_for_since(row, steps)
        heard = [yes for who, at, yes in words if who in since and at >= since[who]]
        if heard and heard[-1]:
            agreed.add(row)
    return _addresses(people, agreed)


def _spoken_for_since(
    row: UUID, steps: Mapping[UUID, tuple[UUID, datetime]]
) -> dict[UUID, datetime]:
    """Whose words are about this member's addresses, and from when on: its own, and those of
    whoever has stood for it."""
    since = {row: datetime.min.replace(tzinfo=UTC)}
    while row in steps:
        row, at = steps[row]
        since[row] = at
    return since


def _addresses(people: Mapping[UUID, Iterable[UUID]], allowed: Set[UUID]) -> dict[UUID, str]:
    """The address of each person, for each of its rows; of these rows' addresses only."""
    owners = {row: person for person, rows in people.items() for row in rows}
    found = Identity.objects.filter(member_id__in=allowed, kind=EMAIL).order_by("added_at")
    addresses: dict[UUID, str] = {}
    for row in sorted(found, key=lambda row: owners[row.member_id] == row.member_id):
        addresses[owners[row.member_id]] = row.value
    return {row: addresses[person] for row, person in owners.items() if person in addresses}
