"""What befalls members is told to whoever listens: signed, in order, until it is taken."""

import json
import random
import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from config.pipeline import run
from kit import crypto
from kit.correspondence import DEAD, LEASE, Tried, next_try
from kit.switchboard import Switchboard
from members.models import Delivery, DeliveryAttempt, Endpoint
from members.services import webhooks
from members.services.webhooks import (
    announce_events,
    new_endpoint_secret,
    resend,
    revive,
    send_test,
)
from tests import build
from tests.build import NOON
from tests.outside import Said, Seen, outside
from tests.webhooks.hearing import DAY, earn, endpoint, keys_of, secret_of, states, turn

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def told(seen: Seen) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seen.body)
    return found


def test_a_payment_is_told_as_points_earned_and_the_signature_verifies() -> None:
    build.earning_rule()
    mei = build.member(wallet="w1", name="Mei Chan", phone="+85291234567")
    with outside() as shop, time_machine.travel(NOON, tick=False):
        hook = endpoint(shop.url, types=["points.earned"])
        build.send(build.payment("88.00", wallet="w1", ref="p1"))
        run(now=NOON)

    (seen,) = shop.seen
    receiver = Webhook(secret_of(hook))
    with time_machine.travel(NOON):
        receiver.verify(seen.body, dict(seen.headers))
    content = told(seen)
    assert content["type"] == "points.earned"
    assert content["timestamp"] == NOON.isoformat()
    assert content["data"]["member"] == mei.code
    assert content["data"]["points"] == 88
    assert content["data"]["payment_ref"] == "p1"
    assert (content["data"]["amount"], content["data"]["currency"]) == ("88.00", "HKD")
    assert states() == {seen.headers["webhook-id"]: "sent"}
    assert "Mei" not in seen.body.decode()
    assert "91234567" not in seen.body.decode()


