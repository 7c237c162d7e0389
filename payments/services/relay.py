"""Relay: genuine posts go on, byte for byte, to the address that heard them before us.

Stored first, then passed on. Either the platform gets our answer at once and the post follows in
the background, until it is taken; or the post is passed on while the platform waits, and it gets
the shop's own answer. Where the shop does not answer in time, the account says what happens then.

Posts that only hint (they prove nothing) and refused ones go no further.
"""

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from kit.bulk import fetch_all, insert_many, update_many
from kit.correspondence import (
    DEAD,
    LEASE,
    Correspondent,
    Tried,
    call,
    note_tries,
    put_off,
    shares,
)
from kit.crypto import CannotDecrypt
from kit.outward import Outgoing, Patience
from kit.switchboard import Exchange, Switchboard
from kit.work import IS_DUE, REPAIR
from payments.models import Relay, RelayAttempt, RelayedPost
from payments.providers.base import Inbound, Outcome, Reply, Verified
from payments.services.accounts import KnownAccount
from payments.services.receive import receive, store, verify
from payments.services.relay_wire import outgoing_post, sealed_post

_PATIENCE: Final = Patience(connect=5.0, total=15.0)
# Platforms give up after five to ten seconds.
_PATIENCE_OF_PLATFORMS: Final = Patience(connect=2.0, total=4.0)
# The platform sends again what was refused, freshly signed; this is for when it does not.
_AFTER_PLATFORM: Final = timedelta(minutes=30)
# Threads of this process that may wait for shops at once; the others go on receiving.
_MOST_WAITING: Final = 2
_SECONDS_FOR_A_PLACE: Final = 1.0
_KEPT: Final = timedelta(days=30)
_KEPT_UNSENT: Final = timedelta(days=90)
_FORGOTTEN_AT_ONCE: Final = 1000
_CONTENT_TYPE: Final = re.compile(r"[\x20-\x7e]{1,200}")

_REFUSED: Final = Reply(503, b"Try again later.\n")

_places = threading.BoundedSemaphore(_MOST_WAITING)

# A resend of the platform brings fresher headers: what was not taken yet goes on with those.
_KEEP: Final = """
INSERT INTO payments_relayedpost AS post
    (account_id, callback_id, received_at, sealed, due_at, attempts, waiting_for, error)
SELECT account_id, id, %(now)s, %(sealed)s, %(due)s, %(attempts)s, '', ''
FROM payments_callback WHERE account_id = %(account)s AND delivery_key = %(key)s
ON CONFLICT (callback_id) DO UPDATE SET
    sealed = CASE WHEN post.taken_at IS NULL THEN excluded.sealed ELSE post.sealed END,
    attempts = post.attempts + excluded.attempts
RETURNING id, attempts
"""

