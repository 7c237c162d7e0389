"""Writing what a sheet of members says, in sets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from kit.spreadsheet_import import Row
from kit.work import hold_keys
from members.models import Consent, Identity, Member
from members.services.consents import consent_event
from members.services.enrolling import joined_event
from members.services.identities import hash_of
from members.services.timeline import record_events

_BATCH: Final = 2000
_CHANGEABLE: Final = ["name", "language", "region", "home_store", "born_on"]


def write_members(rows: Sequence[Row], *, now: datetime) -> None:
    """Enrol and change members; call it inside a transaction, under the lock of imports."""
    joining = [_enrol(row) for row in rows if row.get("member") is None]
    Member.objects.bulk_create(joining, batch_size=_BATCH)
    changing = [_change(row) for row in rows if row.get("changed")]
    Member.objects.bulk_update(changing, _CHANGEABLE, batch_size=_BATCH)
    _recognise(rows, now=now)
    consents = _consents(rows, now=now)
    Consent.record(consents)
    joined = [joined_event(member, now=now) for member in joining]
    record_events([*joined, *(consent_event(consent) for consent in consents)])


def _enrol(row: Row) -> Member:
    region = row.get("chosen_region")
    member = Member(
        name=row.get("name") or "",
        language=row.get("language") or region.language,
        region=region,
        home_store=row.get("chosen_store"),
        born_on=row.get("born_on"),
        joined_at=row.get("joined_at"),
    )
    row.values["enrolled"] = member
    return member


def _change(row: Row) -> Member:
    member: Member = row.values["member"]
    for name, value in row.values["changed"].items():
        setattr(member, name, value)
    return member


def _recognise(rows: Iterable[Row], *, now: datetime) -> None:
    """Add the new phones, addresses and numbers; whoever books their payments takes turns."""
    signs = [
        Identity(
            member=_member(row), kind=kind, value=value, hash=hash_of(kind, value), added_at=now
        )
        for row in rows
        for kind, value in row.values["fresh_signs"].items()
    ]
    signs.sort(key=lambda sign: (sign.kind, sign.hash))
    hold_keys([f"clue:{sign.kind}:{sign.hash}" for sign in signs])
    Identity.objects.bulk_create(signs, batch_size=_BATCH)


def _consents(rows: Iterable[Row], *, now: datetime) -> list[Consent]:
    return [
        Consent(
            member=_member(row),
            channel=Consent.Channel.EMAIL,
            purpose=Consent.Purpose.MARKETING,
            is_granted=row.values["new_consent"],
            source=Consent.Source.IMPORT,
            given_at=now,
        )
        for row in rows
        if row.get("new_consent") is True
        or (row.get("new_consent") is False and row.get("member"))
    ]


def _member(row: Row) -> Member:
    member: Member = row.get("member") or row.values["enrolled"]
    return member