def test_a_rolled_secret_signs_beside_the_old_one_until_the_overlap_ends() -> None:
    mei = build.member()
    with outside() as shop:
        hook = endpoint(shop.url)
        old = secret_of(hook)
        new = new_endpoint_secret(hook, now=NOON, overlap=timedelta(hours=24))
        hook.save()
        earn(mei)
        turn(NOON)
        earn(mei, at=NOON + 2 * DAY)
        turn(NOON + 2 * DAY)

    within, after = shop.seen
    with time_machine.travel(NOON):
        Webhook(old).verify(within.body, dict(within.headers))
        Webhook(new).verify(within.body, dict(within.headers))
    with time_machine.travel(NOON + 2 * DAY):
        Webhook(new).verify(after.body, dict(after.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(after.body, dict(after.headers))


def test_a_secret_that_leaked_is_replaced_at_once() -> None:
    hook = endpoint("https://a.test/")
    old = secret_of(hook)

    new = new_endpoint_secret(hook, now=NOON, overlap=timedelta())

    assert old not in hook.secrets
    assert [secret for secret, _until in webhooks.active_secrets(hook, now=NOON)] == [new]


@pytest.mark.parametrize("seed", range(3))
def test_each_member_is_told_of_in_order_whatever_fails(seed: int) -> None:
    chance = random.Random(seed)
    members = [build.member() for _ in range(5)]
    lock, answered, taken = threading.Lock(), [], []

    def shaky(seen: Seen) -> Said:
        time.sleep(chance.random() / 200)
        with lock:
            answered.append(seen.headers["webhook-id"])
            if chance.random() < 0.6:
                return Said(chance.choice([500, 404, 302, 429]))
            taken.append(seen.headers["webhook-id"])
            return Said(204)

    with outside(shaky) as shop:
        endpoint(shop.url)
        wanted: dict[Any, list[str]] = defaultdict(list)
        for _ in range(6):
            for event in earn(*chance.sample(members, 3)):
                wanted[event.member_id].append(f"evt_{event.pk.hex}")
        now = NOON
        for _ in range(60):
            turn(now)
            now += timedelta(hours=2)

    for keys in wanted.values():
        tried = [key for key in answered if key in keys]
        assert list(dict.fromkeys(tried)) == keys  # None was tried before those ahead of it ended.
        assert [key for key in taken if key in keys] == [
            key for key in keys if states()[key] == "sent"
        ]
    assert set(states().values()) <= {"sent", DEAD}


def test_one_endpoint_that_hangs_delays_no_other() -> None:
    members = [build.member() for _ in range(40)]
    release = threading.Event()

    def hang(_seen: Seen) -> Said:
        release.wait(10)
        return Said()

    with outside(hang) as dead, outside() as shop:
        hanging, alive = endpoint(dead.url, name="Dead"), endpoint(shop.url, name="Alive")
        earn(*members)
        began = time.monotonic()
        while len(shop.seen) < 40 and time.monotonic() - began < 5:
            announce_events(now=NOON, limit=48)
        took = time.monotonic() - began
        announce_events(now=NOON, limit=48)
        went = set(Delivery.objects.filter(due_at=None).values_list("endpoint_id", flat=True))
        release.set()
        turn(NOON)

    assert len(shop.seen) == 40
    assert took < 2
    assert went == {alive.pk}
    assert Delivery.objects.filter(endpoint=hanging, due_at=None).count() == 40


def test_an_endpoint_that_is_down_is_given_a_rest_and_its_backlog_keeps_its_tries() -> None:
    members = [build.member() for _ in range(30)]
    with outside(Said(503)) as shop:
        hook = endpoint(shop.url)
        earn(*members)
        turn(NOON)
        hook.refresh_from_db()
        first = len(shop.seen)
        shop.say = lambda _seen: Said()
        turn(NOON + SECOND)
        resting = len(shop.seen)
        turn(NOON + timedelta(hours=1))

    assert first <= 8
    assert resting == first
    assert hook.rests_until is not None
    assert set(states().values()) == {"sent"}
    hook.refresh_from_db()
    assert hook.failures == 0


def test_what_is_refused_again_and_again_is_given_up_and_can_be_sent_again() -> None:
    mei = build.member()
    with outside(Said(400, b"no such\x00 member")) as shop:
        hook = endpoint(shop.url)
        first, second = earn(mei)[0], earn(mei)[0]
        for hours in range(0, 24 * 12, 4):
            turn(NOON + timedelta(hours=hours))
        tried = keys_of(shop.seen)
        given_up = states()
        shop.say = lambda _seen: Said(200)
        count = resend(Delivery.objects.filter(waiting_for=DEAD), now=NOON + 13 * DAY)
        turn(NOON + 13 * DAY)

    assert tried == [f"evt_{first.pk.hex}"] * 11 + [f"evt_{second.pk.hex}"] * 11
    assert set(given_up.values()) == {DEAD}
    assert count == 2
    assert set(states().values()) == {"sent"}
    attempt = DeliveryAttempt.objects.order_by("id")[0]
    assert (attempt.status, attempt.note) == (400, "no such member")
    hook.refresh_from_db()
    assert hook.is_enabled  # It answered all the time.


def test_gone_switches_the_endpoint_off_and_nothing_is_lost() -> None:
    members = [build.member() for _ in range(8)]
    with outside(Said(410)) as shop:
        hook = endpoint(shop.url)
        earn(*members)
        turn(NOON)
        hook.refresh_from_db()
        was = (hook.is_enabled, hook.stopped_for)
        asked = len(shop.seen)
        turn(NOON + DAY)
        shop.say = lambda _seen: Said(200)
        hook.is_enabled = True
        revive(hook)
        hook.save()
        turn(NOON + 2 * DAY)

    assert was == (False, "gone")
    assert asked <= 8
    assert set(states().values()) == {"sent"}


def test_an_endpoint_that_takes_nothing_for_days_is_switched_off() -> None:
    mei = build.member()
    hook = endpoint("http://127.0.0.1:9/")  # Nobody listens there.
    for day in range(8):
        earn(mei, at=NOON + day * DAY)
        turn(NOON + day * DAY)

    hook.refresh_from_db()

    assert (hook.is_enabled, hook.stopped_for) == (False, "failing")
    assert "sent" not in states().values()


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Sat, 21 Nov 2026 05:00:00 GMT", timedelta(hours=1)),
        ("soon", timedelta(0)),
        ("99999999999999999999", timedelta(hours=24)),
    ],
)
def test_the_other_side_says_when_to_come_again(header: str, wait: timedelta) -> None:
    mei = build.member()
    with outside(Said(429, headers={"Retry-After": header})) as shop:
        endpoint(shop.url)
        earn(mei)
        turn(NOON)

    due_at = Delivery.objects.get().due_at
    assert due_at is not None
    assert max(wait, timedelta(seconds=4)) <= due_at - NOON <= max(wait, timedelta(seconds=6))


