"""Linking: somebody says whose a payment is, and everything of that payer earns."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from kit.work import hold_keys
from members.models import Event, Identity, Member
from members.services import add_identity, record_events
from payments.models import Transaction
from payments.services.booking import unmatched


def link_transactions(
    transactions: Iterable[Transaction], member: Member, *, now: datetime
) -> int:
    """Give unmatched `transactions` to `member`, remember their payers' signs as the member's, and
    give the member whatever else those signs paid. Returns how many transactions that were."""
    chosen = [row for row in transactions if row.member_id is None]
    clues = sorted({clue for row in chosen for clue in row.clues})
    with transaction.atomic():
        hold_keys([f"clue:{clue}" for clue in clues])
        _learn(member, clues, now=now)
        linked = _give(Q(pk__in=[row.pk for row in chosen]), member)
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


def match_waiting(member: Member) -> int:
    """Give `member` the unmatched transactions whose payer is known to be them."""
    signs = Identity.objects.filter(member=member).values_list("kind", "hash")
    clues = [f"{kind}:{digest}" for kind, digest in signs]
    return _give(Q(clues__overlap=clues), member) if clues else 0


def match_all_waiting() -> int:
    """Match whatever a bulk import of members or wallets has made known; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH known AS (
                SELECT DISTINCT ON (waiting.id) waiting.id, identity.member_id
                FROM payments_transaction AS waiting
                CROSS JOIN LATERAL unnest(waiting.clues) WITH ORDINALITY AS sign (clue, place)
                JOIN members_identity AS identity
                  ON identity.kind = split_part(sign.clue, ':', 1)
                 AND identity.hash = split_part(sign.clue, ':', 2)
                WHERE waiting.waiting_for = 'member' AND waiting.kind = 'payment'
                ORDER BY waiting.id, sign.place
            )
            UPDATE payments_transaction AS row
            SET member_id = known.member_id, waiting_for = ''
            FROM known
            WHERE row.waiting_for = 'member' AND row.member_id IS NULL
              AND (row.id = known.id OR row.original_id = known.id)
            """
        )
        matched = int(cursor.rowcount)
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


def _give(which: Q, member: Member) -> int:
    """Payments, and what was taken back of them: a refund follows its payment."""
    waiting = Transaction.objects.filter(unmatched(), which, original=None).order_by("pk")
    # Locked, so that the next statement sees the refunds that were being booked in this moment.
    payments = list(waiting.select_for_update(no_key=True).values_list("pk", flat=True))
    rows = Transaction.objects.filter(unmatched()).filter(
        Q(pk__in=payments) | Q(original__in=payments)
    )
    return rows.update(member=member, waiting_for="")


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
