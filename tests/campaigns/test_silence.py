from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, CampaignDay, Decision
from campaigns.services.running import pause_campaign, start_campaign
from campaigns.services.silence import count_silent, find_silent_members
from campaigns.tasks import find_silent_members as task
from config.schedule import JOBS
from members.models import Event, Member
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY, MINUTE

pytestmark = pytest.mark.django_db


def bo(*, bought: timedelta, **given: Any) -> Member:
    """Who bought so long before noon, and nothing since."""
    member = cast.reader("Bo", **given)
    at = NOON - bought
    cast.sell(member, "50.00", at=at)
    cast.settle(at)
    return member


def silences() -> list[Any]:
    return list(Event.objects.filter(kind="silent").values_list("member_id", flat=True))


def test_who_bought_nothing_for_the_days_gets_a_message_once() -> None:
    campaign = cast.campaign("silence", started_at=NOON - 2 * DAY)
    member = bo(bought=60 * DAY)

    assert find_silent_members(NOON - MINUTE) == 0
    assert find_silent_members(NOON) == 1
    assert find_silent_members(NOON) == 0
    assert find_silent_members(NOON + 90 * DAY) == 0
    cast.drain()

    event = Event.objects.get(kind="silent")
    assert event.key == f"{campaign.pk}:2026-09-22T04:00:00.000000"
    decision = Decision.objects.get()
    assert (decision.member, decision.occurrence) == (member, "2026-09-22T04:00:00+00:00")
    assert cast.states() == [("sent", "")]


def test_a_second_silence_after_a_purchase_is_another_one() -> None:
    cast.campaign("silence", started_at=NOON - 2 * DAY)
    member = bo(bought=60 * DAY)
    find_silent_members(NOON)
    cast.drain()

    cast.sell(member, "50.00", at=NOON + DAY)
    cast.settle(NOON + DAY)
    assert find_silent_members(NOON + 60 * DAY) == 0
    assert find_silent_members(NOON + 61 * DAY) == 1
    cast.drain(NOON + 61 * DAY)

    assert Decision.objects.filter(member=member).count() == 2


def test_who_never_bought_is_not_silent() -> None:
    campaign = cast.campaign("silence", include_silent=True)
    cast.reader("Kit")

    assert find_silent_members(NOON) == 0
    assert count_silent(campaign, NOON) == 0


def test_those_already_silent_are_left_out_unless_included() -> None:
    campaign = cast.campaign("silence", started_at=NOON)
    long, soon = bo(bought=61 * DAY), bo(bought=60 * DAY - MINUTE)
    assert count_silent(campaign, NOON) == 1

    assert find_silent_members(NOON + MINUTE) == 1
    assert silences() == [soon.pk]
    pause_campaign(campaign)
    assert find_silent_members(NOON + MINUTE) == 0
    start_campaign(campaign, include_silent=True, now=NOON + 2 * MINUTE)

    assert find_silent_members(NOON + 2 * MINUTE) == 1
    assert set(silences()) == {soon.pk, long.pk}
    assert count_silent(campaign, NOON + 2 * MINUTE) == 0


def test_the_daily_cap_takes_the_longest_silences_first() -> None:
    campaign = cast.campaign("silence", include_silent=True, daily_cap=2)
    members = [bo(bought=days * DAY) for days in (70, 90, 80, 60, 100)]

    assert find_silent_members(NOON) == 2
    assert set(silences()) == {members[4].pk, members[1].pk}
    assert find_silent_members(NOON + timedelta(hours=11)) == 0
    assert find_silent_members(NOON + timedelta(hours=12)) == 2  # Midnight there.
    assert find_silent_members(NOON + 2 * DAY) == 1
    cast.drain(NOON + 2 * DAY)

    used = CampaignDay.objects.filter(campaign=campaign).order_by("on")
    assert list(used.values_list("used", flat=True)) == [2, 2, 1]
    assert cast.states().count(("sent", "")) + len(cast.declined()) == 5


def test_who_does_not_fit_the_condition_takes_no_place_of_the_day() -> None:
    english = {
        "combinator": "and",
        "rules": [{"field": "language", "operator": "in", "value": ["en"]}],
    }
    campaign = cast.campaign("silence", include_silent=True, daily_cap=1, condition=english)
    bo(bought=90 * DAY)
    mei = bo(bought=70 * DAY, language="en")
    assert count_silent(campaign, NOON) == 1

    assert find_silent_members(NOON) == 1
    cast.drain()

    assert Decision.objects.get().member == mei


def test_who_buys_before_it_reacts_is_not_missed() -> None:
    cast.campaign("silence", include_silent=True)
    member = bo(bought=70 * DAY)
    find_silent_members(NOON)

    cast.sell(member, "50.00", at=NOON + MINUTE)
    cast.settle(NOON + MINUTE)
    cast.react(NOON + MINUTE)

    assert cast.declined() == ["bought_meanwhile"]
    assert Decision.objects.count() == 0


def test_who_buys_before_the_message_goes_out_gets_none() -> None:
    cast.campaign("silence", include_silent=True)
    member = bo(bought=70 * DAY)
    find_silent_members(NOON)
    cast.react()

    cast.sell(member, "50.00", at=NOON + MINUTE)
    cast.drain(NOON + MINUTE)

    assert cast.states() == [("withheld", "bought_meanwhile")]


@pytest.mark.parametrize("changes", [{"silent_days": None}, {"condition": {"rules": [{}]}}])
def test_a_campaign_that_was_spoilt_while_it_ran_reaches_nobody(changes: dict[str, Any]) -> None:
    campaign = cast.campaign("silence", include_silent=True)
    bo(bought=70 * DAY)
    Campaign.objects.update(**changes)
    campaign.refresh_from_db()

    assert find_silent_members(NOON) == 0
    assert count_silent(campaign, NOON) == 0


def test_each_campaign_has_silences_of_its_own() -> None:
    sixty = cast.campaign("silence", include_silent=True)
    ninety = cast.campaign("silence", include_silent=True, silent_days=90)
    bo(bought=70 * DAY)
    bo(bought=95 * DAY)

    find_silent_members(NOON)
    cast.drain()

    given = Decision.objects.values_list("campaign_id", flat=True)
    assert sorted(given) == sorted([sixty.pk, sixty.pk, ninety.pk])
    assert cast.declined() == []


def test_noticing_takes_the_same_queries_for_one_or_many() -> None:
    cast.campaign("silence", include_silent=True, daily_cap=1000)
    bo(bought=70 * DAY)
    with CaptureQueriesContext(connection) as one:
        assert find_silent_members(NOON) == 1
    for _ in range(30):
        bo(bought=70 * DAY)

    with CaptureQueriesContext(connection) as many:
        assert find_silent_members(NOON) == 30

    assert len(one) == len(many)


def test_the_timed_job_is_on_the_schedule() -> None:
    assert task.name in {job.task for job in JOBS}
    task()

    assert Campaign.objects.count() == 0
