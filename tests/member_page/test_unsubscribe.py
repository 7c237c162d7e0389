"""The page behind “unsubscribe”: GET shows, POST acts, and acting twice is acting once."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from kit.ids import uuid7
from members.models import Consent, Event, Member
from members.services.consents import members_with_consent, set_consent
from members.services.links import revoke_page, unsubscribe_url
from tests.member_page import holdings

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def subscriber(**named: str) -> Member:
    mei = holdings.member(NOW, **named)
    set_consent(mei, is_granted=True, source=Consent.Source.STAFF, now=NOW)
    return mei


def path_of(member: Member) -> str:
    return "/u/" + unsubscribe_url(member, uuid7()).rpartition("/")[2]


def words_of(member: Member) -> list[tuple[bool, str]]:
    rows = Consent.objects.filter(member=member).order_by("given_at", "id")
    return [(row.is_granted, row.source) for row in rows]


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(method: str) -> None:
    mei, client = subscriber(), Client()
    path = path_of(mei)
    events = Event.objects.count()

    answers = [getattr(client, method)(path) for _ in range(2)]
    asked = getattr(client, method)(path, {"offers": "off", "List-Unsubscribe": "One-Click"})

    assert {answer.status_code for answer in (*answers, asked)} == {200}
    assert words_of(mei) == [(True, "staff")]
    assert Event.objects.count() == events


def test_get_shows_a_button() -> None:
    mei = subscriber()

    page = Client().get(path_of(mei)).content.decode()

    assert "Stop offers by e-mail?" in page
    assert '<button class="main" name="offers" value="off">' in page


def test_one_click_stops_offers_without_cookie_or_csrf_token() -> None:
    mei, client = subscriber(), Client(enforce_csrf_checks=True)

    answer = client.post(path_of(mei), ONE_CLICK)

    assert answer.status_code == 200
    assert not answer.cookies
    assert words_of(mei) == [(True, "staff"), (False, "unsubscribe")]
    assert members_with_consent([mei.pk]) == set()


def test_one_click_understands_both_kinds_of_form() -> None:
    mei, client = subscriber(), Client(enforce_csrf_checks=True)

    answer = client.post(
        path_of(mei),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.status_code == 200
    assert words_of(mei) == [(True, "staff"), (False, "unsubscribe")]


def test_one_click_twice_is_one_fact() -> None:
    mei, client = subscriber(), Client()
    path = path_of(mei)

    answers = [client.post(path, ONE_CLICK).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert words_of(mei) == [(True, "staff"), (False, "unsubscribe")]


def test_link_of_an_older_message_stops_offers_too() -> None:
    mei = subscriber()
    path = path_of(mei)
    revoke_page(mei)

    Client().post(path, ONE_CLICK)

    assert members_with_consent([mei.pk]) == set()


def test_no_of_somebody_who_was_never_asked_is_kept() -> None:
    mei = holdings.member(NOW)

    Client().post(path_of(mei), ONE_CLICK)

    assert words_of(mei) == [(False, "unsubscribe")]


def test_button_stops_offers_and_comes_back_to_a_page_that_reloads_safely() -> None:
    mei, client = subscriber(), Client(enforce_csrf_checks=True)
    path = path_of(mei)

    answer = client.post(path, {"offers": "off"})
    page = client.get(path).content.decode()

    assert (answer.status_code, answer["Location"]) == (303, path)
    assert "You get no offers by e-mail" in page
    assert "Subscribe again" in page


def test_subscribing_again_is_a_new_word() -> None:
    mei, client = subscriber(), Client()
    path = path_of(mei)
    client.post(path, ONE_CLICK)

    client.post(path, {"offers": "on"})
    client.post(path, {"offers": "on"})

    assert words_of(mei) == [(True, "staff"), (False, "unsubscribe"), (True, "page")]
    assert members_with_consent([mei.pk]) == {mei.pk}


def test_it_does_not_touch_others() -> None:
    mei, bo = subscriber(), subscriber(email="bo@example.com")

    Client().post(path_of(mei), ONE_CLICK)

    assert members_with_consent([mei.pk, bo.pk]) == {bo.pk}


@pytest.mark.parametrize("method", ["get", "post"])
def test_forged_token_is_a_friendly_404_and_changes_nothing(method: str) -> None:
    mei = subscriber()

    answer = getattr(Client(), method)(path_of(mei) + "x")

    assert answer.status_code == 404
    assert "This link does not work" in answer.content.decode()
    assert words_of(mei) == [(True, "staff")]


def test_page_is_in_the_members_language_and_says_so() -> None:
    mei = subscriber(language="zh-hans")

    answer = Client().get(path_of(mei), headers={"accept-language": "en"})

    assert '<html lang="zh-Hans">' in answer.content.decode()
    assert answer["Content-Language"] == "zh-Hans"


def test_it_shows_nothing_personal() -> None:
    mei = subscriber()

    page = Client().get(path_of(mei)).content.decode()

    assert "陳美玲" not in page
    assert "mei@" not in page
    assert mei.code not in page
