"""Receive: verify a post on its raw bytes, store it, acknowledge it. Nothing else happens here."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F

from kit.ids import uuid7
from kit.said import said
from kit.untrusted import storable
from payments.models import Account, Callback, CallbackBody, Conflict, Rejection
from payments.providers.base import (
    Hint,
    Inbound,
    Keys,
    MalformedPayload,
    Outcome,
    Provider,
    Reason,
    Rejected,
    Verified,
)
from payments.services.accounts import KnownAccount
from payments.services.bodies import seal, unseal
from payments.services.hints import take_hint

LARGEST_BODY: Final = 1024 * 1024
# A refused post is kept for a replay after mending a secret, if it is not larger than this.
_LARGEST_KEPT_REFUSAL: Final = 64 * 1024
_LONGEST_KEY: Final = 200

_INSERT: Final = """
WITH callback AS (
    INSERT INTO payments_callback
        (id, account_id, delivery_key, body_hash, received_at, outcome,
         due_at, attempts, waiting_for, error)
    VALUES (%(id)s, %(account)s, %(key)s, %(hash)s, %(now)s, '', %(now)s, 0, '', '')
    ON CONFLICT (account_id, delivery_key) DO NOTHING
    RETURNING id, received_at
)
INSERT INTO payments_callbackbody (callback_id, received_at, sealed)
SELECT id, received_at, %(sealed)s FROM callback
"""

_COUNT: Final = """
INSERT INTO payments_rejectioncount (account_id, minute, reason, posts)
VALUES (%s, date_trunc('minute', %s::timestamptz), %s, 1)
ON CONFLICT (account_id, minute, reason)
DO UPDATE SET posts = payments_rejectioncount.posts + 1
"""


def receive(account: KnownAccount, inbound: Inbound, *, now: datetime) -> Outcome:
    """What the platform is to be told; a genuine post is stored before this returns."""
    verdict = verify(account.provider, inbound, account.keys, now=now)
    if isinstance(verdict, Hint):
        return _take(account, inbound, verdict, now=now)
    if isinstance(verdict, Rejected):
        refuse(account.id, inbound, verdict, now=now)
        return Outcome.REFUSED
    return store(account, inbound, verdict, now=now)


def verify(
    provider: Provider, inbound: Inbound, keys: Keys, *, now: datetime
) -> Verified | Rejected | Hint:
    """The provider's verdict, if what it calls the delivery's key is one that we can keep."""
    verdict = provider.verify(inbound, keys, now)
    if isinstance(verdict, Verified):
        key = verdict.delivery_key
        if len(key) > _LONGEST_KEY or key != storable(key):
            return Rejected(
                Reason.MALFORMED, said("The delivery key is too long, or no plain text.")
            )
    return verdict


def _take(account: KnownAccount, inbound: Inbound, hint: Hint, *, now: datetime) -> Outcome:
    """A hint is no fact: it is a reason to ask the platform, unless there are too many of them."""
    refusal = take_hint(account, hint, now=now)
    if refusal is None:
        return Outcome.ACCEPTED
    refuse(account.id, inbound, refusal, now=now)
    return Outcome.REFUSED


def store(
    account: KnownAccount, inbound: Inbound, verified: Verified, *, now: datetime
) -> Outcome:
    """Insert once for each delivery key; one statement, so one round trip and one commit."""
    digest = hashlib.sha256(inbound.body).digest()
    values: dict[str, Any] = {
        "id": uuid7(),
        "account": account.id,
        "key": verified.delivery_key,
        "hash": digest,
        "now": now,
        "sealed": seal(inbound),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        if cursor.rowcount == 1:
            return Outcome.ACCEPTED
    first = Callback.objects.get(account_id=account.id, delivery_key=verified.delivery_key)
    if bytes(first.body_hash) != digest and not _says_the_same(first, account, inbound):
        is_kept = first.conflict_set.count() < Conflict.MOST_KEPT
        sealed = seal(inbound) if is_kept else None
        Conflict.objects.bulk_create(
            [Conflict(callback=first, body_hash=digest, sealed=sealed, received_at=now)],
            ignore_conflicts=True,
        )
    return Outcome.DUPLICATE


def refuse(account_id: int, inbound: Inbound, rejected: Rejected, *, now: datetime) -> None:
    """Keep a sample in the account's ring, and count."""
    keep = len(inbound.body) <= _LARGEST_KEPT_REFUSAL
    with transaction.atomic():
        Account.objects.filter(pk=account_id).update(refused=F("refused") + 1)
        refused = Account.objects.values_list("refused", flat=True).get(pk=account_id)
        Rejection.objects.update_or_create(
            account_id=account_id,
            slot=refused % Rejection.RING,
            defaults={
                "received_at": now,
                "reason": rejected.reason,
                "detail": storable(rejected.detail[:300]),
                "sealed": seal(inbound) if keep else None,
            },
        )
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [account_id, now, rejected.reason])


def _says_the_same(first: Callback, account: KnownAccount, inbound: Inbound) -> bool:
    """Whether a resend with other bytes (a new time stamp, say) means what the first one did."""
    body = CallbackBody.objects.filter(callback_id=first.pk, received_at=first.received_at).first()
    if body is None:
        return False
    try:
        read, keys = account.provider.read, account.keys
        before = unseal(body.sealed, received_at=first.received_at)
        return read(before, keys) == read(replace(inbound, received_at=first.received_at), keys)
    except MalformedPayload:
        return False
