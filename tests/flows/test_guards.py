"""The guards bite: each of these fails if the guard that it names is taken away."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from kit.drain import StageBroken
from kit.work import REPAIR
from loyalty.models import Award, Standing
from loyalty.services import settle
from loyalty.services.ledger import open_accounts
from loyalty.services.settle import settle_members
from payments.models import Callback, Rejection, Transaction
from payments.services import linking, translate
from payments.services.linking import link_transactions
from payments.services.translate import translate_callbacks
from tests import build

pytestmark = pytest.mark.django_db(transaction=True)


def later() -> Any:
    return timezone.now() + timedelta(seconds=1)


def beside(work: Callable[[], Any]) -> Any:
    """Run `work` on a connection of its own, as another process would, with little patience."""

    def run() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '3s'")
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=20)


@contextmanager
def halted(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, work: Callable[[], Any]
) -> Iterator[None]:
    """During the block another process does `work` and stands still behind `module.name`, with its
    transaction open; afterwards it goes on to its end."""
    inside, go_on, original = threading.Event(), threading.Event(), getattr(module, name)

    def go() -> None:
        try:
            work()
        finally:
            connection.close()

    other = threading.Thread(target=go)

    def stand_still(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if threading.current_thread() is other:
            inside.set()
            assert go_on.wait(20)
        return result

    monkeypatch.setattr(module, name, stand_still)
    other.start()
    assert inside.wait(20)
    try:
        yield
    finally:
        go_on.set()
        other.join(20)


def test_unique_key_two_web_servers_store_one_delivery_once() -> None:
    target = build.account()
    payment = build.payment("10.00", wallet="w")
    barrier = threading.Barrier(6)

    def deliver() -> int:
        try:
            barrier.wait(20)
            return int(build.send(payment, to=target, message_id="one").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        codes = [future.result() for future in [pool.submit(deliver) for _ in range(6)]]

    assert len(set(codes)) == 1
    assert codes[0] < 300
    assert Callback.objects.count() == 1


def test_skip_locked_a_busy_member_does_not_hold_up_the_others() -> None:
    build.earning_rule()
    mei, bo = build.member(wallet="mei"), build.member(wallet="bo")
    build.send(build.payment("10.00", wallet="mei"))
    build.send(build.payment("20.00", wallet="bo"))
    translate_callbacks(now=later(), limit=10)
    open_accounts([mei.pk, bo.pk])

    with transaction.atomic():
        Standing.objects.select_for_update(no_key=True).get(pk=mei.pk)
        done = beside(lambda: settle_members(now=later(), limit=10))

    assert done == 1
    assert (build.balance_of(mei), build.balance_of(bo)) == (0, 20)


def test_skip_locked_two_roads_translate_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        build.send(build.payment("10.00", ref=f"p{number}"))

    with halted(monkeypatch, translate, "book", lambda: translate_callbacks(now=later(), limit=1)):
        done = beside(lambda: translate_callbacks(now=later(), limit=1))

    assert done == 1
    assert Transaction.objects.count() == 2


def test_member_lock_two_roads_never_settle_one_member_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build.earning_rule()
    mei = build.member(wallet="mei")
    for amount in ("10.00", "20.00"):
        build.send(build.payment(amount, wallet="mei"))
    translate_callbacks(now=later(), limit=10)

    with halted(monkeypatch, settle, "rule_on", lambda: settle_members(now=later(), limit=10)):
        done = beside(lambda: settle_members(now=later(), limit=10))

    assert done == 0
    assert Award.objects.count() == 2
    assert build.balance_of(mei) == 30


def test_watermark_settling_waits_for_posts_that_came_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build.earning_rule()
    build.member(wallet="mei")
    for ref in ("first", "second"):
        build.send(build.payment("10.00", wallet="mei", ref=ref))

    with halted(monkeypatch, translate, "book", lambda: translate_callbacks(now=later(), limit=1)):
        beside(lambda: translate_callbacks(now=later(), limit=1))
        too_early = beside(lambda: settle_members(now=later(), limit=10))
    settle_members(now=later(), limit=10)

    assert too_early == 0
    settled = Award.objects.order_by("id").values_list("transaction__payment_ref", flat=True)
    assert list(settled) == ["first", "second"]


def test_a_forged_post_with_a_real_delivery_id_does_not_block_the_real_one() -> None:
    payment = build.payment("10.00")

    forged = build.send(
        payment, message_id="real", secret="whsec_Zm9yZ2VkIGZvcmdlZCBmb3JnZWQgZm9yZ2Vk"
    )
    real = build.send(payment, message_id="real")

    assert (forged.status_code, Rejection.objects.get().reason) == (400, "bad_signature")
    assert real.status_code < 300
    assert Callback.objects.get().delivery_key == "real"


def test_a_bug_that_fails_every_row_leaves_no_row_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    build.earning_rule()
    for number in range(30):
        build.member(wallet=f"w{number}")
        build.send(build.payment("10.00", wallet=f"w{number}"))
    translate_callbacks(now=later(), limit=100)

    def broken(*_: Any) -> Any:
        raise KeyError("our bug")

    monkeypatch.setattr(settle, "rule_on", broken)
    with pytest.raises(StageBroken):
        settle_members(now=later(), limit=100)

    rows = set(Transaction.objects.values_list("waiting_for", "error", "attempts"))
    assert rows == {("", "", 0)}
    monkeypatch.undo()
    assert settle_members(now=later(), limit=100) == 30


def test_one_bad_row_is_parked_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    build.earning_rule()
    for number in range(8):
        build.member(wallet=f"w{number}")
        build.send(build.payment("10.00", wallet=f"w{number}", ref=f"p{number}"))
    translate_callbacks(now=later(), limit=100)
    original = vars(settle)["rule_on"]

    def choosy(case: Any, docket: Any) -> Any:
        if case.row.payment_ref == "p5":
            raise ValueError("bad row")
        return original(case, docket)

    monkeypatch.setattr(settle, "rule_on", choosy)
    done = settle_members(now=later(), limit=100)

    assert done == 7
    parked = Transaction.objects.get(waiting_for=REPAIR)
    unforeseen = "Something unforeseen happened; the server's log says more: bad row"
    assert (parked.payment_ref, parked.shown_error) == ("p5", unforeseen)


def test_a_lost_connection_in_mid_batch_leaves_no_row_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build.earning_rule()
    mei = build.member(wallet="mei")
    build.send(build.payment("10.00", wallet="mei"))
    translate_callbacks(now=later(), limit=10)
    original = vars(settle)["rule_on"]

    def cut_off(case: Any, docket: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (mine,) = cursor.fetchone()
        beside(lambda: terminate(mine))
        return original(case, docket)

    monkeypatch.setattr(settle, "rule_on", cut_off)
    with pytest.raises(Exception, match=r"terminat|closed"):
        beside(lambda: settle_members(now=later(), limit=10))
    monkeypatch.undo()

    row = Transaction.objects.get()
    assert (row.waiting_for, row.error, row.attempts, Award.objects.count()) == ("", "", 0, 0)
    assert settle_members(now=later(), limit=10) == 1
    assert build.balance_of(mei) == 10


def terminate(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_payment_lock_a_refund_booked_while_its_payment_is_linked_finds_the_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build.earning_rule()
    mei = build.member()
    build.send(build.payment("10.00", wallet="w", ref="p1"))
    translate_callbacks(now=later(), limit=10)
    build.send(build.refund("p1", "4.00"))

    with halted(
        monkeypatch,
        linking,
        "match_waiting",
        lambda: link_transactions(Transaction.objects.all(), mei, now=later()),
    ):
        other = threading.Thread(
            target=lambda: beside(lambda: translate_callbacks(now=later(), limit=10))
        )
        other.start()
        other.join(0.5)
    other.join(20)
    settle_members(now=later(), limit=10)

    assert build.balance_of(mei) == 6
