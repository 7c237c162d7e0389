"""A silence is spoken to once, if not now then when what stood against it has passed."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from campaigns.models import CampaignDay, Decision, Message
from campaigns.services.running import pause_campaign, start_campaign
from campaigns.services.silence import count_silent, find_silent_members, queue_withheld
from campaigns.tasks import find_silent_members as task
from loyalty.models import CouponType
from members.models import Consent, Event, Identity, Member
from members.services.consents import set_consent
from members.services.identities import add_identity
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY, MINUTE
from tests.people.cast import merge

pytestmark = pytest.mark.django_db


def silent(name: str = "Bo", *, days: int = 70, **given: Any) -> Member:
    """Who bought so many days before noon, and nothing since."""
    member = cast.reader(name, **given)
    at = NOON - days * DAY
    cast.sell(member, "50.00", at=at)
    cast.settle(at)
    return member


def agree(member: Member, *, at: Any = NOON + DAY) -> None:
    set_consent(member, is_granted=True, source=Consent.Source.PAGE, now=at)


def events() -> list[str]:
    return [
        key.split("@")[-1]
        for key in Event.objects.filter(kind="silent").values_list("key", flat=True)
    ]


def test_who_agrees_later_gets_the_message_then_and_once() -> None:
    cast.campaign("silence", include_silent=True)
    bo = silent(consents=False)
    find_silent_members(NOON)
    cast.drain()
    assert cast.states() == [("withheld", "no_consent")]
    assert queue_withheld(NOON + DAY) == 0

    agree(bo)
    assert queue_withheld(NOON + 2 * DAY) == 1
    assert queue_withheld(NOON + 2 * DAY) == 0
    cast.drain(NOON + 2 * DAY)

    assert cast.states() == [("sent", "")]
    assert (Message.objects.get().decision.coupon, bo.coupons.count()) == (bo.coupons.get(), 1)
    assert queue_withheld(NOON + 3 * DAY) == find_silent_members(NOON + 3 * DAY) == 0


def test_who_gets_an_address_later_gets_the_message_then() -> None:
    cast.campaign("silence", include_silent=True)
    bo = silent()
    Identity.objects.filter(member=bo, kind="email").delete()
    find_silent_members(NOON)
    cast.drain()
    assert cast.states() == [("withheld", "no_address")]

    add_identity(bo, kind="email", value="bo@example.com", now=NOON + DAY)
    assert queue_withheld(NOON + DAY) == 1
    cast.drain(NOON + DAY)

    assert cast.states() == [("sent", "")]


def test_whose_silence_has_ended_is_not_told_that_they_were_missed() -> None:
    cast.campaign("silence", include_silent=True)
    bo = silent(consents=False)
    find_silent_members(NOON)
    cast.drain()

    cast.sell(bo, "50.00", at=NOON + MINUTE)
    cast.settle(NOON + MINUTE)
    agree(bo)

    assert queue_withheld(NOON + DAY) == 0
    assert cast.states() == [("withheld", "no_consent")]


def test_messages_that_waited_keep_to_the_daily_cap() -> None:
    campaign = cast.campaign("silence", include_silent=True, daily_cap=1)
    members = [silent(name, consents=False) for name in ("Bo", "Kit")]
    for day in range(2):
        find_silent_members(NOON + day * DAY)
        cast.drain(NOON + day * DAY)
    for member in members:
        agree(member, at=NOON + 2 * DAY)

    assert queue_withheld(NOON + 3 * DAY) == 1
    assert queue_withheld(NOON + 3 * DAY) == 0
    assert queue_withheld(NOON + 4 * DAY) == 1

    used = CampaignDay.objects.filter(campaign=campaign).order_by("on")
    assert list(used.values_list("used", flat=True)) == [1, 1, 1, 1]


def test_a_campaign_that_pauses_queues_nothing() -> None:
    campaign = cast.campaign("silence", include_silent=True)
    bo = silent(consents=False)
    find_silent_members(NOON)
    cast.drain()
    agree(bo)

    pause_campaign(campaign)

    assert queue_withheld(NOON + DAY) == 0
    assert cast.states() == [("withheld", "no_consent")]


def test_a_silence_that_met_a_pause_is_noticed_again_on_another_day() -> None:
    campaign = cast.campaign("silence", include_silent=True)
    bo = silent()
    find_silent_members(NOON)
    pause_campaign(campaign)
    cast.react()
    assert not Decision.objects.exists()

    start_campaign(campaign, include_silent=True, now=NOON + MINUTE)
    assert find_silent_members(NOON + timedelta(hours=11)) == 0
    assert find_silent_members(NOON + DAY) == 1
    assert find_silent_members(NOON + DAY) == 0
    cast.drain(NOON + DAY)
    assert find_silent_members(NOON + 2 * DAY) == 0

    assert events()[-1] == "2026-11-22"
    assert (Decision.objects.get().member, cast.states()) == (bo, [("sent", "")])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"total_limit": 0}, {"total_limit": None}),
        ({"is_enabled": False}, {"is_enabled": True}),
        ({"ends_at": NOON}, {"ends_at": None}),
    ],
)
def test_nobody_is_used_up_while_there_are_no_coupons(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    cast.campaign("silence", include_silent=True)
    silent()
    CouponType.objects.update(**before)
    assert find_silent_members(NOON) == 0

    CouponType.objects.update(**after)

    assert find_silent_members(NOON) == 1


def test_who_lost_the_last_coupon_to_somebody_else_gets_one_of_the_next() -> None:
    campaign = cast.campaign("silence", include_silent=True)
    silent()
    find_silent_members(NOON)
    CouponType.objects.update(total_limit=0)
    cast.react()
    assert cast.declined() == ["coupon_total_limit"]
    assert find_silent_members(NOON + DAY) == 0

    CouponType.objects.update(total_limit=9)
    assert count_silent(campaign, NOON + DAY) == 1
    assert find_silent_members(NOON + DAY) == 1
    cast.drain(NOON + DAY)

    assert cast.states() == [("sent", "")]


def test_who_had_as_many_coupons_as_one_may_have_is_not_asked_about_every_day() -> None:
    cast.campaign("silence", include_silent=True, coupon_type=cast.coupon_type(member_limit=0))
    silent()
    find_silent_members(NOON)
    cast.react()
    assert cast.declined() == ["coupon_member_limit"]

    assert find_silent_members(NOON + DAY) == 0


def test_the_survivor_of_a_merge_is_not_told_what_the_merged_member_was() -> None:
    cast.campaign("silence", include_silent=True)
    bo, double = silent("Bo", days=65, consents=False), silent("Double", days=62)
    find_silent_members(NOON)
    cast.drain()
    assert sorted(cast.states()) == [("sent", ""), ("withheld", "no_consent")]

    merge(double, bo, now=NOON + MINUTE)

    assert find_silent_members(NOON + DAY) == 0


def test_the_timed_job_does_both() -> None:
    cast.campaign("silence", include_silent=True)
    bo = silent(consents=False)
    with time_machine.travel(NOON, tick=False):
        task()
    cast.drain()
    agree(bo)

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        task()

    assert cast.states() == [("queued", "")]
