"""Enrolling: a new member with their identities."""

from datetime import date, datetime

from django.db import transaction

from members.identity_kinds import EMAIL, PHONE
from members.models import Event, Member, Region, Store, new_member_code
from members.services.identities import add_identity
from members.services.timeline import record_events


def enrol_member(  # noqa: PLR0913 - a person has this many sides, all named at the call.
    *,
    region: Region,
    language: str,
    now: datetime,
    name: str = "",
    phone: str = "",
    email: str = "",
    home_store: Store | None = None,
    born_on: date | None = None,
    code: str | None = None,
) -> Member:
    """A new member with their identities; raises IdentityTaken or BadIdentity, leaving nothing."""
    with transaction.atomic():
        member = Member.objects.create(
            code=code or new_member_code(),
            name=name,
            language=language,
            region=region,
            home_store=home_store,
            born_on=born_on,
            joined_at=now,
        )
        given = ((PHONE, phone), (EMAIL, email))
        for kind, value in given:
            if value:
                add_identity(member, kind=kind, value=value, now=now)
        record_events([joined_event(member, now=now)])
    return member


def joined_event(member: Member, *, now: datetime) -> Event:
    return Event(
        member=member,
        kind=Event.Kind.JOINED,
        key="joined",
        occurred_at=member.joined_at,
        booked_at=now,
    )
