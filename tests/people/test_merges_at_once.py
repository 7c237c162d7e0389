"""Merging and parting while payments are settled by several at once: nothing lost, no deadlock."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.services.react import react_to_events
from loyalty.services.expire import expire_lots
from loyalty.services.settle import settle_members
from members.models import Member
from members.services.merging import CannotMerge
from payments.models import Transaction
from tests import build
from tests.people.cast import books_are_clean, merge, pay, settle, stand_of, take, unmerge

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENTS = 30


def later() -> Any:
    return timezone.now() + timedelta(seconds=1)


def in_thread(work: Any) -> Any:
    def run() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'")
            return work()
        finally:
            connection.close()

    return run


def road(stop: threading.Event) -> None:
    while not stop.is_set():
        settle_members(now=later(), limit=500)
        react_to_events(now=later(), limit=500)
        expire_lots(now=later())


def buy() -> None:
    for number in range(PAYMENTS):
        for wallet in "ab":
            ref = pay(wallet, "10", ref=f"{wallet}{number}", now=timezone.now())
            if number % 3 == 0:
                take(ref, "4", now=timezone.now())


def toggle(one: Member, other: Member) -> int:
    """Merge and part them, each into the other in turn; another thread may have been faster."""
    done = 0
    for number in range(8):
        pair = (one, other) if number % 2 else (other, one)
        with suppress(CannotMerge):
            merge(*pair, now=timezone.now())
            unmerge(pair[0], now=timezone.now())
            done += 1
    return done


def test_payments_go_on_while_two_are_merged_and_parted_again_and_again() -> None:
    build.programme()
    build.earning_rule()
    mei, double = build.member(wallet="a"), build.member(wallet="b")
    stop = threading.Event()

    with ThreadPoolExecutor(5) as pool:
        roads = [pool.submit(in_thread(partial(road, stop))) for _ in range(2)]
        buying = pool.submit(in_thread(buy))
        merging = [pool.submit(in_thread(partial(toggle, double, mei))) for _ in range(2)]
        buying.result(timeout=240)
        merged = sum(each.result(timeout=240) for each in merging)
        stop.set()
        for each in roads:
            each.result(timeout=60)
    for member in Member.objects.exclude(merged_into=None):
        unmerge(member, now=timezone.now())
    settle(later())

    assert merged > 0
    assert not Transaction.objects.exclude(due_at=None).exists()
    left = PAYMENTS * 10 - PAYMENTS // 3 * 4
    for member in (mei, double):
        stand = stand_of(member)
        assert (stand.balance, int(stand.spend), stand.payments) == (left, left, PAYMENTS)
    assert books_are_clean()
