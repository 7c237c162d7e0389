"""A backlog: stored callbacks become points by one road process, beside plain SQL that writes the
rows which no design could do without."""

import random
import time
from datetime import datetime, timedelta
from uuid import uuid4

import psutil
from django.db import transaction
from django.utils import timezone
from psycopg import ClientCursor

from benchmarks.merchant import Merchant, wallet_of
from benchmarks.place import Connection
from benchmarks.report import Result
from config.management.commands.road import collect_garbage_seldom
from config.pipeline import STAGES
from config.simulation.till import payment
from loyalty.models import Rule
from payments.providers.base import Inbound, Verified
from payments.services.accounts import known_accounts
from payments.services.receive import store

_FLOOR = 1200.0
_MOST_GROWTH_MB = 20.0
_STORED_AT_ONCE = 2000

# From the least that a payment says (account, reference, amount, member) to points, in one
# transaction: the bare minimum of inserts, set-based, without rules, reasons, tiers or events.
_PLAIN = """
CREATE TEMPORARY TABLE plain ON COMMIT DROP AS
SELECT gen_random_uuid() AS id, gen_random_uuid() AS award, gen_random_uuid() AS transfer,
    'plain-' || %(run)s || '-' || n AS ref, 10 + n %% 800 AS amount,
    (%(members)s::uuid[])[1 + n %% cardinality(%(members)s::uuid[])] AS member
FROM generate_series(1, %(rows)s) AS n;

INSERT INTO payments_transaction
    (id, attempts, waiting_for, error, account_id, source, kind, payment_ref, effect_ref, amount,
     currency, is_total, occurred_at, received_at, order_ref, method, clues, may_message,
     member_id, reporting_amount)
SELECT id, 0, '', '', %(account)s, 'callback', 'payment', ref, ref, amount, 'HKD', false, now(),
    now(), '', '', '{}', true, member, amount
FROM plain;

INSERT INTO loyalty_award
    (id, transaction_id, member_id, points, forgiven, spend, paid_at, booked_at, facts, why)
SELECT award, id, member, amount, 0, amount, now(), now(), '{}', '[]' FROM plain;

INSERT INTO loyalty_transfer
    (id, kind, debit_id, credit_id, points, award_id, reason, booked_at, covered_at)
SELECT transfer, 'earn', issued.id, member, amount, award, '', now(), now()
FROM plain, loyalty_pointaccount AS issued WHERE issued.kind = 'issued';

INSERT INTO loyalty_lot (id, account_id, transfer_id, award_id, points, starts_at, expires_at)
SELECT gen_random_uuid(), member, transfer, award, amount, now(), now() + interval '1 year'
FROM plain;

UPDATE loyalty_standing AS standing
SET balance = standing.balance + sums.points, spend_12m = standing.spend_12m + sums.points,
    payments = standing.payments + sums.payments, last_paid_at = now()
FROM (
    SELECT member, sum(amount) AS points, count(*) AS payments FROM plain GROUP BY member
) AS sums
WHERE standing.member_id = sums.member;
"""


def measure(merchant: Merchant, owner: Connection, *, rows: int) -> Result:
    rules = Rule.objects.count()
    _store(merchant, rows, now=timezone.now())
    owner.execute("VACUUM ANALYZE")
    started, worked = time.perf_counter(), time.process_time()
    growth = _drain()
    road = rows / (time.perf_counter() - started)
    own_time = (time.process_time() - worked) / rows * 1000
    plain = _plain_rate(merchant, owner, rows=rows)
    return Result(
        name=f"backlog: {rows:,} callbacks to points, {rules} rules, one process",
        figures={
            "payments_per_s": road,
            "plain_sql_per_s": plain,
            "ratio": road / plain,
            "own CPU ms each": own_time,  # Says more than the rate where others use the machine.
            "memory growth, MB": growth,
        },
        wanted=f"≥ {_FLOOR:,.0f} payments/s, memory flat",
        is_met=road >= _FLOOR and growth < _MOST_GROWTH_MB,
    )


def _drain() -> float:
    """What the road does, without its naps and without offers and messages; returns by how many
    megabytes the process grew after its first rounds."""
    points = [stage for stage in STAGES if stage.part == "points"]
    collect_garbage_seldom()
    process, sizes = psutil.Process(), []
    while sum(stage.work(now=timezone.now(), limit=stage.limit) for stage in points):
        sizes.append(process.memory_info().rss / 2**20)
    settled = sizes[len(sizes) // 4 :]
    return max(settled) - settled[0]


def _store(merchant: Merchant, rows: int, *, now: datetime) -> None:
    """Callbacks as the web server leaves them; every fourth names goods, half a wallet."""
    dice = random.Random(7)
    account = known_accounts([merchant.account.pk])[merchant.account.pk]
    run = uuid4().hex[:8]
    for start in range(0, rows, _STORED_AT_ONCE):
        with transaction.atomic():
            for number in range(start, min(start + _STORED_AT_ONCE, rows)):
                body = _body(merchant, f"{run}-{number}", dice, now=now)
                headers = {"content-type": "application/json", "webhook-id": f"{run}-{number}"}
                post = Inbound("POST", merchant.path, headers, body)
                at = now + timedelta(microseconds=number - rows)
                store(account, post, Verified(f"{run}-{number}"), now=at)


def _body(merchant: Merchant, ref: str, dice: random.Random, *, now: datetime) -> bytes:
    who = dice.randrange(len(merchant.members))
    amount = f"{dice.randint(1000, 90000) / 100:.2f}"
    more: dict[str, object] = {"store": f"S{dice.randrange(8)}", "method": "octopus"}
    if dice.random() < 0.5:
        more["member"] = merchant.members[who].code
    else:
        more["customer"] = {"wallet": wallet_of(who)}
    if dice.random() < 0.25:
        goods = {"sku": f"sku-{dice.randrange(200)}", "quantity": "1", "amount": amount}
        more["lines"] = [{**goods, "category": f"c{dice.randrange(7)}"}]
    return payment(ref=ref, amount=amount, currency="HKD", at=now.replace(microsecond=0), **more)


def _plain_rate(merchant: Merchant, owner: Connection, *, rows: int) -> float:
    values = {
        "account": merchant.account.pk,
        "members": [member.pk for member in merchant.members],
        "rows": rows,
        "run": uuid4().hex[:8],
    }
    started = time.perf_counter()
    with owner.transaction(), ClientCursor(owner) as cursor:
        cursor.execute(_PLAIN, values)
    return rows / (time.perf_counter() - started)
