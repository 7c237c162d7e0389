"""A platform's posts reach the shop that heard them before us, whatever becomes of either side."""

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from kit.correspondence import DEAD
from kit.outward import Patience
from kit.switchboard import Switchboard
from payments.models import Account, Callback, Rejection, Relay, RelayAttempt, RelayedPost
from payments.providers.base import Inbound
from payments.providers.standard import sign
from payments.services import relay
from payments.services.accounts import forget_accounts, set_secrets
from payments.services.relay import forget_relayed, pass_on, pass_on_again
from payments.services.relay_wire import outgoing_post, passed_headers, sealed_post
from payments.services.replay import replay_rejections
from tests import build
from tests.build import NOON
from tests.outside import Outside, Said, Seen, outside

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _a_new_process(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(relay, "_BOARD", Switchboard(relay._BOARD._exchange))
    with time_machine.travel(NOON, tick=False):
        yield


def relayed(shop: Outside, **changes: Any) -> Account:
    account = build.account()
    Relay.objects.create(account=account, url=f"{shop.url}/notify?shop=7", **changes)
    forget_accounts()
    return account


def turn(now: Any = NOON) -> None:
    while pass_on(now=now, limit=48):
        pass


def post(account: Account, payload: Any, *, key: str = "msg-1", **headers: str) -> Any:
    body = json.dumps(payload, indent=1).encode()
    signed = sign(body, secret=build.SECRET, message_id=key, at=timezone.now())
    return Client().post(
        f"/callbacks/standard/{account.token}/?from=till",
        data=body,
        content_type="application/json; charset=utf-8",
        headers={**signed, **headers},
    )


def test_the_shop_gets_the_same_bytes_and_the_headers_that_sign_them() -> None:
    with outside() as shop:
        account = relayed(shop)
        answer = post(
            account,
            build.payment("10.00", ref="p1"),
            authorization="Basic c2hvcDpzZWNyZXQ=",
            cookie="session=ours",
            x_forwarded_for="203.0.113.9",
            x_real_ip="203.0.113.9",
            cf_ray="8a",
            user_agent="Till/2",
        )
        before = len(shop.seen)
        turn()

    assert answer.status_code == 200
    assert before == 0
    (seen,) = shop.seen
    assert (seen.method, seen.path) == ("POST", "/notify?shop=7&from=till")
    Webhook(build.SECRET).verify(seen.body, dict(seen.headers))
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert seen.headers["authorization"] == "Basic c2hvcDpzZWNyZXQ="
    assert seen.headers["user-agent"] == "Till/2"
    assert seen.headers["host"] == shop.url.removeprefix("http://")
    assert not {"cookie", "x-forwarded-for", "x-real-ip", "cf-ray"} & seen.headers.keys()
    assert RelayedPost.objects.get().taken_at == NOON


def test_what_belongs_to_one_connection_is_not_passed_on() -> None:
    given = {
        "connection": "keep-alive, X-Internal",
        "x-internal": "1",
        "transfer-encoding": "chunked",
        "content-length": "7",
        "host": "ours.example.com",
        "x-forwarded-proto": "https",
        "forwarded": "for=1.2.3.4",
        "wechatpay-signature": "abc=",
        "content-type": "application/json",
    }

    kept = passed_headers(given)

    assert kept == {"wechatpay-signature": "abc=", "content-type": "application/json"}


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    body = bytes(range(256)) * 4
    inbound = Inbound("POST", "/callbacks/alipay/x/", {"content-type": "text/plain"}, body)

    out = outgoing_post(sealed_post(inbound), url="https://shop.example.com/in")

    assert (out.body, out.url) == (body, "https://shop.example.com/in")
    assert body not in sealed_post(inbound)


def test_our_answer_does_not_wait_for_a_shop_that_hangs() -> None:
    release = threading.Event()

    def hang(_seen: Seen) -> Said:
        release.wait(10)
        return Said()

    with outside(hang) as shop:
        account = relayed(shop)
        began = time.monotonic()
        answer = post(account, build.payment("10.00"))
        took = time.monotonic() - began
        release.set()
        turn()

    assert answer.status_code == 200
    assert took < 1
    assert len(shop.seen) == 1


def test_a_shop_that_was_down_gets_the_post_later_and_once() -> None:
    with outside(Said(500)) as shop:
        account = relayed(shop)
        post(account, build.payment("10.00"))
        turn()
        post(account, build.payment("10.00"))  # The platform sends it again meanwhile.
        shop.say = lambda _seen: Said(200)
        turn(NOON + HOUR)
        post(account, build.payment("10.00"))
        turn(NOON + 2 * HOUR)

    assert len(shop.seen) == 2
    assert RelayedPost.objects.get().taken_at == NOON + HOUR
    assert list(RelayAttempt.objects.order_by("id").values_list("status", flat=True)) == [500, 200]


def test_the_platform_gets_the_answer_of_the_shop() -> None:
    with outside(Said(202, b"success", {"Content-Type": "text/x-shop"})) as shop:
        account = relayed(shop, answers="theirs")
        answer = post(account, build.payment("10.00"))
        turn(NOON + HOUR)

    assert (answer.status_code, answer.content) == (202, b"success")
    assert answer["Content-Type"] == "text/x-shop"
    assert len(shop.seen) == 1
    assert RelayedPost.objects.get().taken_at == NOON


def test_a_resend_asks_the_shop_again_where_its_answer_is_returned() -> None:
    answers = iter([Said(200, b"fail"), Said(200, b"success")])
    with outside(lambda _seen: next(answers)) as shop:
        account = relayed(shop, answers="theirs")
        first = post(account, build.payment("10.00", ref="p1"))
        second = post(account, build.payment("10.00", ref="p1"))

    assert (first.content, second.content) == (b"fail", b"success")
    assert Callback.objects.count() == 1


@pytest.mark.parametrize("is_huge", [False, True])
def test_a_shop_without_a_usable_answer_is_accepted_for_and_gets_it_later(
    is_huge: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE_OF_PLATFORMS", Patience(0.3, 0.3))
    bad = Said(500, b"x" * 2_000_000) if is_huge else Said(pieces=((0.8, b""),))
    with outside(bad) as shop:
        account = relayed(shop, answers="theirs", when_down="accept")
        answer = post(account, build.payment("10.00"))
        shop.say = lambda _seen: Said(200)
        turn(NOON + timedelta(minutes=1))

    assert (answer.status_code, answer.content) == (200, b"")
    assert len(shop.seen) == 2
    assert shop.seen[0].body == shop.seen[1].body
    assert RelayedPost.objects.get().taken_at == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 799 Odd\r\nContent-Length: 3\r\n\r\nodd", (503, b"Try again later.\n")),
        (b"HTTP/1.1 102 Processing\r\n\r\n", (503, b"Try again later.\n")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: a/b;\r\n c=d\r\nContent-Length: 2\r\n\r\nok",
            (200, b"ok"),
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a\x0b/b\r\nContent-Length: 2\r\n\r\nok", (200, b"ok")),
    ],
)
def test_an_answer_that_http_does_not_know_is_not_passed_back(
    said: bytes, answer: tuple[int, bytes]
) -> None:
    with outside(Said(pieces=((0, said),))) as shop:
        account = relayed(shop, answers="theirs", when_down="refuse")
        told = post(account, build.payment())

    assert (told.status_code, told.content) == answer
    assert told["Content-Type"] == "text/plain"
    assert Callback.objects.count() == 1


def test_a_post_is_refused_while_the_shop_is_down_but_stored_first() -> None:
    with outside() as shop:
        url = shop.url
    account = build.account()
    Relay.objects.create(account=account, url=url, answers="theirs", when_down="refuse")
    forget_accounts()

    answer = post(account, build.payment("10.00"))

    assert answer.status_code == 503
    assert Callback.objects.count() == 1
    waiting = RelayedPost.objects.get()
    assert (waiting.taken_at, waiting.due_at) == (None, NOON + timedelta(minutes=30))


def test_a_shop_that_is_down_is_not_waited_for_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE_OF_PLATFORMS", Patience(0.2, 0.2))
    with outside(Said(pieces=((1.0, b""),))) as shop:
        account = relayed(shop, answers="theirs")
        statuses = [
            post(account, build.payment("10.00"), key=f"msg-{number}").status_code
            for number in range(8)
        ]

    assert statuses == [200] * 8
    assert len(shop.seen) == 3
    assert RelayedPost.objects.filter(taken_at=None).count() == 8


def test_forged_posts_go_no_further() -> None:
    with outside() as shop:
        account = relayed(shop, answers="theirs")
        answer = post(account, build.payment("10.00"), webhook_signature="v1,Zm9yZ2Vk")
        turn()

    assert answer.status_code == 400
    assert shop.seen == []
    assert not RelayedPost.objects.exists()


def test_a_refused_post_goes_on_once_it_proves_to_be_genuine() -> None:
    with outside() as shop:
        account = relayed(shop)
        set_secrets(account, ["whsec_" + "b2xkIHNlY3JldCBvZiBsYXN0IHllYXIgISE="])
        account.save()
        forget_accounts()
        refused = post(account, build.payment("10.00", ref="p1"))
        set_secrets(account, [build.SECRET])
        account.save()

        assert replay_rejections(Rejection.objects.all()) == (1, 0)
        turn()
        heard = len(shop.seen)
        resent = post(account, build.payment("10.00", ref="p1"))
        turn()

    assert [refused.status_code, resent.status_code] == [400, 200]
    assert (heard, len(shop.seen)) == (1, 1)
    assert RelayedPost.objects.get().taken_at is not None


def test_a_relay_that_is_switched_off_passes_nothing_on() -> None:
    with outside() as shop:
        account = relayed(shop, is_enabled=False)
        answer = post(account, build.payment("10.00"))
        turn()

    assert answer.status_code == 200
    assert shop.seen == []


def test_a_post_that_nobody_takes_is_given_up_and_staff_pass_it_on_again() -> None:
    with outside(Said(403)) as shop:
        account = relayed(shop)
        post(account, build.payment("10.00"))
        for hours in range(0, 24 * 6, 4):
            turn(NOON + hours * HOUR)
        given_up = RelayedPost.objects.get().waiting_for
        tries = len(shop.seen)
        shop.say = lambda _seen: Said(200)
        count = pass_on_again(RelayedPost.objects.all(), now=NOON + 200 * HOUR)
        turn(NOON + 200 * HOUR)

    assert (given_up, tries, count) == (DEAD, 11, 1)
    assert RelayedPost.objects.get().taken_at == NOON + 200 * HOUR
    assert len({seen.body for seen in shop.seen}) == 1


def test_one_dead_shop_delays_no_other() -> None:
    release = threading.Event()

    def hang(_seen: Seen) -> Said:
        release.wait(10)
        return Said()

    with outside(hang) as dead, outside() as alive:
        slow = build.account()
        Relay.objects.create(account=slow, url=dead.url)
        quick = build.account(is_enabled=True)  # Another one.
        Relay.objects.create(account=quick, url=alive.url)
        forget_accounts()
        for number in range(10):
            post(slow, build.payment("10.00"), key=f"slow-{number}")
            post(quick, build.payment("10.00"), key=f"quick-{number}")
        began = time.monotonic()
        while len(alive.seen) < 10 and time.monotonic() - began < 5:
            pass_on(now=NOON, limit=48)
        took = time.monotonic() - began
        release.set()
        turn()

    assert took < 2
    assert not RelayedPost.objects.filter(taken_at=None).exists()


def test_an_address_in_a_private_network_is_refused(settings: Any) -> None:
    with outside() as shop:
        account = relayed(shop, answers="theirs")
        settings.OUTWARD_PRIVATE_HOSTS = []
        answer = post(account, build.payment("10.00"))

    assert answer.status_code == 200
    assert shop.seen == []
    assert RelayAttempt.objects.get().trouble == "not_https"


def test_what_was_passed_on_is_forgotten_after_a_month() -> None:
    with outside() as shop:
        account = relayed(shop)
        post(account, build.payment("10.00"))
        turn()

    kept = forget_relayed(now=NOON + timedelta(days=29))
    gone = forget_relayed(now=NOON + timedelta(days=31))

    assert (kept, gone) == (0, 1)
    assert Callback.objects.count() == 1
