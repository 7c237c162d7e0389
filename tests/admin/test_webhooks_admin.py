"""Endpoints and relays as staff set them up, look at them and send again."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kit.correspondence import DEAD
from members.models import Delivery, Endpoint
from members.services.webhooks import announce_events
from payments.models import Relay, RelayedPost
from payments.services.accounts import forget_accounts, known_account
from payments.services.relay import pass_on
from tests import build
from tests.admin.conftest import World
from tests.outside import Said, outside
from tests.webhooks.hearing import endpoint, secret_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]


def as_boss(world: World) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(world.boss)
    return client


def words(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_a_new_endpoint_shows_its_secret_once(world: World) -> None:
    client = as_boss(world)
    form = {"name": "Shop", "url": "https://shop.example.com/in", "types": ["points.earned"]}

    answer = client.post(
        reverse("admin:members_endpoint_add"), {**form, "is_enabled": "on"}, follow=True
    )

    hook = Endpoint.objects.get()
    assert hook.types == ["points.earned"]
    (said,) = [text for text in words(answer) if "whsec_" in text]
    assert secret_of(hook) in said
    page = client.get(reverse("admin:members_endpoint_change", args=[hook.pk]))
    assert secret_of(hook) not in page.content.decode()
    assert f"whsec_…{secret_of(hook)[-4:]}" in page.content.decode()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example.com/", "must begin with https"),
        ("https://10.0.0.8/in", "private network"),
        ("https://user:pw@shop.example.com/", "no user name"),
        ("shop", "not a web address"),
    ],
)
def test_an_address_that_is_not_called_is_refused_in_the_form(
    world: World, url: str, said: str
) -> None:
    form = {"name": "Shop", "url": url, "is_enabled": "on"}

    answer = as_boss(world).post(reverse("admin:members_endpoint_add"), form)

    assert said in answer.content.decode()
    assert not Endpoint.objects.exists()


def test_a_test_event_says_what_was_answered(world: World) -> None:
    client = as_boss(world)
    with outside(Said(200)) as shop:
        hook = endpoint(shop.url)
        url = reverse("admin:members_endpoint_send_test", args=[hook.pk])
        taken = client.get(url, follow=True)
        shop.say = lambda _seen: Said(403, b"wrong signature <b>")
        refused = client.get(url, follow=True)
    gone = client.get(url, follow=True)

    assert re.match(r"The test event was taken: 200", words(taken)[0])
    assert "the answer was 403" in words(refused)[0]
    assert "does not take the connection" in words(gone)[0]
    page = gone.content.decode()
    assert "wrong signature &lt;b&gt;" in page


def test_what_was_given_up_is_seen_as_stuck_and_is_sent_again(world: World) -> None:
    client = as_boss(world)
    hook = endpoint("https://shop.example.com/")
    for number in range(3):
        Delivery.objects.create(
            endpoint=hook,
            key=f"evt_{number}",
            type="points.earned",
            happened_at=timezone.now(),
            queued_at=timezone.now(),
            due_at=timezone.now(),
            attempts=11,
            waiting_for=DEAD if number else "",
        )

    stuck = client.get(reverse("admin:stuck")).content.decode()
    answer = client.get(reverse("admin:members_endpoint_resend_dead", args=[hook.pk]), follow=True)

    assert "did not take them in three days" in stuck
    assert "2 deliveries are sent again." in words(answer)
    assert not Delivery.objects.exclude(waiting_for="").exists()


def test_selected_deliveries_are_sent_again_from_the_list(world: World) -> None:
    client = as_boss(world)
    with outside() as shop:
        endpoint(shop.url)
        build.member()
        while announce_events(now=timezone.now(), limit=48):
            pass
        (delivery,) = Delivery.objects.all()
        sent = delivery.due_at is None
        answer = client.post(
            reverse("admin:members_delivery_changelist"),
            {"action": "resend", "_selected_action": [delivery.pk]},
            follow=True,
        )
        while announce_events(now=timezone.now(), limit=48):
            pass

    assert sent
    assert "1 delivery is sent again." in words(answer)
    first, second = shop.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def shown(client: Client, row: Delivery | RelayedPost) -> list[str]:
    """Of its page: how often it was tried, and each answer in the log."""
    options = row._meta
    name = f"admin:{options.app_label}_{options.model_name}"
    page = client.get(reverse(f"{name}_change", args=[row.pk])).content.decode()
    listed = client.get(reverse(f"{name}_changelist")).context["cl"].result_list
    (tried,) = [each.tried for each in listed if each.pk == row.pk]
    log = page.split("Last answers")[1]
    return [str(tried), *re.findall(r"<td>(\d{3}[^<]*)</td>", log)]


def test_what_is_sent_again_keeps_the_log_of_its_tries(world: World) -> None:
    client = as_boss(world)
    with outside(Said(400, b"first")) as shop:
        hook = endpoint(shop.url)
        build.member()
        drain_deliveries()
        (delivery,) = Delivery.objects.filter(endpoint=hook)
        Delivery.objects.update(waiting_for=DEAD)
        before = shown(client, delivery)
        shop.say = lambda _seen: Said(400, b"second")
        client.get(reverse("admin:members_delivery_resend_one", args=[delivery.pk]))
        drain_deliveries()

    delivery.refresh_from_db()
    assert before == ["1", "400 · first"]
    assert shown(client, delivery) == ["2", "400 · second", "400 · first"]
    assert delivery.attempts == 1  # The waits between tries begin anew.
    waits = (delivery.due_at or timezone.now()) - timezone.now()
    assert waits.total_seconds() < 10


def test_a_post_that_is_passed_on_again_keeps_the_log_of_its_tries(world: World) -> None:
    client, account = as_boss(world), world.near.account
    with outside(Said(400, b"first")) as shop:
        Relay.objects.create(account=account, url=shop.url)
        forget_accounts()
        build.send(build.payment("10.00"), to=account)
        drain_posts()
        (post,) = RelayedPost.objects.all()
        RelayedPost.objects.update(waiting_for=DEAD)
        before = shown(client, post)
        shop.say = lambda _seen: Said(200, b"second")
        client.get(reverse("admin:payments_relayedpost_pass_one_on", args=[post.pk]))
        drain_posts()

    assert before == ["1", "400 · first"]
    assert shown(client, post) == ["2", "200 · second", "400 · first"]


def drain_deliveries() -> None:
    while announce_events(now=timezone.now(), limit=48):
        pass


def drain_posts() -> None:
    while pass_on(now=timezone.now(), limit=48):
        pass


def test_staff_of_one_store_see_no_endpoint(world: World) -> None:
    client = Client()
    client.force_login(world.manager)
    hook = endpoint("https://shop.example.com/")

    page = client.get(reverse("admin:members_endpoint_changelist"))
    one = client.get(reverse("admin:members_endpoint_change", args=[hook.pk]))
    test = client.get(reverse("admin:members_endpoint_send_test", args=[hook.pk]))

    assert "shop.example.com" not in page.content.decode()
    assert one.status_code in {302, 403}
    assert test.status_code in {302, 403}
    assert not Delivery.objects.filter(type="webhook.test").exists()


def relay_form(account: Any, **changes: str) -> dict[str, str]:
    return {
        "name": account.name,
        "store": str(account.store_id),
        "is_enabled": "on",
        "order_wait_seconds": "0",
        "relay-TOTAL_FORMS": "1",
        "relay-INITIAL_FORMS": "0",
        "relay-MIN_NUM_FORMS": "0",
        "relay-MAX_NUM_FORMS": "1",
        "relay-0-is_enabled": "on",
        "relay-0-answers": "theirs",
        "relay-0-when_down": "refuse",
        **changes,
    }


def test_an_account_is_given_a_relay_and_its_posts_go_on(world: World) -> None:
    client, account = as_boss(world), world.near.account
    change = reverse("admin:payments_account_change", args=[account.pk])
    with outside(Said(200, b"ok")) as shop:
        saved = client.post(change, relay_form(account, **{"relay-0-url": shop.url}), follow=True)
        known = known_account(account.provider, account.token)
        answer = build.send(build.payment("10.00"), to=account)
        listed = client.get(reverse("admin:payments_relayedpost_changelist")).content.decode()
        (post,) = RelayedPost.objects.all()
        again = client.get(
            reverse("admin:payments_relayedpost_pass_one_on", args=[post.pk]), follow=True
        )
        while pass_on(now=timezone.now(), limit=48):
            pass

    assert saved.status_code == 200
    assert known is not None
    assert known.relay_id == Relay.objects.get().pk
    assert answer.content == b"ok"
    assert "taken" in listed
    assert "1 post is passed on again." in words(again)
    assert len(shop.seen) == 2
    assert (
        "ok"
        in client.get(
            reverse("admin:payments_relayedpost_change", args=[post.pk])
        ).content.decode()
    )


def test_a_relay_to_ourselves_is_refused(world: World, settings: Any) -> None:
    settings.PUBLIC_URL = "https://ours.example.com"
    account = world.near.account
    url = f"https://ours.example.com/callbacks/standard/{account.token}/"

    answer = as_boss(world).post(
        reverse("admin:payments_account_change", args=[account.pk]),
        relay_form(account, **{"relay-0-url": url}),
    )

    assert "round in a circle" in answer.content.decode()
    assert not Relay.objects.exists()
