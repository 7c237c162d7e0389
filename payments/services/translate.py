"""Translate: genuine posts become transactions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.db.models.expressions import RawSQL

from kit.bulk import fetch_all, is_any_of
from kit.drain import Queue, drain
from kit.work import note_failure
from members.models import Member
from members.services.identities import clue_of, members_by_clue, members_by_code
from payments.models import Callback, Transaction
from payments.providers.base import Ignored, Kind, MalformedPayload, Notice
from payments.services.accounts import KnownAccount, known_accounts
from payments.services.bodies import unseal
from payments.services.booking import Booked, Entry, book, unmatched
from payments.services.conflicts import CONFLICT, record_conflicts
from payments.services.linking import link_transactions

# Settling waits for posts that came earlier, but not for longer than this.
_PATIENCE: Final = timedelta(seconds=30)

BOOKED: Final = "booked"
# Booked, and it earns; but without a store, for it names one that nobody knows.
UNKNOWN_STORE: Final = "booked:unknown_store"

_TRANSLATED_UNTIL: Final = """
SELECT coalesce(min(due_at), 'infinity') FROM payments_callback
WHERE due_at > %s AND waiting_for = '' AND attempts = 0
"""


def translate_callbacks(*, now: datetime, limit: int) -> int:
    return drain(_QUEUE, now=now, limit=limit)


def translated_until(*, now: datetime) -> RawSQL:
    """The instant before which every post received is translated, as a part of a query.

    Settling keeps to it, so that a member's payments are settled in the order in which they came
    in, however many processes translate.
    """
    return RawSQL(_TRANSLATED_UNTIL, [now - _PATIENCE])  # noqa: S611 - a constant


@dataclass(frozen=True, slots=True)
class _Post:
    """A callback with its bytes; `sealed` is None once they were pruned. `outcome`: what became
    of it, if it was read before."""

    id: UUID
    account_id: int
    received_at: datetime
    outcome: str | None
    sealed: bytes | None = field(repr=False)


_DUE: Final = """
SELECT callback.id, callback.account_id, callback.received_at, callback.outcome, body.sealed
FROM payments_callback AS callback
LEFT JOIN payments_callbackbody AS body
    ON body.callback_id = callback.id AND body.received_at = callback.received_at
WHERE callback.due_at <= %(now)s AND callback.waiting_for = '' {more}
ORDER BY callback.due_at, callback.id
LIMIT %(limit)s FOR UPDATE OF callback SKIP LOCKED
"""


def _claim(limit: int, now: datetime) -> Sequence[_Post]:
    rows = fetch_all(_DUE.format(more=""), {"now": now, "limit": limit})
    return [_Post(*row) for row in rows]


def _reclaim(keys: Sequence[_Post], now: datetime) -> Sequence[_Post]:
    ours = _DUE.format(more="AND callback.id = ANY(%(ids)s)")
    ids = [post.id for post in keys]
    rows = fetch_all(ours, {"now": now, "limit": len(ids), "ids": ids})
    return [_Post(*row) for row in rows]


def _translate(posts: Sequence[_Post], now: datetime) -> int:
    """One batch, whatever its size, in a fixed number of queries."""
    accounts = known_accounts(post.account_id for post in posts)
    entries: list[Entry] = []
    read: list[_Post] = []
    outcomes: dict[str, list[UUID]] = defaultdict(list)
    for post in posts:
        account = accounts[post.account_id]
        reading = _read(post, account)
        if isinstance(reading, MalformedPayload):
            _park(post, str(reading), 1)
        elif isinstance(reading, Ignored):
            outcomes[f"ignored:{reading.reason}"].append(post.id)
        else:
            entries += [_entry(post, notice, account) for notice in reading]
            read.append(post)
    booked = book(entries)
    storeless = {entry.callback_id for entry in booked.storeless}
    for post in read:
        is_strange = post.id in storeless or post.outcome == UNKNOWN_STORE
        outcomes[UNKNOWN_STORE if is_strange else BOOKED].append(post.id)
    for outcome, done in outcomes.items():
        Callback.objects.filter(is_any_of("pk", done)).update(
            outcome=outcome[:60], due_at=None, attempts=0, waiting_for="", error=""
        )
    _set_conflicts_apart(booked)
    _name_payers(booked.known)
    return len(posts)


def _read(post: _Post, account: KnownAccount) -> list[Notice] | Ignored | MalformedPayload:
    if post.sealed is None:
        return MalformedPayload("The body was pruned; it cannot be read again.")
    try:
        inbound = unseal(post.sealed, received_at=post.received_at)
        return account.provider.read(inbound, account.keys)
    except MalformedPayload as problem:
        return problem


def _entry(post: _Post, notice: Notice, account: KnownAccount) -> Entry:
    return Entry(
        notice=notice,
        account_id=post.account_id,
        source=Transaction.Source.CALLBACK,
        received_at=post.received_at,
        callback_id=post.id,
        store_id=account.store_id,
        order_wait=account.order_wait,
        phone_country=account.phone_country,
    )


def _set_conflicts_apart(booked: Booked) -> None:
    """The same effect with another amount: the first one stands, and staff see the second."""
    if not booked.conflicting:
        return
    Callback.objects.filter(pk__in=record_conflicts(booked.conflicting)).update(
        outcome=CONFLICT, due_at=F("received_at"), waiting_for=CONFLICT
    )


def _name_payers(known: Sequence[Entry]) -> None:
    """A platform may tell of a payment twice, and only the second time say whose it is."""
    telling = {
        entry.effect_key[:2]: entry
        for entry in known
        if entry.notice.kind == Kind.PAYMENT and (entry.notice.member_code or entry.notice.clues)
    }
    if not telling:
        return
    waiting = Transaction.objects.filter(
        unmatched(),
        kind=Kind.PAYMENT,
        account_id__in={account_id for account_id, _ref in telling},
        payment_ref__in={ref for _account_id, ref in telling},
    )
    for row in waiting.order_by("pk"):
        entry = telling.get((row.account_id, row.payment_ref))
        member = _named_by(entry) if entry else None
        if entry and member:
            link_transactions([row], member, now=entry.received_at)


def _named_by(entry: Entry) -> Member | None:
    notice, country = entry.notice, entry.phone_country
    named = set(members_by_code([notice.member_code]).values())
    if not named:
        clues = [clue_of(clue.kind, clue.value, country=country) for clue in notice.clues]
        named = set(members_by_clue(clues).values())
    return Member.objects.get(pk=named.pop()) if len(named) == 1 else None


def _park(post: _Post, error: str, tries: int) -> None:
    note_failure(Callback.objects.filter(pk=post.id), error, tries=tries)


_QUEUE: Final = Queue(
    name="translate", claim=_claim, reclaim=_reclaim, work=_translate, park=_park
)
