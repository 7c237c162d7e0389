import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, CampaignDay, Decision, Message, Reaction
from campaigns.services import react as stage
from campaigns.services.react import react_to_events
from campaigns.services.running import pause_campaign
from kit.drain import StageBroken
from loyalty.models import Coupon, CouponType
from members.models import Event
from members.services.timeline import record_events
from payments.providers.base import NoticeLine
from payments.services.rates import enter_rate
from tests import build
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY, MINUTE

pytestmark = pytest.mark.django_db


def test_a_large_payment_brings_a_coupon_and_a_message() -> None:
    campaign = cast.campaign()
    mei = cast.reader()
    sale = cast.sell(mei, "880.00")
    cast.settle()

    cast.react(NOON + MINUTE)

    decision = Decision.objects.get()
    assert (decision.campaign, decision.member, decision.occurrence) == (
        campaign,
        mei,
        str(sale.pk),
    )
    assert decision.coupon == Coupon.objects.get(member=mei)
    message = Message.objects.get(decision=decision)
    assert (message.state, message.due_at, message.language) == (
        "queued",
        NOON + MINUTE,
        "zh-hant",
    )
    assert Reaction.objects.get().declined == []
    assert Event.objects.filter(due_at__isnull=False).count() == 0


def test_it_reacts_once_however_often_it_runs() -> None:
    cast.campaign()
    cast.sell(cast.reader())
    cast.settle()

    cast.react()
    cast.react()

    assert (Decision.objects.count(), Message.objects.count()) == (1, 1)


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_size_and_order_of_batches_do_not_matter(limit: int) -> None:
    cast.campaign()
    readers = [cast.reader() for _ in range(4)]
    sales = [(reader, amount) for reader in readers for amount in ("600.00", "40.00", "700.00")]
    random.Random(limit).shuffle(sales)
    for reader, amount in sales:
        cast.sell(reader, amount)
    cast.settle()

    cast.react(limit=limit)

    assert Decision.objects.count() == 8
    assert Coupon.objects.count() == 8
    assert cast.declined() == ["below_amount"] * 4


def test_no_reaction_is_kept_where_no_campaign_runs() -> None:
    campaign = cast.campaign()
    pause_campaign(campaign)
    cast.sell(cast.reader())
    cast.settle()

    cast.react()

    assert Reaction.objects.count() == 0
    assert Event.objects.filter(due_at__isnull=False).count() == 0


@pytest.mark.parametrize(
    ("sale", "reason"),
    [
        ({"amount": "499.99"}, "below_amount"),
        ({"at": NOON - timedelta(hours=25)}, "too_old"),
        ({"source": "import"}, "source_is_silent"),
    ],
)
def test_a_no_is_an_entry_with_its_reason(sale: dict[str, Any], reason: str) -> None:
    campaign = cast.campaign(started_at=NOON - 9 * DAY)
    cast.sell(cast.reader(), **sale)
    cast.settle()

    cast.react()

    assert Reaction.objects.get().declined == [{"campaign": campaign.pk, "reason": reason}]
    assert Decision.objects.count() == Coupon.objects.count() == Message.objects.count() == 0


def test_a_payment_from_before_the_start_does_not_count() -> None:
    cast.campaign(started_at=NOON - MINUTE)
    cast.sell(cast.reader(), at=NOON - 2 * MINUTE)
    cast.settle()

    cast.react()

    assert cast.declined() == ["before_start"]


def test_a_refund_before_it_reacts_counts() -> None:
    cast.campaign()
    mei = cast.reader()
    cast.give_back(cast.sell(mei, "880.00"), "400.00")
    cast.sell(mei, "990.00")
    cast.settle()

    cast.react()

    assert cast.declined() == ["refunded"]
    assert Decision.objects.count() == 1


