"""The member's own page: what it lets them change, and what it keeps to itself."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from loyalty.models import Rule, RuleVersion
from members.models import Consent, Event, Member, Programme
from members.services.consents import members_with_consent, set_consent
from members.services.links import page_token, page_url, revoke_page
from tests.member_page import holdings

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
NEW_YEAR = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)  # In Hong Kong.


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def path_of(member: Member) -> str:
    return "/m/" + page_url(member).rpartition("/")[2]


def text_of(member: Member) -> str:
    """The page as somebody hears it who has it read out."""
    answer = Client().get(path_of(member))
    assert answer.status_code == 200
    body = answer.content.decode().partition("<body>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def version_of_rule(name: str, hant: str) -> str:
    rule = Rule.objects.create(name=name, name_zh_hant=hant)
    content = {"name": name, "name_zh_hant": hant, "name_zh_hans": ""}
    row = RuleVersion.objects.create(rule=rule, number=1, effective_at=NOW, content=content)
    return str(row.pk)


def test_member_switches_offers_off_and_on() -> None:
    mei, client = holdings.member(NOW), Client(enforce_csrf_checks=True)
    set_consent(mei, is_granted=True, source=Consent.Source.STAFF, now=NOW - timedelta(days=9))
    path = path_of(mei)

    off = client.post(path, {"offers": "off"})
    after_off = members_with_consent([mei.pk])
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        on = client.post(path, {"offers": "on"})

    assert (off.status_code, off["Location"], on.status_code) == (303, path, 303)
    assert after_off == set()
    assert members_with_consent([mei.pk]) == {mei.pk}
    rows = Consent.objects.filter(member=mei).order_by("given_at")
    assert [(row.is_granted, row.source) for row in rows] == [
        (True, "staff"),
        (False, "page"),
        (True, "page"),
    ]


def test_it_shows_the_consent_and_masks_the_address() -> None:
    mei = holdings.member(NOW)
    before = text_of(mei)
    set_consent(mei, is_granted=True, source=Consent.Source.STAFF, now=NOW)
    after = text_of(mei)

    assert "We send no offers to m•••@example.com. Send me offers" in before
    assert "We may send offers to m•••@example.com. Stop offers" in after
    assert "mei@" not in before + after


def test_it_asks_for_an_address_where_there_is_none() -> None:
    kit = holdings.member(NOW, email="", name="", home_store=None)

    page = text_of(kit)

    assert "Welcome Your points" in page
    assert "We have no e-mail address of yours." in page
    assert "Home store" not in page


def test_member_chooses_the_language_whatever_the_browser_says() -> None:
    mei, client = holdings.member(NOW), Client(enforce_csrf_checks=True)
    path, chinese = path_of(mei), {"accept-language": "zh-TW"}

    english = client.get(path, headers=chinese)
    switched = client.post(path, {"language": "zh-hans"}, headers=chinese)
    simplified = client.get(path, headers=chinese)

    assert '<html lang="en">' in english.content.decode()
    assert (switched.status_code, switched["Location"]) == (303, path)
    assert '<html lang="zh-Hans">' in simplified.content.decode()
    assert simplified["Content-Language"] == "zh-Hans"
    mei.refresh_from_db()
    assert mei.language == "zh-hans"


@pytest.mark.parametrize(
    "wish", [{}, {"language": "tlh"}, {"language": ""}, {"offers": "perhaps"}, {"name": "Bo"}]
)
def test_wish_that_makes_no_sense_changes_nothing(wish: dict[str, str]) -> None:
    mei = holdings.member(NOW)
    events = Event.objects.count()

    answer = Client().post(path_of(mei), wish)

    assert answer.status_code == 400
    assert "Nothing was changed" in answer.content.decode()
    mei.refresh_from_db()
    assert mei.language == "en"
    assert Consent.objects.count() == 0
    assert Event.objects.count() == events


def test_looking_writes_nothing() -> None:
    mei, client = holdings.member(NOW), Client()

    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(path_of(mei), {"offers": "off", "language": "zh-hans"})
        client.head(path_of(mei))

    assert [query["sql"] for query in captured if not query["sql"].startswith("SELECT")] == []


def test_other_methods_are_refused() -> None:
    path = path_of(holdings.member(NOW))

    assert [Client().put(path).status_code, Client().delete(path).status_code] == [405, 405]


@pytest.mark.parametrize("is_revoked", [True, False])
def test_wrong_link_gets_a_friendly_page_in_the_browsers_language(is_revoked: bool) -> None:
    mei = holdings.member(NOW)
    path = path_of(mei) if is_revoked else path_of(mei) + "x"
    if is_revoked:
        revoke_page(mei)

    shown = Client().get(path, headers={"accept-language": "zh-TW,zh;q=0.9"})
    posted = Client().post(path, {"language": "zh-hans"})

    assert (shown.status_code, posted.status_code) == (404, 404)
    assert '<html lang="zh-Hant">' in shown.content.decode()
    assert "This link does not work" in posted.content.decode()
    assert mei.code[:4] not in shown.content.decode()
    mei.refresh_from_db()
    assert mei.language == "en"


@pytest.mark.parametrize("ending", ["", "x"])
def test_headers_keep_the_page_private(ending: str) -> None:
    answer = Client().get(path_of(holdings.member(NOW)) + ending)

    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["X-Frame-Options"] == "DENY"
    assert not answer.cookies
    assert set(answer["Content-Security-Policy"].split("; ")) == {
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    }


def test_page_holds_nothing_inline_and_nothing_from_elsewhere() -> None:
    mei = holdings.member(NOW)
    holdings.coupon(mei, holdings.coupon_type(), starts_at=NOW, expires_at=NEW_YEAR)

    page = Client().get(path_of(mei)).content.decode()

    assert re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://", page) == []


def test_names_are_escaped() -> None:
    mei = holdings.member(NOW, name="<b>Mei</b> & Co")

    page = Client().get(path_of(mei)).content.decode()

    assert "Hello, &lt;b&gt;Mei&lt;/b&gt; &amp; Co" in page


def test_queries_do_not_grow_with_what_the_member_holds() -> None:
    poor, rich = holdings.member(NOW), holdings.member(NOW, name="Bo", email="bo@example.com")
    holdings.tiers()
    base = version_of_rule("Base", "基本")
    why = [{"outcome": "applied", "rule": base, "points": 95}]
    kind = holdings.coupon_type()
    kind.stores.add(holdings.store())
    for holder, size in ((poor, 1), (rich, 12)):
        holdings.standing(holder, balance=size)
        for number in range(size):
            at = NOW - timedelta(days=number)
            holdings.payment(holder, at=at, points=95, why=why, expires_at=NEW_YEAR)
            held = holdings.coupon(holder, kind, starts_at=at, expires_at=NEW_YEAR)
            if number % 2:
                holdings.coupon_use(held, at=at)
    counts = []

    for holder in (poor, rich):
        with CaptureQueriesContext(connection) as captured:
            Client().get("/m/" + page_token(holder))
        counts.append(len(captured))

    assert counts[0] == counts[1]
    assert counts[1] <= 16


def test_instants_are_told_in_the_zone_of_the_members_region() -> None:
    holdings.region(zone="Europe/London")
    mei = holdings.member(NOW)
    holdings.transfer(mei, at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC), points=5)

    assert "20 Nov 2026 +5" in text_of(mei)
    assert Programme.current().zone == "Asia/Hong_Kong"
