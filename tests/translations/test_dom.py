"""No page in Chinese holds a word of English, or a character of the other Chinese.

What a merchant enters is theirs; here it is entered in Chinese, so that whatever is left over in
English is ours.
"""

from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.urls import reverse
from playwright.sync_api import Page

from campaigns.channels.eml import read_eml
from members.services.links import page_url, unsubscribe_url
from tests.browser.conftest import sign_in
from tests.build import NOON
from tests.translations import scan
from tests.translations.shop import Shop, open_shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTS = (
    "members_member",
    "payments_transaction",
    "payments_callback",
    "payments_rejection",
    "payments_rate",
    "loyalty_rule",
    "loyalty_coupon",
    "loyalty_transfer",
    "campaigns_campaign",
    "campaigns_message",
    "auth_group",
    "django_celery_beat_periodictask",
    "axes_accessfailurelog",
)
FORMS = ("members_member_add", "loyalty_rule_add", "campaigns_campaign_add", "auth_group_add")
IMPORTS = ("members_member_import", "payments_transaction_import")


@pytest.fixture(params=["zh-hant", "zh-hans"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(transactional_db: None, settings: Any, tmp_path: Path, language: str) -> Shop:
    settings.EMAIL_BACKEND = "campaigns.channels.eml.EmlBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    cache.clear()
    with time_machine.travel(NOON, tick=False):
        return open_shop(language)


def test_staff_read_their_language_only(page: Page, shop: Shop, language: str) -> None:
    sign_in(page)
    page.context.add_cookies([{"name": "django_language", "value": language, "url": page.url}])

    strays = {url: _strays(page, url, language) for url in _admin_pages(shop)}

    assert {url: texts for url, texts in strays.items() if texts} == {}


def test_members_read_their_language_only(
    page: Page, live_server: Any, shop: Shop, language: str
) -> None:
    urls = [page_url(shop.member), unsubscribe_url(shop.member, shop.message.pk)]

    strays = {url: _strays(page, _path(url), language) for url in urls}

    assert {url: texts for url, texts in strays.items() if texts} == {}


def test_messages_are_in_the_member_s_language_only(page: Page, shop: Shop, language: str) -> None:
    mail = read_eml(shop.message.pk)
    assert mail is not None
    plain, html = mail.get_body(["plain"]), mail.get_body(["html"])
    assert plain is not None
    assert html is not None
    page.set_content(html.get_content())

    texts = [*plain.get_content().splitlines(), *scan.texts_of(page), str(mail["Subject"])]

    assert scan.english_in(texts) | scan.strangers_in(texts, language) == set()


def _strays(page: Page, url: str, language: str) -> set[str]:
    page.goto(url)
    page.wait_for_load_state("load")
    texts = scan.texts_of(page)
    assert len(texts) > 3
    return scan.english_in(texts) | scan.strangers_in(texts, language)


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _admin_pages(shop: Shop) -> list[str]:
    rows = {
        "members_member": shop.member,
        "payments_callback": shop.callback,
        "payments_transaction": shop.award.transaction,
        "loyalty_rule": shop.rule,
        "loyalty_coupon": shop.coupon,
        "campaigns_campaign": shop.campaign,
        "campaigns_message": shop.message,
    }
    return [
        reverse("admin:index"),
        reverse("admin:stuck"),
        *(reverse(f"admin:{name}_changelist") for name in LISTS),
        *(reverse(f"admin:{name}_change", args=[row.pk]) for name, row in rows.items()),
        *(reverse(f"admin:{name}") for name in (*FORMS, *IMPORTS)),
    ]
