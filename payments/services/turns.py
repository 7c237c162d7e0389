"""Whose turn it is: effects are settled in the order in which they were told first.

A platform tells twice, and two processes may read the two posts in either order. Whoever reads
the earlier one later puts the effect where it belongs. It is in time: nothing is settled while
an earlier post than it is not read yet (`translated_until`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import connection

from kit.bulk import fetch_all

EffectKey = tuple[int, str, str, str]  # Account, payment, kind and effect.

_EARLIER: Final = """
UPDATE payments_transaction AS row SET due_at = told.received_at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS told (account_id, payment_ref, kind, effect_ref, received_at)
WHERE row.account_id = told.account_id AND row.payment_ref = told.payment_ref
    AND row.kind = told.kind AND row.effect_ref = told.effect_ref
    AND row.due_at > told.received_at
RETURNING coalesce(row.original_id, row.id)
"""
# Corrections come behind their payment, and no later than they must.
_BEHIND: Final = """
UPDATE payments_transaction AS row SET due_at = greatest(
    least(row.due_at, row.received_at), paid.due_at + place.number * interval '1 microsecond'
)
FROM payments_transaction AS paid
CROSS JOIN LATERAL (
    SELECT id, row_number() OVER (ORDER BY received_at, effect_ref) AS number
    FROM payments_transaction WHERE original_id = paid.id
) AS place
WHERE paid.id = ANY(%s::uuid[]) AND place.id = row.id
    AND row.due_at IS NOT NULL AND paid.due_at IS NOT NULL
"""


def put_in_order(told: Mapping[EffectKey, datetime]) -> None:
    """Let effects that are not settled yet wait from when they were told first, as `told` says,
    and the corrections of payments among them right behind."""
    if not told:
        return
    columns = zip(*((*key, at) for key, at in sorted(told.items())), strict=True)
    moved = {payment for (payment,) in fetch_all(_EARLIER, [list(column) for column in columns])}
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [list(moved)])