def test_the_condition_judges_payment_and_member_and_names_what_failed() -> None:
    build.category("tea")
    is_tea = {
        "combinator": "and",
        "rules": [
            {"field": "categories", "operator": "containsAny", "value": ["tea"]},
            {"field": "store", "operator": "in", "value": ["CENTRAL"]},
            {"field": "hour", "operator": "<", "value": "13"},
        ],
    }
    build.store("CENTRAL")
    campaign = cast.campaign(condition=is_tea)
    mei = cast.reader()
    tea = [NoticeLine("TEA-1", Decimal(1), Decimal(880), category="tea")]
    cast.sell(mei, store_code="CENTRAL", lines=tea)
    cast.sell(mei, store_code="CENTRAL")
    cast.settle()

    cast.react()

    assert Decision.objects.count() == 1
    (entry,) = [entry for row in Reaction.objects.all() for entry in row.declined]
    assert (entry["campaign"], entry["reason"]) == (campaign.pk, "condition")
    assert [leaf["field"] for leaf in entry["failed"]] == ["categories"]


def test_another_currency_is_compared_at_the_rate_of_its_day() -> None:
    cast.campaign()
    mei = cast.reader()
    enter_rate(currency="GBP", valid_from=NOON.date(), rate=Decimal(10), source="test", now=NOON)
    cast.sell(mei, "49.00", currency="GBP")
    cast.sell(mei, "50.00", currency="GBP")
    cast.settle()

    cast.react()

    assert cast.declined() == ["below_amount"]
    assert Decision.objects.count() == 1


def test_an_amount_in_a_foreign_currency_needs_its_rate() -> None:
    cast.campaign(amount=Decimal(50), currency="GBP")
    mei = cast.reader()
    cast.sell(mei, "880.00", at=NOON)
    cast.settle()
    cast.react()
    assert cast.declined() == ["no_rate"]

    enter_rate(currency="GBP", valid_from=NOON.date(), rate=Decimal(10), source="test", now=NOON)
    cast.sell(mei, "880.00", at=NOON)
    cast.settle()
    cast.react()

    assert Decision.objects.count() == 1


def test_a_step_up_brings_the_gift_of_its_tier() -> None:
    _basic, gold_tier, _black = build.tiers(basic="0", gold="1000", black="5000")
    gold = cast.campaign("tier_reached", tier=gold_tier)
    any_tier = cast.campaign("tier_reached")
    mei = cast.reader()
    cast.sell(mei, "1200.00")
    cast.sell(mei, "6000.00", at=NOON + MINUTE)
    cast.settle(NOON + MINUTE)

    cast.react(NOON + MINUTE)

    given = Decision.objects.order_by("id").values_list("campaign_id", flat=True)
    assert sorted(given) == sorted([gold.pk, any_tier.pk, any_tier.pk])
    assert cast.declined() == ["other_tier"]


@pytest.mark.parametrize(
    ("sale", "reason"),
    [({"at": NOON - 200 * DAY}, "too_old"), ({"source": "import"}, "source_is_silent")],
)
def test_a_tier_that_old_or_imported_sales_reach_today_brings_no_gift(
    sale: dict[str, Any], reason: str
) -> None:
    build.tiers(basic="0", gold="1000")
    cast.campaign("tier_reached")
    cast.sell(cast.reader(), "1200.00", **sale)
    cast.settle()

    cast.react()

    assert cast.declined() == [reason]
    assert Decision.objects.count() == 0


def test_sold_out_coupons_are_a_no() -> None:
    kind = cast.coupon_type(total_limit=1)
    cast.campaign(coupon_type=kind)
    cast.sell(cast.reader())
    cast.sell(cast.reader())
    cast.settle()

    cast.react()

    assert cast.declined() == ["coupon_total_limit"]
    assert Coupon.objects.count() == Decision.objects.count() == Message.objects.count() == 1


