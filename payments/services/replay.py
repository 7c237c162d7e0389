"""Replay: a stored post goes down the road once more. What is booked already stays as it is."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from kit.work import release
from payments.models import Callback, Rejection
from payments.providers.base import Outcome, Verified
from payments.services.accounts import forget_accounts, known_accounts
from payments.services.bodies import unseal
from payments.services.receive import store, verify
from payments.services.relay import relay_stored
from payments.services.retention import with_body


def replay_callbacks(callbacks: QuerySet[Callback], *, now: datetime) -> tuple[int, int]:
    """Translate stored posts again, after a mended bug, say.

    Returns how many will be, and how many cannot: their content was deleted in the meantime.
    """
    asked = callbacks.order_by().count()
    # By their keys: a query of the admin may carry joins, with which nothing can be updated.
    readable = Callback.objects.filter(pk__in=with_body(callbacks).order_by().values("pk"))
    replayed = release(readable, at=now)
    return replayed, asked - replayed


def replay_rejections(rejections: QuerySet[Rejection]) -> tuple[int, int]:
    """Verify refused posts with the keys of today, as of the moment when they came in.

    Returns how many are genuine after all (they are stored and due), and how many still are not.
    """
    accepted = refused = 0
    forget_accounts()  # The keys of this moment: one was mended just now, perhaps elsewhere.
    for rejection in rejections:
        verdict = _verify_again(rejection)
        if verdict in {Outcome.ACCEPTED, Outcome.DUPLICATE}:
            rejection.delete()
            accepted += 1
        else:
            refused += 1
    return accepted, refused


def _verify_again(rejection: Rejection) -> Outcome:
    if rejection.sealed is None:
        return Outcome.REFUSED
    account = known_accounts([rejection.account_id])[rejection.account_id]
    inbound = unseal(rejection.sealed)
    verdict = verify(account.provider, inbound, account.keys, now=rejection.received_at)
    if not isinstance(verdict, Verified):
        return Outcome.REFUSED  # A hint comes again by itself, or staff ask the platform.
    with transaction.atomic():
        outcome = store(account, inbound, verdict, now=rejection.received_at)
        relay_stored(account, inbound, verdict.delivery_key, now=rejection.received_at)
    return outcome
