"""A year of trade in the real tables, in some statements: as many rows as the road would have
left, and books that prove right."""

from collections.abc import Sequence
from uuid import UUID

from django.apps import apps
from django.db import connection
from psycopg import ClientCursor, sql

from benchmarks.merchant import Merchant
from benchmarks.place import Connection

# Every payment earned its amount. Every third one's points are spent, but the first member's: that
# one has bought most, and holds a lot of every payment.
_STATEMENTS = (
    "SET session_replication_role = replica",  # The rows are right: no need to look each up.
    "SET synchronous_commit = off",
    """
    CREATE FUNCTION pg_temp.key(kind text, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
        SELECT (lpad(to_hex(1700000000000 + n::bigint * 20), 12, '0') || '7'
            || substr(md5(kind || n), 1, 3) || '8' || substr(md5(n || kind), 1, 15))::uuid
    $$
    """,
    """
    CREATE UNLOGGED TABLE past AS
    SELECT n, place = 1 AS is_hot, 10 + n * 7 %% 700 AS amount,
        (%(members)s::uuid[])[place] AS member, n %% 3 = 0 AND place > 1 AS is_spent,
        now() - interval '300 days' * (1 - n::float / %(rows)s) - interval '1 hour' AS at
    FROM (
        SELECT n, CASE WHEN n %% 50 = 0 THEN 1 ELSE 2 + (n * 7919::bigint
            %% (cardinality(%(members)s::uuid[]) - 1))::int END AS place
        FROM generate_series(1, %(rows)s) AS n
    ) AS numbered
    """,
    """
    INSERT INTO payments_callback
        (id, account_id, delivery_key, body_hash, received_at, outcome, attempts, waiting_for,
         error)
    SELECT pg_temp.key('c', n), %(account)s, md5('past' || n), '', at, 'booked', 0, '', ''
    FROM past
    """,
    """
    INSERT INTO payments_transaction
        (id, attempts, waiting_for, error, account_id, callback_id, source, kind, payment_ref,
         effect_ref, amount, currency, is_total, occurred_at, received_at, order_ref, method,
         clues, may_message, member_id, reporting_amount)
    SELECT pg_temp.key('t', n), 0, '', '', %(account)s, pg_temp.key('c', n), 'callback',
        'payment', 'past-' || n, 'past-' || n, amount, 'HKD', false, at, at, '', 'octopus', '{}',
        true, member, amount
    FROM past
    """,
    """
    INSERT INTO loyalty_award
        (id, transaction_id, member_id, points, forgiven, spend, paid_at, booked_at, facts, why)
    SELECT pg_temp.key('a', n), pg_temp.key('t', n), member, amount, 0, amount, at, at,
        jsonb_build_object('facts', '{}'::jsonb, 'verdicts', '{}'::jsonb, 'rules', '[]'::jsonb,
            'caps', '{}'::jsonb, 'multiplier', '1', 'rate', '1', 'on', at::date::text),
        jsonb_build_array(jsonb_build_object('outcome', 'applied', 'points', amount))
    FROM past
    """,
    """
    INSERT INTO loyalty_transfer
        (id, kind, debit_id, credit_id, points, award_id, reason, booked_at, covered_at)
    SELECT pg_temp.key('e', n), 'earn', other.id, member, amount, pg_temp.key('a', n), '', at, at
    FROM past, loyalty_pointaccount AS other WHERE other.kind = 'issued'
    UNION ALL
    SELECT pg_temp.key('s', n), 'spend', member, other.id, amount, NULL, '', at, at
    FROM past, loyalty_pointaccount AS other WHERE other.kind = 'adjusted' AND is_spent
    """,
    """
    INSERT INTO loyalty_lot
        (id, account_id, transfer_id, award_id, points, starts_at, expires_at, closed_at)
    SELECT pg_temp.key('l', n), member, pg_temp.key('e', n), pg_temp.key('a', n), amount, at,
        date_trunc('month', at) + interval '13 months', CASE WHEN is_spent THEN at END
    FROM past
    """,
    """
    INSERT INTO loyalty_lotuse (id, lot_id, transfer_id, points, used_at)
    SELECT pg_temp.key('u', n), pg_temp.key('l', n), pg_temp.key('s', n), amount, at
    FROM past WHERE is_spent
    """,
    """
    INSERT INTO members_event
        (id, attempts, waiting_for, error, member_id, kind, key, occurred_at, booked_at, details)
    SELECT pg_temp.key('v', n), 0, '', '', member, 'paid', pg_temp.key('t', n)::text, at, at,
        jsonb_build_object('payment_ref', 'past-' || n, 'amount', amount, 'currency', 'HKD')
    FROM past
    """,
    """
    UPDATE loyalty_standing AS standing
    SET balance = sums.held, spend_12m = sums.spend, payments = sums.payments,
        first_paid_at = sums.first, last_paid_at = sums.last, reckoned_at = sums.last,
        tier_since = sums.last,
        tier_id = (SELECT id FROM loyalty_tier WHERE threshold <= sums.spend
                   ORDER BY rank DESC LIMIT 1)
    FROM (SELECT member, sum(amount) FILTER (WHERE NOT is_spent) AS held, sum(amount) AS spend,
              count(*) AS payments, min(at) AS first, max(at) AS last
          FROM past GROUP BY member) AS sums
    WHERE standing.member_id = sums.member
    """,
    "DROP TABLE past",
    "RESET session_replication_role",
    "VACUUM ANALYZE",
    "CHECKPOINT",
)


def give_defaults(owner: Connection) -> None:
    """Let plain SQL leave out what Django fills in by itself: columns with a constant default."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if not column.has_default() or callable(column.default) or column.primary_key:
                continue
            default = column.get_db_prep_save(column.get_default(), connection)
            owner.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
                    sql.Identifier(model._meta.db_table),
                    sql.Identifier(str(column.column)),
                    sql.Literal(default),
                )
            )


def fill(merchant: Merchant, owner: Connection, *, rows: int) -> None:
    """`rows` earlier payments; the member with the lowest key made every fiftieth of them."""
    members: Sequence[UUID] = sorted(member.pk for member in merchant.members)
    values = {"members": list(members), "rows": rows, "account": merchant.account.pk}
    for statement in _STATEMENTS:
        if "%(" in statement:
            with ClientCursor(owner) as cursor:
                cursor.execute(statement, values)
        else:
            owner.execute(statement)