def test_a_redirect_is_not_followed_and_counts_as_not_taken() -> None:
    mei = build.member()
    with outside() as inner, outside(Said(307, headers={"Location": inner.url})) as shop:
        endpoint(shop.url)
        earn(mei)
        turn(NOON)

    assert inner.seen == []
    assert set(states().values()) == {"due"}
    assert DeliveryAttempt.objects.get().status == 307


def test_an_address_in_a_private_network_is_never_called(settings: Any) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = []
    mei = build.member()
    with outside() as shop:
        endpoint(shop.url.replace("http", "https"))
        earn(mei)
        turn(NOON)

    assert shop.seen == []
    assert DeliveryAttempt.objects.get().trouble in {"private", "port"}


def test_a_huge_answer_is_taken_for_its_status() -> None:
    mei = build.member()
    with outside(Said(200, b"x" * 3_000_000)) as shop:
        endpoint(shop.url)
        earn(mei)
        turn(NOON)

    assert set(states().values()) == {"sent"}
    assert len(DeliveryAttempt.objects.get().note) == 500


def test_what_was_sent_and_never_noted_is_sent_again_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mei = build.member()
    with outside() as shop:
        endpoint(shop.url)
        earn(mei)
        announce_events(now=NOON, limit=48)  # Claimed and called …
        while not shop.seen:
            time.sleep(0.01)
        Delivery.objects.update(due_at=NOON + LEASE, sent_at=None)
        dead_process = Switchboard(webhooks._BOARD._exchange)
        monkeypatch.setattr(webhooks, "_BOARD", dead_process)  # … and we die.
        turn(NOON + SECOND)
        still = len(shop.seen)
        turn(NOON + timedelta(minutes=3))

    assert still == 1
    first, second = shop.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.body == second.body
    assert set(states().values()) == {"sent"}


def test_two_processes_never_take_the_same_delivery() -> None:
    members = [build.member() for _ in range(3)]
    with outside() as shop:
        endpoint(shop.url)
        earn(*members)
        one = webhooks._claim({}, 48, NOON)
        two = webhooks._claim({}, 48, NOON)

    assert len(one) == 3
    assert two == []


def test_an_endpoint_whose_secret_cannot_be_opened_stops_and_holds_up_nobody(
    settings: Any,
) -> None:
    mei = build.member()
    with outside() as shop:
        settings.ENCRYPTION_KEYS = {"lost": b"l" * 32, **settings.ENCRYPTION_KEYS}
        locked = endpoint(shop.url, name="Locked")
        settings.ENCRYPTION_KEYS = {
            name: key for name, key in settings.ENCRYPTION_KEYS.items() if name != "lost"
        }
        crypto._cipher.cache_clear()
        endpoint(shop.url, name="Open")
        earn(mei)
        turn(NOON)

    assert len(shop.seen) == 1
    row = Endpoint.objects.defer("secrets").get(pk=locked.pk)
    assert (row.is_enabled, row.stopped_for) == (False, "no_key")


def test_a_test_event_is_sent_at_once_and_once() -> None:
    with outside(Said(500, b"not yet")) as shop:
        hook = endpoint(shop.url, types=["tier.changed"])
        tried = send_test(hook, now=NOON)
        turn(NOON + DAY)

    assert (tried.status, tried.note) == (500, "not yet")
    (seen,) = shop.seen
    assert told(seen)["type"] == "webhook.test"
    with time_machine.travel(NOON):
        Webhook(secret_of(hook)).verify(seen.body, dict(seen.headers))


def test_the_wait_grows_up_to_a_day_and_is_the_same_for_the_same_key() -> None:
    tried = Tried(1, status=500)

    def wait(attempts: int, key: str = "k", now: datetime = NOON) -> timedelta:
        again = next_try(attempts, key=key, tried=tried, now=now)
        assert again is not None
        return again - now

    waits = [wait(attempts) for attempts in range(1, 11)]

    assert waits == sorted(waits)
    assert waits[0] < timedelta(seconds=6)
    assert timedelta(hours=20) < waits[-1] <= timedelta(hours=24)
    assert next_try(11, key="k", tried=tried, now=NOON) is None
    assert wait(3) == wait(3)
    assert len({wait(3, key=str(number)) for number in range(20)}) == 20
