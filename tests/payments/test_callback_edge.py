"""Bad input at the callback's door: a clear answer, nothing stored, and never a 500."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from payments import views
from payments.models import Callback, Conflict, Rejection, RejectionCount, Transaction
from payments.providers.standard import sign
from payments.services.accounts import forget_accounts, set_secrets
from payments.services.receive import LARGEST_BODY
from payments.services.replay import replay_rejections
from payments.services.translate import translate_callbacks
from tests import build

pytestmark = pytest.mark.django_db


def post(path: str, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Any:
    return Client().post(path, data=body, content_type="application/json", headers=headers)


def door() -> str:
    account = build.account()
    return f"/callbacks/standard/{account.token}/"


def refused(response: Any, reason: str) -> bool:
    latest = Rejection.objects.order_by("-received_at").first()
    return (
        response.status_code == 400
        and latest is not None
        and latest.reason == reason
        and not Callback.objects.exists()
    )


@pytest.mark.parametrize("path", ["/callbacks/standard/nobody/", "/callbacks/unknown/nobody/"])
def test_an_unknown_account_is_told_so(path: str) -> None:
    response = post(path)

    assert (response.status_code, response.content) == (404, b"Unknown account.\n")
    assert not Rejection.objects.exists()


def test_a_switched_off_account_is_unknown() -> None:
    path = door()
    account = build.account()
    account.is_enabled = False
    account.save()
    forget_accounts()

    assert post(path).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_are_refused(method: str) -> None:
    assert getattr(Client(), method)(door()).status_code == 405


def test_a_huge_body_is_refused_unread() -> None:
    response = post(door(), b"x" * (LARGEST_BODY + 1))

    assert response.status_code == 413
    assert Rejection.objects.get().reason == "too_large"
    assert Rejection.objects.get().sealed is not None  # Its headers, without the body.


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing_signature"),
        (
            {"webhook-id": "a", "webhook-timestamp": "x", "webhook-signature": "v1,AAAA"},
            "malformed",
        ),
        (
            {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,not base64!"},
            "bad_signature",
        ),
        (
            {"webhook-id": "é付", "webhook-timestamp": "1", "webhook-signature": "v1,付款"},
            None,
        ),
    ],
)
def test_bad_headers_are_refused_with_a_reason(
    headers: dict[str, str], reason: str | None
) -> None:
    response = post(door(), headers=headers)

    assert response.status_code == 400
    assert not Callback.objects.exists()
    if reason:
        assert refused(response, reason)


@pytest.mark.parametrize(("skew", "reason"), [(-600, "too_old"), (600, "too_new")])
def test_a_clock_that_is_wrong_is_refused(skew: int, reason: str) -> None:
    body = json.dumps(build.payment()).encode()
    at = timezone.now() + timedelta(seconds=skew)
    headers = sign(body, secret=build.SECRET, message_id="m", at=at)

    assert refused(post(door(), body, headers), reason)


BAD_AMOUNTS = ["NaN", "Infinity", "-5.00", "0", "1e30", "1,000.00", "12.345", "", "ten", 5, None]


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
def test_a_genuine_post_with_an_amount_that_is_none_is_parked_for_staff(amount: Any) -> None:
    payload = build.payment()
    payload["data"]["amount"] = amount

    response = build.send(payload)
    translate_callbacks(now=timezone.now(), limit=10)

    assert response.status_code in {200, 204, 400}
    assert not Transaction.objects.exists()
    for callback in Callback.objects.all():
        assert callback.waiting_for == "repair"
        assert callback.error


@pytest.mark.parametrize("currency", ["XXX", "ZZZ", "", "HK", None, 5])
def test_a_currency_that_is_none_is_parked_for_staff(currency: Any) -> None:
    payload = build.payment()
    payload["data"]["currency"] = currency

    build.send(payload)
    translate_callbacks(now=timezone.now(), limit=10)

    assert not Transaction.objects.exists()
    assert not Callback.objects.filter(waiting_for="").exists()


def test_the_same_delivery_with_another_body_is_kept_for_staff_and_the_first_counts() -> None:
    build.send(build.payment("10.00", ref="p1"), message_id="m")
    again = build.send(build.payment("99.00", ref="p1"), message_id="m")
    translate_callbacks(now=timezone.now(), limit=10)

    assert again.status_code < 300
    assert Conflict.objects.get().callback == Callback.objects.get()
    assert [row.amount for row in Transaction.objects.all()] == [10]


def test_the_same_effect_with_another_amount_waits_for_staff() -> None:
    build.send(build.payment("10.00", ref="p1"), message_id="m1")
    build.send(build.payment("99.00", ref="p1"), message_id="m2")
    translate_callbacks(now=timezone.now(), limit=10)

    assert Callback.objects.get(delivery_key="m2").waiting_for == "conflict"
    assert [row.amount for row in Transaction.objects.all()] == [10]


def test_refused_posts_are_a_ring_and_are_counted() -> None:
    path = door()
    for _ in range(Rejection.RING + 20):
        post(path)

    assert Rejection.objects.count() == Rejection.RING
    assert sum(RejectionCount.objects.values_list("posts", flat=True)) == Rejection.RING + 20


def test_a_refused_post_is_replayed_after_mending_the_secret() -> None:
    account = build.account(secrets=["whsec_" + "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIhISE="])
    build.send(build.payment("10.00"), to=account)
    assert replay_rejections(Rejection.objects.all()) == (0, 1)

    set_secrets(account, [build.SECRET])
    account.save()

    assert replay_rejections(Rejection.objects.all()) == (1, 0)
    assert (Callback.objects.count(), Rejection.objects.count()) == (1, 0)


def test_several_secrets_are_active_while_one_is_rolled() -> None:
    account = build.account(
        secrets=["whsec_" + "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIhISE=", build.SECRET]
    )

    assert build.send(build.payment(), to=account).status_code < 300


def test_an_account_without_a_secret_refuses_everything() -> None:
    account = build.account(secrets=[])

    assert build.send(build.payment(), to=account).status_code == 400
    assert Rejection.objects.get().reason == "no_secret"


def test_a_database_that_is_away_asks_the_platform_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = door()

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(views, "receive", away)

    assert post(path).status_code == 503
