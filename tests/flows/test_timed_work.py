"""Timed work, through the broker: beat's tasks reach a worker, and survive the worker's death."""

import random
from pathlib import Path

import pytest

from tests.flows.installation import Installation

SET_UP = """
import json
from django.utils import timezone
from members.models import Identity
from members.services.identities import (hash_of)
from payments.services.booking import Entry, book
from payments.providers.base import Clue, Kind, Notice
from kit.money import Money
from decimal import Decimal
from django.db import transaction
from tests import build

build.programme()
now = timezone.now()
notice = Notice(
    kind=Kind.PAYMENT, payment_ref="p1", effect_ref="p1", amount=Money(Decimal(10), "HKD"),
    occurred_at=now, clues=(Clue("wallet", "mei"),),
)
with transaction.atomic():
    book([Entry(notice, build.account().pk, "api", now)])
# She becomes known on a way that does not look for earlier payments.
Identity.objects.create(member=build.member(), kind="wallet", hash=hash_of("wallet", "mei"))
print(json.dumps(None))
"""
SEND = """
import json
from payments.tasks import match_waiting
match_waiting.delay()
print(json.dumps(None))
"""
LINKED = """
import json
from payments.models import Transaction
print(json.dumps(Transaction.objects.exclude(member=None).count()))
"""


@pytest.mark.processes
def test_a_task_is_done_though_its_worker_is_killed(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    try:
        installation.start()
        installation.ask(SET_UP)
        assert installation.kill("worker", random.Random(1))
        installation.ask(SEND)
        for _ in range(60):
            if linked := installation.ask(LINKED):
                break
    finally:
        installation.stop()

    assert linked == 1
