"""What stands where a page is refused, missing or broken."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from config.urls import urlpatterns as _product

REFUSED = "You may not open this page, or what it was for has been done already."
MISSING = "The address may be incomplete, or it leads to something that you may not see."
OWN = ["/static/config/favicon.svg", "/static/config/error.css", "/admin/"]
BROKEN = "Something of ours failed. Try again in a moment."
STALE = (
    "The page was open for too long, or you have signed in again since. Nothing was changed."
    " Go back, reload the page and enter it once more; you may have to sign in first."
    " If it happens again, allow the browser to keep cookies of this address."
)


def _breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("A secret of ours.")


urlpatterns = [*_product, path("breaks", _breaks)]


def paragraphs(answer: Any) -> list[str]:
    return re.findall(r"<(?:h1|p)>([^<]*)</", answer.content.decode())


def links(answer: Any) -> list[str]:
    """Whatever the page leads to or loads."""
    return re.findall(r'(?:href|src|action)="([^"]*)"', answer.content.decode())


@pytest.mark.django_db
def test_a_page_that_one_may_not_open_says_so() -> None:
    clerk = Client()
    clerk.force_login(User.objects.create_user("clerk", is_staff=True))

    answer = clerk.get("/admin/health/")

    assert answer.status_code == 403
    assert paragraphs(answer) == ["Access refused", REFUSED]


def test_an_address_of_nothing_says_so(client: Client) -> None:
    answer = client.get("/nothing-here")

    assert answer.status_code == 404
    assert paragraphs(answer) == ["Page not found", MISSING]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/login/", "/admin/auth/user/add/", "/i18n/setlang/"])
def test_what_is_sent_from_a_stale_page_says_what_to_do(address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))

    answer = client.post(address, {"username": "mei", "password": "only-for-tests"})

    assert answer.status_code == 403
    assert paragraphs(answer) == ["Please try again", STALE]
    assert links(answer) == OWN
    assert re.findall("style=|<style|<script", answer.content.decode()) == []
    assert list(User.objects.values_list("username", flat=True)) == ["boss"]


@override_settings(ROOT_URLCONF=__name__)
def test_a_failure_of_ours_is_said_without_the_database_and_without_the_reason() -> None:
    answer = Client(raise_request_exception=False).get("/breaks")

    assert answer.status_code == 500
    assert paragraphs(answer) == ["Server error", BROKEN]
    assert b"secret" not in answer.content


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
@override_settings(ROOT_URLCONF=__name__)
def test_the_pages_are_in_the_readers_language(language: str) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language

    answers = [client.get(address) for address in ("/nothing-here", "/breaks")]

    headings = {
        "zh-hant": ["找不到頁面", "伺服器錯誤"],
        "zh-hans": ["页面没有找到", "服务器错误"],
        "en": ["Page not found", "Server error"],
    }
    assert [paragraphs(answer)[0] for answer in answers] == headings[language]
    assert all(f'<html lang="{language}">' in answer.content.decode() for answer in answers)


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_the_pages_load_only_ours_and_lead_to_the_start_page() -> None:
    clerk = Client(raise_request_exception=False)
    clerk.force_login(User.objects.create_user("clerk", is_staff=True))

    answers = [clerk.get(address) for address in ("/admin/health/", "/nothing-here", "/breaks")]

    assert [answer.status_code for answer in answers] == [403, 404, 500]
    assert [links(answer) for answer in answers] == [OWN, OWN, OWN]
    for answer in answers:
        assert re.findall("style=|<style|<script", answer.content.decode()) == []
