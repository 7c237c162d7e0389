"""A purchase is refunded in full: the coupon that was used in it can be used again."""

import random
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.pipeline import STAGES, run
from loyalty.models import Coupon, CouponUse
from loyalty.refusals import AlreadyUsed, CouponRefused
from loyalty.services.coupons import cancel_use, redeem_coupon
from loyalty.services.settle import settle_members
from members.announcing import forget_listeners
from members.models import Delivery, Event, Member
from payments.models import Transaction
from payments.services.translate import translate_callbacks
from tests import build
from tests.api import till
from tests.api.conftest import caller
from tests.flows.test_guards import later
from tests.people.cast import merge
from tests.webhooks.hearing import endpoint

pytestmark = pytest.mark.django_db

POINTS = tuple(stage for stage in STAGES if stage.part == "points")


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme()
    build.earning_rule()


def coupon(holder: Member, **options: Any) -> Coupon:
    return till.coupon(till.coupon_type(**options), holder=holder, now=timezone.now())


def redeem(held: Coupon, order_ref: str = "A-1", **given: Any) -> CouponUse:
    options = {"bill": None, "store": None, "now": timezone.now(), **given}
    return redeem_coupon(held.code, order_ref=order_ref, **options)


def pay(holder: Member, ref: str = "p1", amount: str = "88.00", **given: Any) -> None:
    said = {"order_ref": "A-1", "member": holder.code, **given}
    build.send(build.payment(amount, ref=ref, **said))


def back(of: str = "p1", amount: str = "88.00", **given: Any) -> None:
    build.send(build.refund(of, amount, **given))


def dispute(what: str, of: str = "p1", amount: str = "88.00", ref: str = "d1") -> dict[str, Any]:
    payload = build.refund(of, amount)
    payload["data"]["chargeback_ref"] = ref
    return {"type": f"chargeback.{what}", "data": payload["data"]}


def drain(limit: int = 500) -> None:
    while run(now=later(), limit=limit, stages=POINTS):
        pass


def standing(held: Coupon) -> list[int]:
    """The numbers of the uses that stand."""
    rows = held.uses.filter(cancelled_at=None).order_by("number")
    return list(rows.values_list("number", flat=True))


def test_from_the_till_to_the_refund_and_back_to_the_till() -> None:
    mei, shop = build.member(), build.store()
    endpoint("https://a.test/", types=["coupon.returned"])
    call, held = caller(store=shop), coupon(mei)
    bought = {"bill": "108.00", "currency": "HKD", "order_ref": "A-1"}
    use = call("post", f"coupons/{held.code}/redeem", bought, once="1").json()
    pay(mei, store=shop.code)
    drain()
    refused = call("post", f"coupons/{held.code}/redeem", bought, once="2")
    back()
    drain()

    again = call("post", f"coupons/{held.code}/redeem", bought | {"order_ref": "A-2"}, once="3")

    assert (refused.status_code, again.status_code) == (409, 201)
    assert (use["number"], again.json()["number"]) == (1, 2)
    refund = Transaction.objects.get(kind="refund")
    first = held.uses.get(number=1)
    assert first.cancelled_at is not None
    assert first.refund == refund
    event = Event.objects.get(kind=Event.Kind.COUPON_RETURNED)
    assert (event.member, event.key) == (mei, use["id"])
    assert event.details == {
        "coupon": held.code,
        "type": held.type_id,
        "use": use["id"],
        "api_key": "",
        "actor": None,
        "refund": str(refund.pk),
    }
    told = Delivery.objects.get()
    assert told.type == "coupon.returned"
    assert told.data["refund"] == str(refund.pk)


def test_a_part_gives_nothing_back_and_the_rest_does() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back(amount="87.99")
    drain()
    after_a_part = standing(held)

    back(amount="0.01")
    drain()

    assert (after_a_part, standing(held)) == ([1], [])


def test_an_order_paid_in_parts_is_given_back_with_its_last_payment() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei, "card", "60.00")
    pay(mei, "cash", "28.00")
    back("card", "60.00")
    drain()
    after_the_card = standing(held)

    back("cash", "28.00")
    drain()

    assert (after_the_card, standing(held)) == ([1], [])
    assert held.uses.get().refund == Transaction.objects.get(payment_ref="cash", kind="refund")


@pytest.mark.parametrize(
    "told",
    [
        [dispute("created")],
        [dispute("created", amount="30.00"), build.refund("p1", "58.00")],
        [build.refund("p1", "58.00"), dispute("created", amount="30.00")],
    ],
)
def test_a_chargeback_gives_no_coupon_back(told: Sequence[dict[str, Any]]) -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    for payload in told:
        build.send(payload)
        drain()

    assert standing(held) == [1]
    assert build.balance_of(mei) == 0
    assert not Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).exists()


def test_a_refund_after_a_dispute_that_was_won_gives_it_back() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    build.send(dispute("created"))
    build.send(dispute("reversed"))
    drain()
    before = standing(held)

    back()
    drain()

    assert (before, standing(held)) == ([1], [])


def test_the_programme_may_keep_coupons_used() -> None:
    build.programme(returns_coupons=False)
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    drain()

    assert build.balance_of(mei) == 0
    assert standing(held) == [1]


