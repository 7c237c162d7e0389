"""Several processes at the same time, in threads with connections of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from campaigns.models import CampaignDay, Decision, Message, Reaction
from campaigns.services.deliver import deliver_messages
from campaigns.services.react import react_to_events
from campaigns.services.silence import find_silent_members
from loyalty.models import Coupon, CouponType
from members.models import Event
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(number)

    def one(_number: int) -> Any:
        try:
            barrier.wait(30)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


def react_until_done() -> int:
    done = idle = 0
    while idle < 3:
        now = react_to_events(NOON, 3)
        done, idle = done + now, 0 if now else idle + 1
    return done


def test_four_processes_keep_caps_and_limits_and_do_nothing_twice() -> None:
    thanks = cast.campaign(daily_cap=7, coupon_type=cast.coupon_type("a"))
    cast.campaign(daily_cap=9, coupon_type=cast.coupon_type("b", total_limit=5))
    for _ in range(12):
        mei = cast.reader()
        cast.sell(mei)
        cast.sell(mei, "20.00")
    cast.settle()

    done = sum(at_once(4, react_until_done))

    assert done == 24
    assert Event.objects.filter(due_at__isnull=False).count() == 0
    assert Reaction.objects.count() == 24
    assert Decision.objects.count() == Message.objects.count() == Coupon.objects.count() == 12
    assert CampaignDay.objects.get(campaign=thanks).used == 7
    assert dict(CouponType.objects.values_list("code", "issued")) == {"a": 7, "b": 5}


def test_two_processes_notice_a_silence_once() -> None:
    cast.campaign("silence", include_silent=True, daily_cap=5)
    at = NOON - 70 * DAY
    for _ in range(8):
        cast.sell(cast.reader(), "50.00", at=at)
    cast.settle(at)

    noticed = at_once(3, lambda: find_silent_members(NOON))

    assert sum(noticed) == 5
    assert Event.objects.filter(kind="silent").count() == 5


def test_two_senders_send_each_message_once(mailoutbox: list[Any]) -> None:
    cast.campaign()
    for _ in range(10):
        cast.sell(cast.reader())
    cast.settle()
    cast.react()

    at_once(3, lambda: deliver_messages(NOON + timedelta(minutes=1), 20))

    assert len(mailoutbox) == 10
    assert len({mail.to[0] for mail in mailoutbox}) == 10
    assert set(cast.states()) == {("sent", "")}
