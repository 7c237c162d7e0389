"""Open-loop load: each payment has its moment, whether or not the one before has been answered.

A payment counts from its planned moment, so a server that stalls cannot make the sender wait with
it and so look fast. It is done when another connection can read its points.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, LiteralString
from uuid import uuid4

import psycopg

from config.simulation.till import Door, NoAnswer, Till, payment

_GLANCE: Final = 0.008  # seconds between two looks for points; each look costs the server one
_TRIES: Final = 20
_LEAD: Final = 0.5  # until the first payment, for threads and connections to be there


@dataclass(frozen=True, slots=True)
class Plan:
    """hot: which part of all payments one single member makes; resent: which part comes twice.

    is_a_rush: no payment waits for its moment; what is not sent after `seconds` stays unsent
    """

    rate: float
    seconds: float
    hot: float = 0.02
    resent: float = 0.02
    seed: int = 1
    connections: int = 16
    patience: float = 15.0
    is_a_rush: bool = False

    @property
    def payments(self) -> int:
        return max(1, round(self.rate * self.seconds))


@dataclass(slots=True)
class Sale:
    """One payment on its way. Instants are of time.perf_counter()."""

    ref: str
    body: bytes
    planned_at: float
    message_id: str
    sent_at: float = 0.0
    answered_at: float = 0.0
    seen_at: float = 0.0
    status: int = 0


@dataclass(slots=True)
class Outcome:
    sales: list[Sale]
    doubled: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> list[Sale]:
        return [sale for sale in self.sales if 200 <= sale.status < 300]

    @property
    def refused(self) -> list[Sale]:
        return [sale for sale in self.sales if not 200 <= sale.status < 300]

    @property
    def lost(self) -> list[Sale]:
        """Acknowledged, and yet without points when patience ended."""
        return [sale for sale in self.accepted if not sale.seen_at]


def plan_sales(plan: Plan, codes: Sequence[str], *, currency: str) -> list[Sale]:
    """The payments of `codes`, the first of whom makes the hot part; the seed decides all."""
    dice = random.Random(plan.seed)  # noqa: S311 - nothing secret hangs on it.
    run = uuid4().hex[:10]
    start = time.perf_counter() + _LEAD
    sales = []
    for number in range(plan.payments):
        is_hot = dice.random() < plan.hot
        ref = f"sim-{run}-{number}"
        body = payment(
            ref=ref,
            amount=str(dice.randint(10, 900)),
            currency=currency,
            at=datetime.now(UTC).replace(microsecond=0),  # noqa: TID251 - a till's own clock.
            member=codes[0] if is_hot else dice.choice(codes),
            method=dice.choice(["octopus", "visa", "cash"]),
        )
        planned_at = start + number / plan.rate
        sales.append(Sale(ref, body, planned_at, message_id=f"{run}-{number}"))
    return sales


def run(plan: Plan, sales: list[Sale], door: Door, database: dict[str, Any]) -> Outcome:
    """Send `sales`, each at its moment, and watch until all have points or patience ends."""
    todo: queue.SimpleQueue[Sale | None] = queue.SimpleQueue()
    dice = random.Random(plan.seed)  # noqa: S311 - nothing secret hangs on it.
    again = {sale.ref for sale in sales if dice.random() < plan.resent}
    for sale in sales:
        todo.put(sale)
    for _ in range(plan.connections):
        todo.put(None)
    done_sending = threading.Event()
    with psycopg.connect(**database, autocommit=True) as connection:
        with ThreadPoolExecutor(plan.connections + 1) as pool:
            look = partial(_refs, connection, _SEEN, door.account_id)
            watching = pool.submit(_watch, sales, look, done_sending, plan.patience)
            end = time.perf_counter() + plan.seconds if plan.is_a_rush else None
            senders = [pool.submit(_send, todo, door, again, end) for _ in range(plan.connections)]
            try:
                for sender in senders:
                    sender.result()
            finally:
                done_sending.set()
            watching.result()
        sent = [sale for sale in sales if sale.sent_at or not plan.is_a_rush]
        refs = [sale.ref for sale in sent]
        return Outcome(sent, _refs(connection, _DOUBLED, door.account_id, refs))


def _send(
    todo: "queue.SimpleQueue[Sale | None]", door: Door, again: set[str], end: float | None
) -> None:
    till = Till(door)
    try:
        while (sale := todo.get()) is not None:
            if end is None:
                time.sleep(max(0.0, sale.planned_at - time.perf_counter()))
            elif time.perf_counter() > end:
                return
            _deliver(till, sale)
            if sale.ref in again and sale.status:
                _deliver_again(till, sale)
    finally:
        till.close()


def _deliver(till: Till, sale: Sale) -> None:
    """As platforms do: no answer, or a server's error, and the same post comes again."""
    for attempt in range(_TRIES):
        try:
            sale.status, sent_at = till.post(sale.body, message_id=sale.message_id)
        except NoAnswer:
            time.sleep(0.05 * attempt)
            continue
        sale.sent_at = sale.sent_at or sent_at
        sale.answered_at = time.perf_counter()
        if sale.status < 500:
            return
        time.sleep(0.05 * attempt)


def _deliver_again(till: Till, sale: Sale) -> None:
    try:
        till.post(sale.body, message_id=sale.message_id)  # The same delivery …
        till.post(sale.body)  # … and the same payment under another delivery key.
    except NoAnswer:
        return  # It was to change nothing, and it did not come.


_SEEN: Final = """
SELECT row.payment_ref FROM payments_transaction AS row
JOIN loyalty_award AS award ON award.transaction_id = row.id
WHERE row.account_id = %s AND row.payment_ref = ANY(%s)
"""

_DOUBLED: Final = """
SELECT row.payment_ref FROM payments_transaction AS row
LEFT JOIN loyalty_award AS award ON award.transaction_id = row.id
LEFT JOIN loyalty_transfer AS transfer ON transfer.award_id = award.id
WHERE row.account_id = %s AND row.payment_ref = ANY(%s)
GROUP BY row.payment_ref HAVING count(*) > 1
"""


def _watch(
    sales: list[Sale],
    look: Callable[[list[str]], list[str]],
    done_sending: threading.Event,
    patience: float,
) -> None:
    """Look for the points of what has been answered; unanswered posts are not looked for yet."""
    waiting = {sale.ref: sale for sale in sales}
    last_news = time.perf_counter()
    while waiting:
        answered = [ref for ref, sale in waiting.items() if sale.answered_at]
        if done_sending.is_set() and not answered:
            return
        seen = look(answered)
        now = time.perf_counter()
        for ref in seen:
            waiting.pop(ref).seen_at = now
        if seen or not done_sending.is_set():
            last_news = now
        elif now - last_news > patience:
            return
        time.sleep(_GLANCE)


def _refs(
    connection: "psycopg.Connection[tuple[Any, ...]]",
    query: LiteralString,
    account_id: int,
    refs: list[str],
) -> list[str]:
    if not refs:
        return []
    return [ref for (ref,) in connection.execute(query, [account_id, refs])]
