"""Coupons come back the same whatever comes first, however many at once and beside whom."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyalty.models import CouponUse
from loyalty.refusals import AlreadyUsed
from loyalty.services.coupons import cancel_use
from loyalty.services.settle import settle_members
from members.models import Event, Member
from members.services.announcing import forget_listeners
from payments.services.translate import translate_callbacks
from tests import build
from tests.flows.purchases import back, coupon, dispute, drain, pay, redeem, standing
from tests.flows.test_guards import later

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme()
    build.earning_rule()


def story(members: Sequence[Member], seed: int) -> tuple[list[dict[str, Any]], list[bool]]:
    """Posts of an order of each member, shuffled, some of them twice; and of each order whether
    refunds left nothing of it. Where an order has two payments, they come before its refunds."""
    chance = random.Random(seed)
    first: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    is_back = []
    for number, member in enumerate(members):
        amounts = chance.choice([["88.00"], ["60.00", "28.00"]])
        is_back.append(True)
        for place, amount in enumerate(amounts):
            ref, said = f"p{number}.{place}", {"member": member.code, "order_ref": f"A-{number}"}
            payment = build.payment(amount, ref=ref, **said)
            (first if len(amounts) > 1 else rest).append(payment)
            told, is_full = _fate(ref, Decimal(amount), chance)
            rest += told
            is_back[-1] &= is_full
    chance.shuffle(rest)
    told = first + rest
    return told + chance.sample(told, len(told) // 3), is_back


def _fate(ref: str, amount: Decimal, chance: random.Random) -> tuple[list[dict[str, Any]], bool]:
    part = Decimal("9.99")
    halves = [build.refund(ref, str(part)), build.refund(ref, str(amount - part))]
    disputed = [dispute("created", ref, str(amount), ref=f"d{ref}")]
    return chance.choice(
        [
            ([build.refund(ref, str(amount))], True),
            (halves, True),
            (halves[:1], False),
            (disputed, False),
            ([], False),
        ]
    )


def booked() -> tuple[list[Any], list[Any]]:
    uses = CouponUse.objects.filter(refund__isnull=False).order_by("order_ref")
    events = Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).order_by("member")
    return (
        list(uses.values_list("order_ref", "number")),
        list(events.values_list("member", "details__coupon")),
    )


@pytest.mark.parametrize("limit", [1, 7, 500])
@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_batch_size_give_the_same_coupons_back(seed: int, limit: int) -> None:
    members = [build.member() for _ in range(12)]
    held = [coupon(member) for member in members]
    for number, one in enumerate(held):
        redeem(one, f"A-{number}")
    told, is_back = story(members, seed)

    for number, payload in enumerate(told):
        build.send(payload)
        if limit == 7 and number % 5 == 0:  # As well as all at once.
            drain(limit)
    drain(limit)

    assert [standing(one) == [] for one in held] == is_back
    assert len(booked()[0]) == len(booked()[1]) == sum(is_back)
    assert CouponUse.objects.count() == len(held)


def test_a_payment_that_comes_after_the_refund_is_not_waited_for_in_small_batches_either() -> None:
    mei = build.member()
    found = []
    for limit in (1, 500):
        held, ref = coupon(mei), f"A-{limit}"
        redeem(held, ref)
        back(f"card{limit}", "60.00")
        pay(mei, f"card{limit}", "60.00", order_ref=ref)
        pay(mei, f"cash{limit}", "28.00", order_ref=ref)
        drain(limit)
        found.append(standing(held))

    assert found == [[], []]


def queries_to_settle(number: int, name: str, *, refund: str, has_order: bool) -> int:
    """Of one batch with a refund of so many members, each of a purchase with a coupon."""
    for place in range(number):
        mei, ref = build.member(), f"{name}-{place}"
        order = ref if has_order else ""
        redeem(coupon(mei), order)
        pay(mei, ref, order_ref=order)
    drain()
    for place in range(number):
        back(f"{name}-{place}", refund)
    translate_callbacks(now=later(), limit=500)
    forget_listeners()
    with CaptureQueriesContext(connection) as found:
        assert settle_members(now=later(), limit=500) == number
    return len(found)


@pytest.mark.parametrize(("is_on", "more"), [(True, 7), (False, 0)])
def test_refunds_in_full_take_a_fixed_number_of_queries_more_and_all_others_none(
    is_on: bool, more: int
) -> None:
    build.programme(returns_coupons=is_on)
    part = queries_to_settle(3, "A", refund="87.00", has_order=True)
    part_without = queries_to_settle(3, "B", refund="87.00", has_order=False)
    without = queries_to_settle(3, "C", refund="88.00", has_order=False)

    one = queries_to_settle(1, "D", refund="88.00", has_order=True)
    ten = queries_to_settle(10, "E", refund="88.00", has_order=True)

    assert part == part_without
    assert (one, ten) == (without + more, without + more)


# At once


def at_once(*works: Callable[[], None]) -> list[BaseException]:
    """Each on a connection of its own, all from the same moment; returns what they raised."""
    barrier, problems = threading.Barrier(len(works)), list[BaseException]()

    def run_one(work: Callable[[], None]) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '10s'")
            barrier.wait()
            work()
        except BaseException as problem:  # noqa: BLE001 - the test itself tells of it.
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run_one, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


@pytest.mark.django_db(transaction=True)
def test_two_roads_and_a_till_at_once_give_it_back_once_and_redeem_it_once() -> None:
    members = [build.member() for _ in range(6)]
    held = [coupon(member) for member in members]
    for number, (member, one) in enumerate(zip(members, held, strict=True)):
        redeem(one, f"A-{number}")
        pay(member, f"p{number}", order_ref=f"A-{number}")
    drain()
    for number in range(6):
        back(f"p{number}")

    def sell_again() -> None:
        waiting = list(held)
        for _ in range(3000):
            one = waiting.pop(0)
            try:
                redeem(one, "AGAIN")
            except AlreadyUsed:
                waiting.append(one)
            if not waiting:
                break

    problems = at_once(drain, lambda: drain(1), sell_again)
    drain()

    assert problems == []
    assert [standing(one) for one in held] == [[2]] * 6
    assert Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).count() == 6


@pytest.mark.django_db(transaction=True)
def test_settling_waits_for_a_till_that_is_taking_the_same_use_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mei = build.member()
    held = coupon(mei)
    use = redeem(held)
    pay(mei)
    drain()
    back()
    translate_callbacks(now=later(), limit=500)
    is_held = threading.Event()

    def take_back_slowly() -> None:
        with transaction.atomic():
            cancel_use(use, now=timezone.now())
            is_held.set()
            time.sleep(0.5)

    def settle_beside() -> None:
        is_held.wait()
        settle_members(now=later(), limit=500)

    problems = at_once(take_back_slowly, settle_beside)

    assert problems == []
    assert "fails" not in caplog.text  # No batch had to be tried again.
    assert held.uses.get().refund is None
    assert Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).count() == 1