_CLAIM: Final = """
WITH lane (account_id, room) AS (SELECT * FROM unnest(%(accounts)s::bigint[], %(rooms)s::int[])),
picked AS MATERIALIZED (
    SELECT head.id FROM lane CROSS JOIN LATERAL (
        SELECT id FROM payments_relayedpost AS due
        WHERE due.account_id = lane.account_id AND due.due_at <= %(now)s AND due.waiting_for = ''
        ORDER BY due.due_at, due.id LIMIT lane.room
        FOR NO KEY UPDATE OF due SKIP LOCKED
    ) AS head
)
UPDATE payments_relayedpost AS kept SET due_at = %(lease)s, attempts = kept.attempts + 1
FROM picked WHERE kept.id = picked.id
RETURNING kept.id, kept.account_id, kept.attempts, kept.sealed
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    post_id: int
    lane: int  # The account.
    attempts: int
    at: datetime
    outgoing: Outgoing
    patience: Patience = _PATIENCE


def receive_and_relay(account: KnownAccount, inbound: Inbound, *, now: datetime) -> Reply:
    """Receive a post of an account that has a relay; returns what the platform is to be told."""
    verdict = verify(account.provider, inbound, account.keys, now=now)
    if not isinstance(verdict, Verified):
        return account.provider.reply(receive(account, inbound, now=now), account.keys)
    outcome = store(account, inbound, verdict, now=now)
    relay = Relay.objects.filter(account=account.id).first()
    if relay is None:  # Removed within these seconds.
        return account.provider.reply(outcome, account.keys)
    if relay.answers == Relay.Answers.OURS:
        _keep(account, inbound, verdict.delivery_key, due_at=now, now=now)
        return account.provider.reply(outcome, account.keys)
    parcel = _keep_for_now(account, relay, inbound, verdict.delivery_key, now=now)
    tried = _tried_meanwhile(relay, parcel, now=now)
    return _their_reply(tried) or _reply_in_place_of_theirs(account, relay, outcome)


def relay_stored(account: KnownAccount, inbound: Inbound, key: str, *, now: datetime) -> None:
    """A post that was stored after all, once a secret was mended, goes on like any other."""
    if account.relay_id is not None:
        _keep(account, inbound, key, due_at=now, now=now)


def pass_on(*, now: datetime, limit: int) -> int:
    """One turn: note what was answered, pass on what waits."""
    return _BOARD.turn(now=now, limit=limit)


def pass_on_again(posts: QuerySet[RelayedPost], *, now: datetime) -> int:
    """Pass these on once more, with the same bytes, whatever became of them; an address that
    rests is asked at once."""
    asked = posts.order_by().values("account")
    Relay.objects.filter(account__in=asked, rests_until__isnull=False).update(rests_until=None)
    return posts.exclude(sealed=None).update(due_at=now, attempts=0, waiting_for="", error="")


def revive(relay: Relay) -> tuple[str, ...]:
    """Staff mended it: what went before counts no more. Returns the columns that changed, for the
    caller to save."""
    relay.failures, relay.failing_since, relay.rests_until = 0, None, None
    return ("failures", "failing_since", "rests_until")


def forget_relayed(*, now: datetime) -> int:
    """Prune what was taken a month ago, and what nobody took for three."""
    is_waiting_for_nobody = Q(waiting_for=DEAD) | Q(account__relay__is_enabled=False)
    old = RelayedPost.objects.filter(
        Q(due_at__isnull=True, received_at__lt=now - _KEPT)
        | is_waiting_for_nobody & Q(received_at__lt=now - _KEPT_UNSENT)
    )
    total = 0
    while keys := list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE]):
        RelayAttempt.objects.filter(post__in=keys).delete()
        RelayedPost.objects.filter(pk__in=keys).delete()
        total += len(keys)
    return total


# While the platform waits


def _keep(
    account: KnownAccount, inbound: Inbound, key: str, *, due_at: datetime, now: datetime
) -> tuple[int, int]:
    """Note that the stored callback is to go on; returns the post and its tries so far."""
    is_tried_now = due_at > now
    values: dict[str, Any] = {
        "account": account.id,
        "key": key,
        "sealed": sealed_post(inbound),
        "due": due_at,
        "attempts": int(is_tried_now),
        "now": now,
    }
    ((post_id, attempts),) = fetch_all(_KEEP, values)
    return post_id, attempts


def _keep_for_now(
    account: KnownAccount, relay: Relay, inbound: Inbound, key: str, *, now: datetime
) -> Parcel:
    post_id, attempts = _keep(account, inbound, key, due_at=now + LEASE, now=now)
    outgoing = outgoing_post(sealed_post(inbound), url=relay.url)
    return Parcel(post_id, account.id, attempts, now, outgoing, _PATIENCE_OF_PLATFORMS)


def _tried_meanwhile(relay: Relay, parcel: Parcel, *, now: datetime) -> Tried | None:
    """Pass it on while the platform waits; None where it was not tried, for the shop rests, or too
    many wait for shops already."""
    is_resting = relay.rests_until is not None and relay.rests_until > now
    if is_resting or not _places.acquire(timeout=_SECONDS_FOR_A_PLACE):
        _postpone(relay, parcel, now=now)
        return None
    try:
        tried = _call(parcel)
    finally:
        _places.release()
    with transaction.atomic():
        _record([(parcel, tried)], now)
        if not tried.is_good:
            _postpone(relay, parcel, now=now)
    return tried


def _postpone(relay: Relay, parcel: Parcel, *, now: datetime) -> None:
    """What was refused comes again from the platform, before we pass it on by ourselves."""
    wait = _AFTER_PLATFORM if relay.when_down == Relay.WhenDown.REFUSE else timedelta(seconds=5)
    untaken = RelayedPost.objects.filter(pk=parcel.post_id, taken_at=None, waiting_for="")
    untaken.update(due_at=now + wait)


def _their_reply(tried: Tried | None) -> Reply | None:
    """The shop's own answer, good or bad; None if it gave none that could be passed back."""
    if tried is None or tried.answer is None or tried.is_cut:
        return None
    if not 200 <= tried.answer.status < 600:
        return None  # Not the end of an answer, or a number that HTTP does not know.
    kind = tried.answer.headers.get("content-type", "")
    kind = kind if _CONTENT_TYPE.fullmatch(kind) else "text/plain"
    return Reply(tried.answer.status, tried.answer.body, kind)


