"""Signed links: unguessable, bound to their purpose, revocable where that is right."""

import re
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from kit.ids import uuid7
from members.services.links import (
    Unsubscribe,
    member_of_page_token,
    page_token,
    page_url,
    revoke_page,
    unsubscribe_of_token,
    unsubscribe_url,
)
from tests.member_page import holdings

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_page_link_leads_to_its_member(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://club.example.com/"
    mei, _bo = holdings.member(NOW), holdings.member(NOW, email="bo@example.com")

    url = page_url(mei)

    assert re.fullmatch(r"https://club\.example\.com/m/[0-9A-Za-z]+\.[0-9A-Za-z]+", url)
    assert len(token_of(url)) <= 70
    assert member_of_page_token(token_of(url)) == mei


def test_page_link_stays_the_same() -> None:
    mei = holdings.member(NOW)

    assert page_url(mei) == page_url(mei)


def test_revoked_page_link_leads_nowhere_and_a_new_one_does() -> None:
    mei = holdings.member(NOW)
    old = page_token(mei)

    revoke_page(mei)

    assert member_of_page_token(old) is None
    assert member_of_page_token(page_token(mei)) == mei


def test_unsubscribe_link_survives_revoking_the_page() -> None:
    mei, message_id = holdings.member(NOW), uuid7()
    token = token_of(unsubscribe_url(mei, message_id))

    revoke_page(mei)

    assert unsubscribe_of_token(token) == Unsubscribe(mei, message_id, "email", "marketing")


def test_every_changed_character_breaks_the_page_token() -> None:
    token = page_token(holdings.member(NOW))
    changed = [
        token[:place] + ("1" if character != "1" else "2") + token[place + 1 :]
        for place, character in enumerate(token)
    ]

    assert [forged for forged in changed if member_of_page_token(forged)] == []


@pytest.mark.parametrize("junk", ["", ".", "a", "a.b", "-1.x", "王.王", "\x00", "." * 500])
def test_junk_is_no_token(junk: str) -> None:
    assert member_of_page_token(junk) is None
    assert unsubscribe_of_token(junk) is None


def test_token_of_another_salt_is_refused() -> None:
    mei = holdings.member(NOW)
    unsubscribe, page = token_of(unsubscribe_url(mei, uuid7())), page_token(mei)

    assert member_of_page_token(unsubscribe) is None
    assert unsubscribe_of_token(page) is None


def test_unsubscribe_token_cannot_be_turned_to_another_purpose() -> None:
    token = token_of(unsubscribe_url(holdings.member(NOW), uuid7()))

    assert unsubscribe_of_token(token.replace("marketing", "receipts")) is None


def test_token_of_another_secret_key_is_refused(settings: Settings) -> None:
    token = page_token(holdings.member(NOW))

    settings.SECRET_KEY = "another-secret-key-of-another-house"

    assert member_of_page_token(token) is None


def test_old_secret_key_still_opens_while_it_is_a_fallback(settings: Settings) -> None:
    mei = holdings.member(NOW)
    token = page_token(mei)

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-of-another-house"

    assert member_of_page_token(token) == mei
