"""Linking: somebody says whose a payment is, and everything of that payer earns."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from kit.bulk import fetch_all, is_any_of, update_many
from kit.work import hold_keys
from members.models import Event, Identity, Member
from members.persons import own_rows
from members.services.identities import add_identity, clue_of
from members.services.timeline import record_events
from payments.models import Order, Transaction
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
        given = _give({row.pk: member.pk for row in chosen})
        return match_waiting(member, now=now, besides=given)


def link_identity(member: Member, *, kind: str, value: str, now: datetime) -> int:
    """Recognise `member` by one more sign; returns how many waiting transactions that matched."""
    with transaction.atomic():
        hold_keys([f"clue:{clue_of(kind, value, country=member.region.phone_country)}"])
        add_identity(member, kind=kind, value=value, now=now)
        return match_waiting(member, now=now)


# Of each row whose signs all belong to one person: whose its first sign is. Signs are equals, so
# where they lead to different people the row waits.
_KNOWN: Final = """
WITH sign AS (
    SELECT waiting.id, clue.place, identity.member_id,
        coalesce(member.merged_into_id, member.id) AS person
    FROM {table} AS waiting
    CROSS JOIN LATERAL unnest(waiting.clues) WITH ORDINALITY AS clue (sign, place)
    JOIN members_identity AS identity
      ON identity.kind = split_part(clue.sign, ':', 1)
     AND identity.hash = split_part(clue.sign, ':', 2)
    JOIN members_member AS member ON member.id = identity.member_id
    WHERE waiting.member_id IS NULL AND {waits}
      AND (%(clues)s::varchar[] IS NULL OR waiting.clues && %(clues)s::varchar[])
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


def match_waiting(member: Member, *, now: datetime, besides: int = 0) -> int:
    """Give the unmatched payments and orders that are known to be of `member`, or of one who was
    merged into them, to whom the signs belong; not those with a sign of somebody else. Returns how
    many transactions that were, those given `besides` included; the member's timeline says so."""
    signs = Identity.objects.filter(member__in=own_rows(member)).values_list("kind", "hash")
    clues = [f"{kind}:{digest}" for kind, digest in signs]
    linked = besides + (_match(clues) if clues else 0)
    if linked:
        _note(member, linked, now=now)
    return linked


def match_all_waiting() -> int:
    """Match whatever a bulk import of members or wallets has made known; returns how many."""
    with transaction.atomic():
        matched = _match(None)
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


def give_orders(buyers: Mapping[UUID, UUID]) -> int:
    """Give orders of nobody known to their buyers, and the payments of these orders with them;
    returns how many transactions that were."""
    found = Order.objects.filter(is_any_of("pk", buyers), member=None)
    orders = list(found.order_by("pk").select_for_update(no_key=True))
    for order in orders:
        order.member_id = buyers[order.pk]
    update_many(orders, ["member"])
    return give_payments({order.pk: buyers[order.pk] for order in orders})


def give_payments(buyers: Mapping[UUID, UUID]) -> int:
    """Give the unmatched payments of orders to the orders' buyers."""
    paid = Transaction.objects.filter(is_any_of("order_id", buyers), kind=Transaction.Kind.PAYMENT)
    return _give({row.pk: buyers[row.order_id] for row in paid.only("order") if row.order_id})


def _match(clues: Sequence[str] | None) -> int:
    """By one of these signs, or by any."""
    payments = "waiting.waiting_for = 'member' AND waiting.kind = 'payment'"
    given = _give(_known("payments_transaction", payments, clues))
    return given + give_orders(_known("payments_order", "true", clues))


def _known(table: str, waits: str, clues: Sequence[str] | None) -> dict[UUID, UUID]:
    return dict(fetch_all(_KNOWN.format(table=table, waits=waits), {"clues": clues}))


def _give(members: Mapping[UUID, UUID]) -> int:
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


def _clues_of(rows: Iterable[Transaction]) -> list[str]:
    return sorted({clue for row in rows for clue in row.clues})


def _still_waiting(chosen: Iterable[Transaction]) -> list[Transaction]:
    """Those that nobody else linked meanwhile, locked: of the others no sign is learnt either."""
    rows = Transaction.objects.filter(unmatched(), is_any_of("pk", [row.pk for row in chosen]))
    return list(rows.select_for_update(no_key=True).order_by("pk"))


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
