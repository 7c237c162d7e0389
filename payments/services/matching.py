"""Matching: whose a payment is, by the strongest of its signs.

1. The member number that the platform carried for us in signed metadata.
2. The member of the order that it pays.
3. Signs of the payer by which members are known: wallet, card, customer number, phone, e-mail.
4. Else it waits in the queue of unmatched payments, for staff or for a sign to become known.

A stronger sign outweighs a weaker one that says otherwise. Signs of the third kind are equals:
where they lead to different people the payment waits, for what is booked to one member cannot be
taken from them again. Either way staff are asked whether the two are one person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from kit.work import hold_keys
from members.models import Member
from members.persons import own_rows, persons_of
from members.services.identities import members_by_clue
from payments.models import Disagreement, Sighting, Transaction
from payments.providers.base import Kind

WAITING_FOR_MEMBER: Final = "member"
METADATA: Final = "metadata"
ORDER: Final = "order"

Sign = tuple[str, UUID]  # What it is (`metadata`, `order` or a kind of identity), and whose.


@dataclass(frozen=True, slots=True)
class Found:
    """What matching has to tell besides the members, to be recorded after the transactions."""

    disagreements: list[Disagreement]
    sightings: list[Sighting]

    def record(self) -> None:
        """Known pairs and sightings stay as they are; in one order for everybody."""
        pairs = sorted(self.disagreements, key=lambda row: (row.first_id, row.second_id))
        Disagreement.objects.bulk_create(pairs, ignore_conflicts=True)
        seen = sorted(self.sightings, key=lambda row: (row.clue, row.member_id))
        Sighting.objects.bulk_create(seen, ignore_conflicts=True)


def match(rows: Sequence[Transaction], stated: Mapping[UUID, Sequence[Sign]]) -> Found:
    """Give new transactions their members, or let payments wait for one. `stated`: by transaction
    what metadata and order say, the stronger first."""
    known = members_by_clue(clue for row in rows for clue in row.clues)
    unknown = [row for row in rows if not _signs(row, stated, known) and row.kind == Kind.PAYMENT]
    clues = [clue for row in unknown for clue in row.clues]
    hold_keys([f"clue:{clue}" for clue in clues])
    known |= members_by_clue(clues)  # Whoever made one known meanwhile held the same lock.
    signs = {row.pk: _signs(row, stated, known) for row in rows}
    persons = _persons(signs.values())
    found = Found([], [])
    for row in rows:
        own = signs[row.pk]
        row.member_id = _member(own, persons)
        if row.kind != Kind.PAYMENT:
            continue
        row.waiting_for = "" if row.member_id else WAITING_FOR_MEMBER
        found.disagreements.extend(_disagreements(row, own, persons))
        found.sightings.extend(_sightings(row, known))
    return found


def one_person_of(clues: Iterable[str]) -> UUID | None:
    """Whose these signs are, which are equals; None where they lead to different people."""
    signs = _known_signs(clues, members_by_clue(clues))
    return _member(signs, _persons([signs]))


def answer_disagreements(survivor: Member, *, by: Any, now: datetime) -> int:
    """Whoever merges two members says with it that they are one person."""
    rows = own_rows(survivor)
    asked = Disagreement.objects.filter(first__in=rows, second__in=rows)
    return answer(asked, Disagreement.Answer.ONE, by=by, now=now)


def answer(asked: QuerySet[Disagreement], said: str, *, by: Any, now: datetime) -> int:
    """Staff say whether the members are one person or two; an answer stays."""
    return asked.filter(answer=None).update(answer=said, answered_at=now, answered_by=by)


def _signs(
    row: Transaction, stated: Mapping[UUID, Sequence[Sign]], known: Mapping[str, UUID]
) -> list[Sign]:
    """The strongest first; of equals in the order in which the platform names them."""
    return [*stated.get(row.pk, ()), *_known_signs(row.clues, known)]


def _known_signs(clues: Iterable[str], known: Mapping[str, UUID]) -> list[Sign]:
    return [(clue.partition(":")[0], known[clue]) for clue in clues if clue in known]


def _persons(all_signs: Iterable[Sequence[Sign]]) -> Mapping[UUID, UUID]:
    """Whoever stands for the members behind signs; asked only where signs name several."""
    several = [signs for signs in all_signs if len({member for _, member in signs}) > 1]
    members = {member for signs in several for _, member in signs}
    return persons_of(members) if members else {}


def _member(signs: Sequence[Sign], persons: Mapping[UUID, UUID]) -> UUID | None:
    if not signs:
        return None
    kind, member = signs[0]
    if kind in (METADATA, ORDER) or len(_people(signs, persons)) == 1:
        return member
    return None


def _people(signs: Iterable[Sign], persons: Mapping[UUID, UUID]) -> Collection[UUID]:
    return {persons.get(member, member) for _, member in signs}


def _disagreements(
    row: Transaction, signs: Sequence[Sign], persons: Mapping[UUID, UUID]
) -> Iterable[Disagreement]:
    """The strongest sign beside each weaker one that leads to somebody else."""
    for kind, member in signs[1:]:
        chosen, other = persons.get(signs[0][1], signs[0][1]), persons.get(member, member)
        if chosen == other:
            continue
        (first, first_sign), (second, second_sign) = sorted([(chosen, signs[0][0]), (other, kind)])
        yield Disagreement(
            first_id=first,
            second_id=second,
            first_sign=first_sign,
            second_sign=second_sign,
            transaction=row,
            noticed_at=row.received_at,
        )


def _sightings(row: Transaction, known: Mapping[str, UUID]) -> Iterable[Sighting]:
    if row.member_id is None:
        return
    for clue in row.clues:
        if clue not in known:
            yield Sighting(
                clue=clue, member_id=row.member_id, transaction=row, seen_at=row.received_at
            )
