"""Joining, being recognised, consenting: everything that changes who a member is."""

import re
from collections.abc import Iterable, Mapping, Set
from datetime import UTC, date, datetime
from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kit.bulk import fetch_all
from kit.crypto import blind_index
from kit.ids import normal_code
from members.announcing import announce
from members.identity_kinds import EMAIL, PHONE, kind_label
from members.models import Consent, Event, Identity, Member, Merge, Region, Store, new_member_code
from members.persons import person_of, persons_of, rows_of


class IdentityTaken(Exception):
    """The phone, e-mail or wallet belongs to another member already."""


class BadIdentity(ValueError):
    """A phone number or e-mail address that cannot be one."""


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


def add_identity(member: Member, *, kind: str, value: str, now: datetime) -> Identity:
    """Recognise `member` by one more sign; raises IdentityTaken or BadIdentity."""
    normal = normalise_identity(kind, value, country=member.region.phone_country)
    try:
        with transaction.atomic():
            return Identity.objects.create(
                member=member, kind=kind, value=normal, hash=hash_of(kind, normal), added_at=now
            )
    except IntegrityError as problem:
        raise IdentityTaken(
            _("This %(kind)s belongs to another member already.") % {"kind": kind_label(kind)}
        ) from problem


def normalise_identity(kind: str, value: str, *, country: str = "") -> str:
    """One spelling for each phone (E.164) and e-mail address; raises BadIdentity.

    country: whose a phone number is that names none (ISO 3166-1 alpha-2, or a part of one)
    """
    text = value.strip()
    if kind == PHONE:
        return _normal_phone(text, country)
    if kind == EMAIL:
        try:
            validate_email(text)
        except ValidationError as problem:
            raise BadIdentity(
                _("“%(value)s” is not an e-mail address.") % {"value": text}
            ) from problem
        return text.lower()
    return text


def _normal_phone(text: str, country: str) -> str:
    region = country[:2].upper() if re.match(r"[A-Za-z]{2}(?![A-Za-z])", country) else None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as problem:
        raise BadIdentity(_not_a_phone(text)) from problem
    if not phonenumbers.is_possible_number(number):
        raise BadIdentity(_not_a_phone(text))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _not_a_phone(text: str) -> str:
    return _(
        "“%(value)s” is not a phone number. Write it with its country, as in +852 9123 4567."
    ) % {"value": text}


def hash_of(kind: str, normal_value: str) -> str:
    return blind_index(kind, normal_value)


def clue_of(kind: str, value: str, *, country: str = "") -> str:
    """How a transaction remembers a sign of its payer: `kind:hash`, readable by nobody.

    A phone or address that is not one still is a sign, if a useless one: it is kept as it stands.
    """
    try:
        normal = normalise_identity(kind, value, country=country)
    except BadIdentity:
        normal = value.strip()
    return f"{kind}:{hash_of(kind, normal)}"


def find_member(*, kind: str, value: str) -> Member | None:
    """Whoever is known by it, or stands for the one who is."""
    normal = normalise_identity(kind, value)
    found = Identity.objects.filter(kind=kind, hash=hash_of(kind, normal))
    return next(
        (person_of(row.member) for row in found.select_related("member__merged_into")), None
    )


def find_by_code(code: str) -> Member | None:
    """Whoever has the member number; of one who was merged, the member who stands for both."""
    rows = Member.objects.filter(code=normal_code(code)).select_related("merged_into")
    return next((person_of(member) for member in rows), None)


def members_by_clue(clues: Iterable[str]) -> dict[str, UUID]:
    """The member behind each known `kind:hash`, in one query."""
    wanted = set(clues)
    if not wanted:
        return {}
    hashes = {clue.partition(":")[2] for clue in wanted}
    rows = fetch_all(
        "SELECT kind, hash, member_id FROM members_identity WHERE hash = ANY(%s::text[])",
        [list(hashes)],
    )
    found = {f"{kind}:{digest}": member_id for kind, digest, member_id in rows}
    return {clue: found[clue] for clue in wanted & found.keys()}


def members_by_code(codes: Iterable[str]) -> dict[str, UUID]:
    """Member ids by member number, for the codes as they were given."""
    normal = {code: normal_code(code) for code in codes if code}
    if not normal:
        return {}
    rows = dict(
        fetch_all(
            "SELECT code, id FROM members_member WHERE code = ANY(%s::text[])",
            [list(set(normal.values()))],
        )
    )
    return {code: rows[wanted] for code, wanted in normal.items() if wanted in rows}


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


def record_events(events: Iterable[Event]) -> list[Event]:
    """Keep them, and queue them for whoever listens: both or neither."""
    with transaction.atomic(savepoint=False):
        rows = Event.record(events)
        announce(rows)
    return rows
