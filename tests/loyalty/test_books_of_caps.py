"""The proof of the books looks at daily caps as well."""

from datetime import timedelta
from typing import Any

import pytest

from kit.money import Money
from loyalty.models import CapUse, Rule
from loyalty.services.books import verify_books
from loyalty.services.settle import settle_members
from members.models import Member, Programme
from payments.providers.base import Clue, Kind, Notice
from payments.services.sales import book_sales
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db
CHECK = "Each use of a daily cap is what the awards of that day took of it"


def book(
    ref: str, amount: str, *, of: str = "", kind: Kind | None = None, wallet: str = "w"
) -> None:
    notice = Notice(
        kind=kind or (Kind.REFUND if of else Kind.PAYMENT),
        payment_ref=of or ref,
        effect_ref=ref,
        amount=Money.parse(amount, "HKD"),
        occurred_at=NOON,
        clues=() if of else (Clue("wallet", wallet),),
    )
    book_sales([notice], account=build.account(), source="api", now=NOON)
    while settle_members(now=NOON + timedelta(seconds=1), limit=500):
        pass


def shop() -> tuple[Member, Rule]:
    """One point for every dollar, at most 120 a day, and a bonus that nothing limits."""
    rule = build.earning_rule(cap_per_day=120)
    build.earning_rule(name="Thanks", kind="bonus", fixed_points=5)
    return build.member(wallet="w"), rule


def findings() -> list[tuple[str, list[Any]]]:
    return [(str(f.check.name), f.differences) for f in verify_books() if not f.is_clean]


def test_caps_agree_after_refunds_a_chargeback_and_its_reversal() -> None:
    mei, rule = shop()
    book("p", "100")
    book("p:30", "30", of="p")
    book("q", "200")
    book("q:150", "150", of="q", kind=Kind.CHARGEBACK)
    assert CapUse.objects.get().points == 120

    book("q+150", "150", of="q", kind=Kind.REVERSAL)
    book("p:70", "70", of="p")

    use = CapUse.objects.get()
    assert (use.member, use.rule, use.on, use.points) == (mei, rule, NOON.date(), 50)
    assert findings() == []


@pytest.mark.parametrize("wrong", [1, 0, -30])
def test_a_cap_that_counts_other_points_than_the_awards_is_found(wrong: int) -> None:
    mei, rule = shop()
    book("p", "100")
    book("p:30", "30", of="p")

    CapUse.objects.update(points=wrong)

    assert findings() == [(CHECK, [(mei.pk, rule.pk, NOON.date(), wrong, 70)])]


def test_a_cap_that_was_not_counted_at_all_is_found() -> None:
    mei, rule = shop()
    book("p", "100")

    CapUse.objects.all().delete()

    assert findings() == [(CHECK, [(mei.pk, rule.pk, NOON.date(), None, 100)])]


def test_a_use_that_no_award_speaks_of_is_found() -> None:
    mei, rule = shop()
    book("p", "100")
    tomorrow = NOON.date() + timedelta(days=1)

    CapUse.objects.create(member=mei, rule=rule, on=tomorrow, points=7)

    assert findings() == [(CHECK, [(mei.pk, rule.pk, tomorrow, 7, None)])]


def test_a_rule_that_counts_again_after_a_reversal_takes_its_part_of_the_cap_again() -> None:
    hundred = {"amount": "100", "currency": "HKD"}
    large = {
        "combinator": "and",
        "rules": [{"field": "amount", "operator": ">=", "value": hundred}],
    }
    build.earning_rule(cap_per_day=120, condition=large)
    build.member(wallet="w")
    book("q", "200")
    book("q:150", "150", of="q", kind=Kind.CHARGEBACK)
    assert CapUse.objects.get().points == 0

    book("q+150", "150", of="q", kind=Kind.REVERSAL)

    assert CapUse.objects.get().points == 120
    assert findings() == []


def test_a_refund_finds_its_cap_after_the_shop_moved_to_another_time_zone() -> None:
    mei, rule = shop()
    book("p", "100")
    Programme.objects.update(zone="America/Los_Angeles")

    book("p:30", "30", of="p")

    use = CapUse.objects.get()
    assert (use.member, use.rule, use.on, use.points) == (mei, rule, NOON.date(), 70)
    assert findings() == []
