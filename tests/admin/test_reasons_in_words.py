"""Why something waits, was refused or could not be read: in words of whoever looks."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from kit import wording
from kit.correspondence import DEAD
from kit.said import said
from members.models import Delivery, Event
from payments.models import Callback, Query, Rejection, Transaction
from payments.services.translate import translate_callbacks
from tests import build
from tests.admin.conftest import World
from tests.admin.test_account_pages import page_of
from tests.admin.test_pages import url_of
from tests.build import NOON
from tests.webhooks.hearing import endpoint

CHINESE = {
    "%(field)s is missing.": "%(field)s 沒有提供。",
    "The account has no key of version %(version)s.": "帳戶沒有版本 %(version)s 的金鑰。",
    "A key occurs twice in one object.": "同一個物件裏有一個鍵出現了兩次。",
}


@pytest.fixture
def in_chinese(monkeypatch: pytest.MonkeyPatch, as_boss: Client) -> Client:
    """The catalogues may word it otherwise; what counts is that they are asked, and when."""

    def gettext(sentence: str) -> str:
        return CHINESE[sentence] if translation.get_language() == "zh-hant" else sentence

    monkeypatch.setattr(wording, "gettext", gettext)
    as_boss.cookies["django_language"] = "zh-hant"
    return as_boss


def shown(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def stuck(client: Client) -> str:
    return shown(client, reverse("admin:stuck"))


def test_what_could_not_be_read_is_told_in_the_language_of_the_reader(
    world: World, in_chinese: Client
) -> None:
    build.send({"type": "payment.succeeded", "data": {"amount": 5}}, to=world.near.account)
    translate_callbacks(now=NOON + timedelta(seconds=1), limit=100)
    callback = Callback.objects.get(waiting_for="repair")

    page = shown(in_chinese, url_of(Callback, "change", callback.pk))
    listed = stuck(in_chinese)

    assert callback.error == said("%(field)s is missing.", field="data.currency")
    for text in (page, listed):
        assert "data.currency 沒有提供。" in text
        assert "%(field)s" not in text


def test_why_a_post_was_refused_is_told_in_the_language_of_the_reader(
    world: World, in_chinese: Client
) -> None:
    refused = Rejection.objects.create(
        account=world.near.account,
        slot=99,
        received_at=NOON + timedelta(minutes=1),
        reason="bad_signature",
        detail=said("The account has no key of version %(version)s.", version=7),
    )

    page = shown(in_chinese, url_of(Rejection, "change", refused.pk))
    listed = shown(in_chinese, url_of(Rejection, "changelist"))
    checked = page_of(in_chinese, world.near.account, "test")

    for text in (page, listed, checked):
        assert "帳戶沒有版本 7 的金鑰。" in text


def test_a_name_and_what_an_older_version_kept_are_shown_as_they_are(
    world: World, as_boss: Client
) -> None:
    row = Transaction.objects.filter(store=world.near.store)[0]
    Transaction.objects.filter(pk=row.pk).update(waiting_for="repair", error="Odd: it broke")
    Rejection.objects.update(detail="webhook-id")

    assert "Odd: it broke" in stuck(as_boss)
    assert "Odd: it broke" in shown(as_boss, url_of(Transaction, "change", row.pk))
    assert "webhook-id" in shown(as_boss, url_of(Rejection, "changelist"))


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("no_connection", "The server does not take the connection."),
        ("503", "The other side answered with status 503."),
    ],
)
def test_a_dead_letter_says_in_words_why_it_was_not_taken(
    kept: str, words: str, world: World, as_boss: Client
) -> None:
    Delivery.objects.create(
        endpoint=endpoint("https://shop.example.com/"),
        key="evt_1",
        type="points.earned",
        happened_at=timezone.now(),
        queued_at=timezone.now(),
        due_at=timezone.now(),
        waiting_for=DEAD,
        error=kept,
    )

    page = stuck(as_boss)

    assert words in page
    assert f">{kept}<" not in page


def test_what_a_platform_has_not_decided_is_told_in_words(world: World, as_boss: Client) -> None:
    query = Query.objects.create(
        account=world.near.account,
        reference="2026112100001",
        first_at=NOON,
        asked_at=NOON,
        due_at=NOON,
        waiting_for="platform:not_final",
        error="not_captured_yet",
    )

    page = shown(as_boss, url_of(Query, "change", query.pk))

    for text in (page, stuck(as_boss)):
        assert "The money is reserved, but not collected yet." in text
        assert "not_captured_yet" not in text


def test_an_event_says_in_words_what_it_waits_for(world: World, as_boss: Client) -> None:
    event = Event.objects.filter(member=world.near.member)[0]
    page_before = shown(as_boss, url_of(Event, "change", event.pk))
    unforeseen = said(
        "Something unforeseen happened; the server's log says more: %(told)s", told=1
    )
    Event.objects.filter(pk=event.pk).update(waiting_for="repair", error=unforeseen)

    page = shown(as_boss, url_of(Event, "change", event.pk))

    assert "Needs repair" not in page_before
    assert "Needs repair: the row could not be booked." in page
    assert "Something unforeseen happened; the server&#x27;s log says more: 1" in page


def test_a_sample_that_cannot_be_read_says_why_in_the_reader_s_language(
    world: World, in_chinese: Client
) -> None:
    account = build.account("inlet", settings={})

    page = page_of(in_chinese, account, "fields", step="find", headers="", body='{"a": 1, "a": 2}')

    assert "同一個物件裏有一個鍵出現了兩次。" in page
