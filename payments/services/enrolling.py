"""Enrolling a customer: a member, their signs and their word, and what already waited for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from kit.work import hold_keys
from members.models import Identity, Member, Region, Store
from members.services.consents import set_consent
from members.services.enrolling import enrol_member
from members.services.identities import add_identity, clue_of
from payments.services.linking import match_waiting


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who is enrolled. `signs`: kind and value; `consents`: arguments of `set_consent`."""

    region: Region
    language: str
    name: str = ""
    home_store: Store | None = None
    born_on: date | None = None
    signs: tuple[tuple[str, str], ...] = ()
    consents: tuple[Mapping[str, Any], ...] = ()


def enrol_customer(who: Newcomer, *, now: datetime) -> Member:
    """The new member, who already has the payments that waited for these signs.

    Raises IdentityTaken or BadIdentity, leaving nothing.
    """
    with transaction.atomic():
        country = who.region.phone_country
        clues = [clue_of(kind, value, country=country) for kind, value in who.signs]
        hold_keys([f"clue:{clue}" for clue in clues])
        member = enrol_member(
            region=who.region,
            language=who.language,
            name=who.name,
            home_store=who.home_store,
            born_on=who.born_on,
            now=now,
        )
        for kind, value in who.signs:
            add_identity(member, kind=kind, value=value, now=now)
        for consent in who.consents:
            set_consent(member, **consent, now=now)
        if who.signs:
            match_waiting(member, now=now)
    return member


def remove_identity(identity: Identity) -> None:
    """Recognise the member by this sign no longer; what it matched until now stays theirs."""
    Identity.objects.filter(pk=identity.pk).delete()
