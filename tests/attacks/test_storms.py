"""Two people, or two processes, do things to one member in the same moment."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from loyalty.models import Standing
from loyalty.services import standings
from loyalty.services.books import verify_books
from loyalty.services.ledger import open_accounts
from loyalty.services.settle import settle_members
from payments.models import Transaction
from payments.services import booking
from payments.services.linking import link_transactions, match_all_waiting
from payments.services.sales import book_sales
from tests import build
from tests.attacks.test_books_attacked import notice

pytestmark = pytest.mark.django_db(transaction=True)
NOW = build.NOON


@pytest.fixture(autouse=True)
def _books_are_right() -> Iterator[None]:
    yield
    assert [found for found in verify_books() if not found.is_clean] == []


class Aside(threading.Thread):
    """Work on a connection of its own; join() raises what it raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work = work
        self.problem: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test is told.
            self.problem = problem
        finally:
            connections.close_all()

    def join(self, timeout: float | None = 20) -> None:
        super().join(timeout)
        if self.problem:
            raise self.problem


def settle() -> None:
    while settle_members(now=NOW + timedelta(seconds=1), limit=500):
        pass


@pytest.mark.parametrize("link", ["by hand", "by all known signs"])
def test_a_refund_that_comes_while_its_payment_is_linked_follows_it(
    link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.earning_rule()
    account = build.account()
    book_sales([notice("p", "100")], account=account, source="api", now=NOW)
    payment = Transaction.objects.get()
    mei = build.member(wallet="" if link == "by hand" else "w")
    looked, linked = threading.Event(), threading.Event()
    attach = booking._attach

    def attach_slowly(*args: Any) -> None:
        attach(*args)
        looked.set()
        linked.wait(1)

    monkeypatch.setattr(booking, "_attach", attach_slowly)
    refund = notice("r", "40", of="p")
    aside = Aside(lambda: book_sales([refund], account=account, source="api", now=NOW) and None)
    assert looked.wait(5)
    if link == "by hand":
        link_transactions([payment], mei, now=NOW)
    else:
        match_all_waiting()
    linked.set()
    aside.join()
    match_all_waiting()
    settle()

    assert build.balance_of(mei) == 60
    assert Transaction.objects.exclude(waiting_for="").count() == 0


def test_who_meets_a_merge_on_the_way_gives_back_the_lock_that_is_not_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mei, double = build.member(wallet="w"), build.member(wallet="v")
    open_accounts([mei.pk, double.pk])
    answers = iter([double.pk, mei.pk])  # They are parted between the look and the lock.
    monkeypatch.setattr(standings, "persons_of", lambda _asked: {mei.pk: next(answers, mei.pk)})

    def lock_the_other() -> None:
        with transaction.atomic():
            Standing.objects.select_for_update(nowait=True).get(pk=double.pk)

    with transaction.atomic():
        held = standings.hold_person(mei.pk)
        Aside(lock_the_other).join()

    assert held.pk == mei.pk