def _reply_in_place_of_theirs(account: KnownAccount, relay: Relay, outcome: Outcome) -> Reply:
    if relay.when_down == Relay.WhenDown.REFUSE:
        return _REFUSED
    return account.provider.reply(outcome, account.keys)


# In the background


def _claim(busy: Mapping[Any, int], room: int, now: datetime) -> list[Parcel]:
    relays = {row.account_id: row for row in _ready(now)}
    rooms = shares(relays, busy=busy, room=room)
    if not rooms:
        return []
    values = {
        "accounts": list(rooms),
        "rooms": list(rooms.values()),
        "now": now,
        "lease": now + LEASE,
    }
    parcels = []
    for post_id, account_id, attempts, sealed in sorted(fetch_all(_CLAIM, values)):
        try:
            outgoing = outgoing_post(sealed, url=relays[account_id].url)
        except CannotDecrypt as problem:
            RelayedPost.objects.filter(pk=post_id).update(waiting_for=REPAIR, error=problem.kept)
            continue
        parcels.append(Parcel(post_id, account_id, attempts, now, outgoing))
    return parcels


def _ready(now: datetime) -> QuerySet[Relay]:
    due = RelayedPost.objects.filter(IS_DUE, account=OuterRef("account"), due_at__lte=now)
    is_awake = Q(rests_until__isnull=True) | Q(rests_until__lte=now)
    rows = Relay.objects.filter(is_awake, Exists(due), is_enabled=True)
    return rows.order_by(F("last_good_at").asc(nulls_first=True), "pk")


def _call(parcel: Parcel) -> Tried:
    return call(parcel.outgoing, patience=parcel.patience, clock=time.monotonic)


def _record(ended: Sequence[tuple[Parcel, Tried]], now: datetime) -> None:
    keys = sorted(parcel.post_id for parcel, _tried in ended)
    held = RelayedPost.objects.select_for_update(no_key=True).filter(pk__in=keys)
    rows = {row.pk: row for row in held.defer("sealed").order_by("pk")}
    ended = [(parcel, tried) for parcel, tried in ended if parcel.post_id in rows]
    insert_many(
        [
            RelayAttempt(post_id=parcel.post_id, **tried.as_attempt(at=parcel.at))
            for parcel, tried in ended
        ]
    )
    for parcel, tried in ended:
        row = rows[parcel.post_id]
        if tried.is_good:
            row.due_at, row.waiting_for, row.error = None, "", ""
            row.taken_at = row.taken_at or now
        elif row.attempts == parcel.attempts and row.due_at is not None:
            put_off(row, tried, key=f"relay:{row.pk}", now=now)
    update_many(list(rows.values()), ["due_at", "taken_at", "waiting_for", "error"])
    _note_relays(ended, now=now)


def _note_relays(ended: Sequence[tuple[Parcel, Tried]], *, now: datetime) -> None:
    lanes = {parcel.lane for parcel, _tried in ended}
    held = Relay.objects.select_for_update(no_key=True).filter(account__in=lanes)
    rows = list(held.order_by("pk"))
    for row in rows:
        note_tries(row, [t for parcel, t in ended if parcel.lane == row.account_id], now=now)
    update_many(rows, Correspondent.NOTED)


_BOARD: Final = Switchboard(Exchange(name="relay", claim=_claim, call=_call, record=_record))
