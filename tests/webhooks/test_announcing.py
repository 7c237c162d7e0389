"""What is queued, for whom, and for how long it is kept."""

import json
import re
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from kit.money import Money
from loyalty.models import Coupon
from loyalty.services.coupons import cancel_use, issue_coupons, redeem_coupon
from loyalty.services.points import adjust_points
from members.models import Delivery, DeliveryAttempt, Endpoint, Event
from members.services.announcing import forget_listeners
from members.services.consents import set_consent
from members.services.merging import merge_members
from members.services.timeline import record_events
from members.services.webhooks import (
    forget_deliveries,
)
from tests import build
from tests.build import NOON
from tests.outside import outside
from tests.webhooks.hearing import DAY, earn, endpoint, states, turn

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def test_without_an_endpoint_recording_events_asks_the_database_nothing_more(
    django_assert_num_queries: Any,
) -> None:
    mei = build.member()
    earn(mei)  # The look at the endpoints, once in five seconds.

    with django_assert_num_queries(1):
        earn(*[mei] * 50)

    assert not Delivery.objects.exists()


def test_each_endpoint_hears_what_it_asked_for() -> None:
    taipei = build.store("TAIPEI", region=build.region("TW"))
    mei, bo = build.member(), build.member(region=taipei.region, home_store=taipei)
    everything = endpoint("https://a.test/")
    tiers_only = endpoint("https://b.test/", types=["tier.changed"])
    of_taiwan = endpoint("https://c.test/", region=taipei.region)
    of_taipei = endpoint("https://d.test/", store=taipei, types=["points.earned"])
    switched_off = endpoint("https://e.test/", is_enabled=False)

    earn(mei, bo)

    heard = defaultdict(list)
    for row in Delivery.objects.order_by("id"):
        heard[row.endpoint_id].append(row.member_id)
    assert heard == {everything.pk: [mei.pk, bo.pk], of_taiwan.pk: [bo.pk], of_taipei.pk: [bo.pk]}
    assert tiers_only.pk not in heard
    assert switched_off.pk not in heard


def test_what_is_told_holds_no_free_text_and_no_word_about_the_person() -> None:
    endpoint("https://a.test/")
    mei = build.member(name="Mei Chan", email="mei@example.com")
    bo = build.member(name="Bo Lee")
    set_consent(mei, is_granted=True, source="staff", now=NOON)
    adjust_points(mei, points=5, reason="Sorry, Ms Chan", actor=None, now=NOON)
    merge_members(bo, mei, reason="Ms Chan is Ms Lee", actor=None, now=NOON)

    rows = list(Delivery.objects.order_by("id").values_list("type", "data"))

    text = json.dumps([data for _type, data in rows])
    assert [kind for kind, _data in rows] == [
        "member.joined",
        "member.joined",
        "consent.changed",
        "points.adjusted",
        "member.merged",
    ]
    assert rows[3][1]["points"] == 5
    assert rows[4][1]["merged_member"] == bo.code
    assert not [word for word in ("Chan", "Lee", "Sorry", "mei@") if word in text]


def test_a_coupon_is_told_of_with_the_use_that_redeemed_and_returned_it() -> None:
    endpoint("https://a.test/", types=["coupon.issued", "coupon.redeemed", "coupon.returned"])
    mei, shop = build.member(), build.store()
    (coupon,) = issue_coupons([(build.coupon_type(), mei.pk)], now=NOON)
    assert isinstance(coupon, Coupon)
    use = redeem_coupon(coupon.code, bill=Money.parse("80", "HKD"), store=shop, now=NOON)
    cancel_use(use, now=NOON)

    told = list(Delivery.objects.order_by("id").values_list("type", "data"))

    common: dict[str, object] = {"member": mei.code, "region": "HK", "home_store": None}
    common |= {"coupon": coupon.code, "coupon_type": coupon.type_id}
    assert told == [
        ("coupon.issued", {**common, "expires_at": coupon.expires_at.isoformat()}),
        (
            "coupon.redeemed",
            {
                **common,
                "use": str(use.pk),
                "store": shop.code,
                "order_ref": "",
                "discount": "10.00",
                "currency": "HKD",
            },
        ),
        ("coupon.returned", {**common, "use": str(use.pk)}),
    ]


def test_an_event_that_is_rolled_back_is_told_to_nobody() -> None:
    endpoint("https://a.test/")
    mei = build.member()
    once = {"key": "same", "occurred_at": NOON, "booked_at": NOON, "details": {"points": 1}}
    before = Delivery.objects.count()

    def twice() -> None:
        with transaction.atomic():
            record_events([Event(member=mei, kind="paid", **once)])
            record_events([Event(member=mei, kind="paid", **once)])

    with pytest.raises(IntegrityError):
        twice()

    assert Delivery.objects.count() == before
    assert not Event.objects.filter(key="same").exists()


def test_the_log_is_pruned_and_what_is_still_to_do_stays() -> None:
    mei = build.member()
    with outside() as shop:
        endpoint(shop.url)
        earn(mei)
        turn(NOON)
        earn(mei, at=NOON + 40 * DAY)

    gone = forget_deliveries(now=NOON + 40 * DAY)

    assert gone == 1
    assert set(states().values()) == {"due"}
    assert not DeliveryAttempt.objects.exists()


def test_an_endpoint_made_just_now_is_known_after_a_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mei = build.member()
    earn(mei)
    Endpoint.objects.create(name="New", url="https://a.test/")
    clock = time.monotonic()

    earn(mei)
    before = Delivery.objects.count()
    monkeypatch.setattr("members.services.announcing.time.monotonic", lambda: clock + 6)
    earn(mei)

    assert before == 0
    assert Delivery.objects.count() == 1
    forget_listeners()


def test_the_guide_for_receivers_names_every_event() -> None:
    guide = Path("docs/guides/webhooks.md").read_text()

    named = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", guide, flags=re.MULTILINE)

    assert sorted(named) == sorted(Endpoint.Type.values)