def test_a_campaign_may_offer_words_alone() -> None:
    cast.campaign(coupon_type=None, texts={"zh-hant": ("謝謝", "{{ name }}")})
    cast.sell(cast.reader())
    cast.settle()

    cast.react()

    assert Decision.objects.get().coupon is None
    assert CouponType.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"currency": ""},
        {"condition": {"rules": [{}]}},
        {"condition": {"combinator": "and", "rules": [{"field": "gone", "operator": "="}]}},
    ],
)
def test_a_campaign_that_was_spoilt_while_it_ran_does_not_stop_the_others(
    changes: dict[str, Any],
) -> None:
    spoilt, sound = cast.campaign(), cast.campaign()
    Campaign.objects.filter(pk=spoilt.pk).update(**changes)
    cast.sell(cast.reader())
    cast.settle()

    cast.react()

    assert Decision.objects.get().campaign == sound
    assert cast.declined()[0] in {"incomplete", "no_rate"}


def test_the_daily_cap_counts_days_of_the_programme() -> None:
    campaign = cast.campaign(daily_cap=2, started_at=NOON - DAY)
    evening = NOON + timedelta(hours=11)  # 23:00 there.
    for _ in range(3):
        cast.sell(cast.reader(), at=evening)
    cast.settle(evening)
    cast.react(evening)
    assert (Decision.objects.count(), cast.declined()) == (2, ["daily_cap"])

    midnight = evening + timedelta(hours=1)
    cast.sell(cast.reader(), at=midnight)
    cast.settle(midnight)
    cast.react(midnight)

    assert Decision.objects.count() == 3
    days = CampaignDay.objects.filter(campaign=campaign).order_by("on").values_list("on", "used")
    assert [(str(on), used) for on, used in days] == [("2026-11-21", 2), ("2026-11-22", 1)]


def test_who_gets_no_coupon_takes_no_place_of_the_day() -> None:
    campaign = cast.campaign(coupon_type=cast.coupon_type(total_limit=1), daily_cap=9)
    cast.sell(cast.reader())
    cast.sell(cast.reader())
    cast.settle()

    cast.react()

    assert CampaignDay.objects.get(campaign=campaign).used == 1


def test_one_bad_event_is_parked_and_the_rest_goes_on() -> None:
    cast.campaign()
    readers = [cast.reader() for _ in range(4)]
    for reader in readers:
        cast.sell(reader)
    cast.settle()
    (bad,) = record_events(
        [
            Event(
                member=readers[1],
                kind=Event.Kind.PAID,
                key="names no payment",
                occurred_at=NOON - DAY,
                booked_at=NOON,
                due_at=NOON - DAY,
            )
        ]
    )

    cast.react()

    bad.refresh_from_db()
    unforeseen = "Something unforeseen happened; the server's log says more: 'transaction'"
    assert (bad.waiting_for, bad.shown_error) == ("repair", unforeseen)
    assert Decision.objects.count() == 4


def test_a_bug_of_ours_marks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cast.campaign()
    for _ in range(3):
        cast.sell(cast.reader())
    cast.settle()
    monkeypatch.setattr(stage, "decline_occasion", lambda *_, **__: 1 / 0)

    with pytest.raises(StageBroken):
        react_to_events(NOON, 100)

    assert Event.objects.filter(kind="paid", due_at=NOON, waiting_for="", attempts=0).count() == 3
    assert Reaction.objects.count() == 0


def _queries_of_a_round(readers: int) -> int:
    for _ in range(readers):
        cast.sell(cast.reader())
    cast.settle()
    with CaptureQueriesContext(connection) as captured:
        assert react_to_events(NOON, 500) == 2 * readers
    return len(captured)


def test_the_number_of_queries_does_not_grow_with_members() -> None:
    build.tiers(basic="0", gold="500")
    cast.campaign(daily_cap=1000)
    cast.campaign("tier_reached", coupon_type=CouponType.objects.get())
    cast.campaign("silence", coupon_type=CouponType.objects.get())
    build.programme()

    one, many = _queries_of_a_round(1), _queries_of_a_round(50)

    assert one == many
