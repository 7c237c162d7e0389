"""Linking: somebody says whose a payment is, and everything of that payer earns."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from kit.bulk import fetch_all, is_any_of
from kit.work import hold_keys
from members.models import Event, Identity, Member
from members.persons import own_rows
from members.services import add_identity, record_events
from payments.models import Transaction
from payments.services.booking import unmatched


def link_transactions(
    transactions: Iterable[Transaction], member: Member, *, now: datetime
) -> int:
    """Give unmatched `transactions` to `member`, remember their payers' signs as the member's, and
    give the member whatever else those signs paid. Returns how many transactions that were."""
    chosen = [row for row in transactions if row.member_id is None]
    with transaction.atomic():
        hold_keys([f"clue:{clue}" for clue in _clues_of(chosen)])
        chosen = _still_waiting(chosen)
        if not chosen:
            return 0
        _learn(member, _clues_of(chosen), now=now)
        linked = _give([row.pk for row in chosen], member.pk)
        linked += match_waiting(member)
        if linked:
            _note(member, linked, now=now)
    return linked


def link_identity(member: Member, *, kind: str, value: str, now: datetime) -> int:
    """Recognise `member` by one more sign; returns how many waiting transactions that matched."""
    with transaction.atomic():
        identity = add_identity(member, kind=kind, value=value, now=now)
        hold_keys([f"clue:{kind}:{identity.hash}"])
        linked = match_waiting(member)
        if linked:
            _note(member, linked, now=now)
    return linked


# Of each waiting payment whose signs all belong to one person: whose its first sign is.
_KNOWN: Final = """
WITH sign AS (
    SELECT waiting.id, clue.place, identity.member_id,
        coalesce(member.merged_into_id, member.id) AS person
    FROM payments_transaction AS waiting
    CROSS JOIN LATERAL unnest(waiting.clues) WITH ORDINALITY AS clue (sign, place)
    JOIN members_identity AS identity
      ON identity.kind = split_part(clue.sign, ':', 1)
     AND identity.hash = split_part(clue.sign, ':', 2)
    JOIN members_member AS member ON member.id = identity.member_id
    WHERE waiting.waiting_for = 'member' AND waiting.member_id IS NULL
      AND waiting.kind = 'payment' AND {which}
)
SELECT DISTINCT ON (id) id, member_id FROM sign
WHERE NOT EXISTS (
    SELECT FROM sign AS other WHERE other.id = sign.id AND other.person <> sign.person
)
ORDER BY id, place
"""
_GIVE: Final = """
UPDATE payments_transaction AS row
SET member_id = given.member_id, waiting_for = ''
FROM unnest(%s::uuid[], %s::uuid[]) AS given (payment_id, member_id)
WHERE row.waiting_for = 'member' AND row.member_id IS NULL
  AND (row.id = given.payment_id OR row.original_id = given.payment_id)
"""


def match_waiting(member: Member) -> int:
    """Give the unmatched payments whose payer is known to be `member`, or one who was merged into
    them, to whom the signs belong; not those with a sign of somebody else."""
    signs = Identity.objects.filter(member__in=own_rows(member)).values_list("kind", "hash")
    clues = [f"{kind}:{digest}" for kind, digest in signs]
    if not clues:
        return 0
    known = fetch_all(_KNOWN.format(which="waiting.clues && %s::varchar[]"), [clues])
    return _give_each(dict(known))


def match_all_waiting() -> int:
    """Match whatever a bulk import of members or wallets has made known; returns how many."""
    with transaction.atomic():
        matched = _give_each(dict(fetch_all(_KNOWN.format(which="true"), [])))
        with connection.cursor() as cursor:
            # Refunds that were being booked in that moment.
            cursor.execute(
                """
                UPDATE payments_transaction AS row
                SET member_id = payment.member_id, waiting_for = ''
                FROM payments_transaction AS payment
                WHERE row.waiting_for = 'member' AND row.member_id IS NULL
                  AND payment.id = row.original_id AND payment.member_id IS NOT NULL
                """
            )
            return matched + int(cursor.rowcount)


def _clues_of(rows: Iterable[Transaction]) -> list[str]:
    return sorted({clue for row in rows for clue in row.clues})


def _still_waiting(chosen: Iterable[Transaction]) -> list[Transaction]:
    """Those that nobody else linked meanwhile, locked: of the others no sign is learnt either."""
    rows = Transaction.objects.filter(unmatched(), is_any_of("pk", [row.pk for row in chosen]))
    return list(rows.select_for_update(no_key=True).order_by("pk"))


def _give(payments: Iterable[UUID], member_id: UUID) -> int:
    return _give_each(dict.fromkeys(payments, member_id))


def _give_each(members: Mapping[UUID, UUID]) -> int:
    """Payments, and what was taken back of them: a refund follows its payment."""
    found = Transaction.objects.filter(unmatched(), is_any_of("pk", members), original=None)
    waiting = found.order_by("pk")
    # Locked, so that the next statement sees the refunds that were being booked in this moment.
    payments = list(waiting.select_for_update(no_key=True).values_list("pk", flat=True))
    if not payments:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_GIVE, [payments, [members[pk] for pk in payments]])
        return int(cursor.rowcount)


def _learn(member: Member, clues: Iterable[str], *, now: datetime) -> None:
    """A wallet that belongs to somebody else stays theirs."""
    Identity.objects.bulk_create(
        [
            Identity(member=member, kind=kind, hash=digest, added_at=now)
            for kind, _, digest in (clue.partition(":") for clue in clues)
        ],
        ignore_conflicts=True,
    )


def _note(member: Member, linked: int, *, now: datetime) -> None:
    event = Event(
        member=member,
        kind=Event.Kind.LINKED,
        key=now.isoformat(),
        occurred_at=now,
        booked_at=now,
        details={"transactions": linked},
    )
    record_events([event])
