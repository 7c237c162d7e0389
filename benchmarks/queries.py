"""The number of queries of a round does not depend on how many members it settles."""

from datetime import datetime, timedelta
from itertools import islice
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.merchant import Merchant
from benchmarks.report import Result
from campaigns.services.react import react_to_events
from config.simulation.till import payment
from loyalty.services.settle import settle_members
from members.models import Member
from payments.providers.base import Inbound, Verified
from payments.services.accounts import known_accounts
from payments.services.receive import store
from payments.services.translate import translate_callbacks

_SIZES = (1, 5, 50, 500)
_STAGES = (translate_callbacks, settle_members, react_to_events)


def measure(merchant: Merchant) -> Result:
    members = iter(merchant.members)
    _count(merchant, list(islice(members, 3)))  # Rule versions are read once in a process.
    counts = {size: _count(merchant, list(islice(members, size))) for size in _SIZES}
    figures = {
        f"{stage.__name__}, {size} members": float(counted)
        for size, row in counts.items()
        for stage, counted in zip(_STAGES, row, strict=True)
    }
    is_met = len({tuple(row) for row in counts.values()}) == 1
    return Result("queries of a round", figures, "the same from 1 to 500 members", is_met=is_met)


def _count(merchant: Merchant, members: list[Member]) -> list[int]:
    now = timezone.now()
    for member in members:
        _store(merchant, member.code, now=now)
    counted = []
    for stage in _STAGES:
        with CaptureQueriesContext(connection) as queries:
            stage(now=now + timedelta(seconds=1), limit=500)
        counted.append(len(queries))
    return counted


def _store(merchant: Merchant, code: str, *, now: datetime) -> None:
    key = uuid4().hex
    goods = {"sku": "sku-1", "quantity": "1", "amount": "88", "category": "c1"}
    body = payment(ref=key, amount="88", currency="HKD", at=now, member=code, lines=[goods])
    post = Inbound("POST", merchant.path, {"webhook-id": key}, body)
    account = known_accounts([merchant.account.pk])[merchant.account.pk]
    store(account, post, Verified(key), now=now)