@pytest.mark.parametrize(
    ("used_at", "paid_at", "stands"),
    [
        ("CENTRAL", "CENTRAL", []),
        ("CENTRAL", "TST", [1]),
        (None, "TST", []),
        ("CENTRAL", None, []),
        (None, None, []),
    ],
)
def test_the_same_number_at_another_store_is_another_order(
    used_at: str | None, paid_at: str | None, stands: list[int]
) -> None:
    mei = build.member()
    for code in filter(None, {used_at, paid_at}):
        build.store(code)
    held = coupon(mei)
    redeem(held, store=build.store(used_at) if used_at else None)
    pay(mei, **({"store": paid_at} if paid_at else {}))
    back()
    drain()

    assert standing(held) == stands


def test_only_the_coupons_of_the_order_and_of_whoever_paid_come_back() -> None:
    mei, bo = build.member(), build.member()
    own, other, strange, second = coupon(mei), coupon(mei), coupon(bo), coupon(mei)
    for held, ref in ((own, "A-1"), (other, "A-2"), (strange, "A-1"), (second, "A-1")):
        redeem(held, ref)
    pay(mei)
    pay(mei, "p2", order_ref="A-2")
    pay(mei, "p3", order_ref="")
    back()
    back("p3")
    drain()

    assert [standing(held) for held in (own, other, strange, second)] == [[], [1], [1], []]


def test_merged_members_are_one_person() -> None:
    mei, double = build.member(wallet="a"), build.member(wallet="b")
    one, two = coupon(mei), coupon(double)
    redeem(one, "A-1")
    redeem(two, "A-2")
    pay(double, "p1", order_ref="A-1")
    pay(mei, "p2", order_ref="A-2")
    pay(double, "p3", "10.00", order_ref="A-2")
    merge(double, mei, now=timezone.now())

    back("p1")
    back("p2")
    drain()
    before = [standing(held) for held in (one, two)]
    back("p3", "10.00")
    drain()

    assert before == [[], [1]]
    assert standing(two) == []
    events = Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).order_by("id")
    assert [event.member for event in events] == [mei, double]


def test_a_lapsed_or_void_coupons_use_is_taken_back_too() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    held.cancelled_at = timezone.now()
    held.save(update_fields=["cancelled_at"])
    drain()

    assert standing(held) == []
    with pytest.raises(CouponRefused):
        redeem(held, "A-2")
    assert held.uses.count() == 1


def test_what_a_till_took_back_already_stays_as_it_was() -> None:
    mei = build.member()
    held = coupon(mei)
    use = redeem(held)
    cancel_use(use, now=timezone.now())
    pay(mei)
    back()
    drain()

    assert held.uses.get().refund is None
    assert Event.objects.filter(kind=Event.Kind.COUPON_RETURNED).count() == 1


# A refund that failed


def test_a_refund_that_failed_enters_the_use_anew() -> None:
    mei, shop = build.member(), build.store()
    held = coupon(mei)
    use = redeem(held, store=shop)
    pay(mei, store=shop.code)
    back()
    drain()
    build.send(dispute("reversed"))
    drain()

    again = held.uses.get(cancelled_at=None)
    kept = ("used_at", "store", "order_ref", "discount", "currency")
    rows = held.uses.order_by("number").values_list(*kept)
    assert again.number == 2
    assert rows[0] == rows[1]
    events = Event.objects.filter(kind=Event.Kind.COUPON_REDEEMED).order_by("id")
    assert [event.key for event in events] == [str(use.pk), str(again.pk)]
    assert events[1].details["reversal"] == str(Transaction.objects.get(kind="reversal").pk)
    with pytest.raises(AlreadyUsed):
        redeem(held, "A-2")


def test_whoever_used_it_meanwhile_keeps_that() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    back()
    drain()
    redeem(held, "A-2")

    build.send(dispute("reversed"))
    drain()

    assert [use.order_ref for use in held.uses.filter(cancelled_at=None)] == ["A-2"]
    assert held.uses.count() == 2


def test_a_coupon_of_several_uses_gets_those_back_that_the_refund_gave() -> None:
    mei = build.member()
    held = coupon(mei, uses_per_coupon=3)
    for ref in ("A-1", "A-1", "A-2"):
        redeem(held, ref)
    pay(mei)
    back()
    drain()
    after_the_refund = standing(held)
    redeem(held, "A-3")

    build.send(dispute("reversed"))
    drain()

    assert after_the_refund == [3]
    assert standing(held) == [3, 4, 5]  # Of the two that came back one was used meanwhile.


def test_another_refund_after_one_that_failed_gives_it_back_again() -> None:
    mei = build.member()
    held = coupon(mei)
    redeem(held)
    pay(mei)
    stood = []
    for payload in (
        build.refund("p1", "88.00"),
        dispute("reversed", amount="44.00", ref="d1"),
        dispute("reversed", amount="44.00", ref="d2"),
        build.refund("p1", "88.00"),
    ):
        build.send(payload)
        drain()
        stood.append(standing(held))

    assert stood == [[], [2], [2], []]


# Any order, any size


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
