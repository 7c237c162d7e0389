"""Merging two members: what they hold becomes one, and it goes on as one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from config import people
from loyalty.models import Lot, Transfer
from loyalty.services import settle as settle_service
from loyalty.services.expire import expire_lots
from loyalty.services.points import CannotAdjust, adjust_points
from members.models import Event, Member, Merge
from members.services.identities import find_by_code
from members.services.merging import CannotMerge
from payments.models import Transaction
from tests import build
from tests.build import NOON
from tests.people.cast import (
    books_are_clean,
    merge,
    owners_of_lots,
    pay,
    settle,
    stand_of,
    take,
    unmerge,
)

pytestmark = pytest.mark.django_db

YEAR_AGO = NOON - timedelta(days=300)


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme(points_valid_months=12)
    build.tiers(basic="0", silver="300", gold="900")
    build.earning_rule()


def two() -> tuple[Member, Member]:
    return build.member(wallet="a"), build.member(wallet="b")


def test_a_merge_moves_each_lot_whole_with_its_award_and_its_age() -> None:
    mei, double = two()
    pay("b", "40", now=YEAR_AGO)
    settle(YEAR_AGO)
    (lot,) = Lot.objects.all()
    pay("a", "60")
    settle()

    merge(double, mei)

    moved = Lot.objects.get(account=mei.pk, award=lot.award)
    assert (moved.points, moved.starts_at, moved.expires_at) == (40, lot.starts_at, lot.expires_at)
    assert (stand_of(mei).balance, stand_of(double).balance) == (100, 0)
    assert Transfer.objects.filter(kind="merge").count() == 1
    assert books_are_clean()


def test_two_times_silver_is_gold_and_no_campaign_congratulates() -> None:
    mei, double = two()
    pay("a", "500")
    pay("b", "450")
    settle()
    Event.objects.update(due_at=None)

    merge(double, mei)

    assert (stand_of(mei).tier, stand_of(mei).spend, stand_of(mei).payments) == (
        "gold",
        Decimal(950),
        2,
    )
    assert stand_of(double).payments == 0
    assert not Event.objects.exclude(due_at=None).exists()
    assert books_are_clean()


def test_a_tier_once_reached_is_taken_over_with_its_day() -> None:
    mei, double = two()
    pay("b", "1000", now=YEAR_AGO)
    settle(YEAR_AGO)

    merge(double, mei)

    assert stand_of(mei).tier == "gold"
    assert mei.standing.tier_since == YEAR_AGO


def test_a_debt_is_taken_over_and_stays_its_owners() -> None:
    mei, double = two()
    ref = pay("b", "50")
    settle()
    adjust_points(double, points=-50, reason="A gift card", actor=None, now=NOON)
    take(ref, "30")
    pay("a", "100")
    settle()
    assert stand_of(double).balance == -30

    merge(double, mei)

    assert (stand_of(mei).balance, stand_of(double).balance) == (70, 0)
    assert books_are_clean()
    with pytest.raises(CannotAdjust):
        adjust_points(mei, points=-71, reason="Too much", actor=None, now=NOON)
    adjust_points(mei, points=-70, reason="All of it", actor=None, now=NOON)
    assert stand_of(mei).balance == 0
    assert books_are_clean()


def test_purchases_by_either_wallet_earn_for_the_survivor() -> None:
    mei, double = two()
    merge(double, mei)

    pay("a", "10")
    pay("b", "20")
    settle()

    assert stand_of(mei).balance == 30
    assert set(Transaction.objects.values_list("member", flat=True)) == {mei.pk, double.pk}
    assert owners_of_lots(mei) == {mei.pk, double.pk}
    assert books_are_clean()


def test_refunds_of_earlier_payments_of_either_take_from_the_survivor() -> None:
    mei, double = two()
    mine, other = pay("a", "10"), pay("b", "20")
    settle()
    merge(double, mei)

    take(mine, "10")
    take(other, "5")
    settle()

    assert stand_of(mei).balance == 15
    assert stand_of(mei).lots[0][0] == 15
    assert books_are_clean()


def test_the_tier_of_the_person_multiplies_what_either_buys() -> None:
    mei, double = two()
    pay("a", "1000")
    settle()
    merge(double, mei)

    pay("b", "100", ref="after")
    settle()

    assert stand_of(mei).balance == 1000 + 200


def test_a_daily_cap_is_the_persons() -> None:
    build.earning_rule(kind="bonus", fixed_points=50, cap_per_day=60)
    mei, double = two()
    pay("a", "1")
    settle()
    merge(double, mei)

    pay("b", "2")
    settle()

    assert stand_of(mei).balance == 1 + 50 + 2 + 10


def test_points_lapse_at_their_own_time_whoever_holds_them() -> None:
    mei, double = two()
    pay("b", "40", now=YEAR_AGO)
    settle(YEAR_AGO)
    pay("a", "60")
    settle()
    merge(double, mei)

    expire_lots(now=NOON + timedelta(days=120))

    assert stand_of(mei).balance == 60
    assert books_are_clean()


def test_a_chain_ends_at_one_member_and_comes_apart_in_any_order() -> None:
    first, second, third = (
        build.member(wallet="a"),
        build.member(wallet="b"),
        build.member(wallet="c"),
    )
    for wallet, amount in (("a", "10"), ("b", "20"), ("c", "40")):
        pay(wallet, amount)
    settle()
    merge(first, second)
    merge(second, third)

    assert stand_of(third).balance == 70
    found = find_by_code(first.code)
    assert found == third
    unmerge(first)
    assert [stand_of(member).balance for member in (first, second, third)] == [10, 0, 60]
    assert books_are_clean()
    unmerge(second)

    assert [stand_of(member).balance for member in (first, second, third)] == [10, 20, 40]
    assert books_are_clean()


def test_a_branch_leaves_with_those_who_came_with_it() -> None:
    first, second, third = (
        build.member(wallet="a"),
        build.member(wallet="b"),
        build.member(wallet="c"),
    )
    for wallet, amount in (("a", "10"), ("b", "20"), ("c", "40")):
        pay(wallet, amount)
    settle()
    merge(first, second)
    merge(second, third)

    unmerge(second)

    assert [stand_of(member).balance for member in (first, second, third)] == [0, 30, 40]
    assert find_by_code(first.code) == second
    assert books_are_clean()


@pytest.mark.parametrize("again", [("a", "b"), ("b", "a"), ("a", "a"), ("a", "c")])
def test_no_cycle_and_nobody_is_merged_twice(again: tuple[str, str]) -> None:
    members = {name: build.member(wallet=name) for name in "abc"}
    merge(members["a"], members["b"])

    with pytest.raises(CannotMerge):
        merge(members[again[0]], members[again[1]])

    assert Merge.objects.count() == 1
    assert Member.objects.exclude(merged_into=None).count() == 1
    assert books_are_clean()


def test_without_a_reason_nothing_is_merged() -> None:
    mei, double = two()

    with pytest.raises(CannotMerge):
        people.merge(double, mei, reason=" ", actor=None, now=NOON)

    assert not Merge.objects.exists()


def test_one_person_in_two_countries_is_one_member_with_one_balance() -> None:
    build.region("TW", currency="TWD", zone="Asia/Taipei")
    mei = build.member(wallet="a")
    abroad = build.member(wallet="b", region=build.region("TW"))
    pay("a", "10")
    pay("b", "20", store_code=build.store("TAIPEI", region=build.region("TW")).code)
    settle()

    merge(abroad, mei)

    assert stand_of(mei).balance == 30
    assert stand_of(mei).spend == Decimal(30)


def test_the_timeline_tells_of_the_merge_and_of_its_end_once_each() -> None:
    mei, double = two()

    fact = merge(double, mei)
    unmerge(double)

    told = Event.objects.filter(kind__in=["merged", "unmerged"]).order_by("id")
    assert [(row.kind, row.member_id, row.key) for row in told] == [
        ("merged", mei.pk, str(fact.pk)),
        ("unmerged", mei.pk, str(fact.pk)),
    ]
    assert told[0].details["member"] == double.code


def test_a_round_holds_one_fact_of_a_person_whoever_of_them_paid() -> None:
    mei, double = two()
    merge(double, mei)
    pay("a", "10")
    pay("b", "20")

    settle()

    firsts = Event.objects.filter(kind="paid").values_list("details__first_payment", flat=True)
    assert sorted(firsts) == [False, True]
    assert stand_of(mei).payments == 2
    assert books_are_clean()


@pytest.mark.parametrize("is_parting", [False, True])
def test_whoever_is_merged_or_parted_between_claim_and_lock_waits_for_the_next_batch(
    monkeypatch: pytest.MonkeyPatch, is_parting: bool
) -> None:
    mei, double = two()
    if is_parting:
        merge(double, mei)
    pay("b", "20")
    claimed = vars(settle_service)["open_accounts"]

    def meanwhile(members: Any) -> None:
        claimed(members)
        monkeypatch.undo()
        if is_parting:
            unmerge(double)
        else:
            merge(double, mei)

    monkeypatch.setattr(settle_service, "open_accounts", meanwhile)
    too_early = settle_service.settle_members(now=NOON, limit=10)
    tries = Transaction.objects.get().attempts
    settle()

    assert (too_early, tries) == (0, 0)
    holder, other = (double, mei) if is_parting else (mei, double)
    assert (stand_of(holder).balance, stand_of(other).balance) == (20, 0)
    assert books_are_clean()
