"""Identities: the signs by which members are known, and who is known by them."""

import re
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kit.bulk import fetch_all
from kit.crypto import blind_index
from kit.ids import normal_code
from members.identity_kinds import EMAIL, PHONE, kind_label
from members.models import Identity, Member
from members.persons import person_of


class IdentityTaken(Exception):
    """The phone, e-mail or wallet belongs to another member already."""


class BadIdentity(ValueError):
    """A phone number or e-mail address that cannot be one."""


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
