"""Planned people become members, in sets: the same rows as one by one, in a few queries."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from config.demo.people import Person
from members.models import Consent, Identity, Member, Region, Store
from members.services.consents import consent_event
from members.services.enrolling import joined_event
from members.services.identities import hash_of
from members.services.timeline import record_events


def enrol_people(
    people: Sequence[Person], *, regions: Mapping[str, Region], stores: Mapping[str, Store]
) -> None:
    """Each joins at their own moment, with their signs and, most of them, a consent."""
    members = [_member(person, regions, stores) for person in people]
    with transaction.atomic():
        Member.objects.bulk_create(members)
        Identity.objects.bulk_create(
            Identity(
                member_id=person.id,
                kind=kind,
                value=value,
                hash=hash_of(kind, value),
                added_at=person.joined_at,
            )
            for person in people
            for kind, value in person.signs.items()
        )
        consents = [_consent(person) for person in people if "email" in person.signs]
        Consent.record(consents)
        joined = [joined_event(member, now=member.joined_at) for member in members]
        record_events([*joined, *(consent_event(consent) for consent in consents)])


def _member(person: Person, regions: Mapping[str, Region], stores: Mapping[str, Store]) -> Member:
    return Member(
        id=person.id,
        code=person.code,
        name=person.name,
        language=person.language,
        region=regions[person.region],
        home_store=stores[person.store],
        born_on=person.born_on,
        joined_at=person.joined_at,
    )


def _consent(person: Person) -> Consent:
    return Consent(
        member_id=person.id,
        channel=Consent.Channel.EMAIL,
        purpose=Consent.Purpose.MARKETING,
        is_granted=person.may_write,
        source=Consent.Source.DEMO,
        given_at=person.joined_at,
    )
