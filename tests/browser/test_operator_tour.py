"""An operator's first day with a new account: connect it, mend it, and put right what went wrong.

Everything goes through the pages, as an operator does it; what the till and the shop's own server
do comes over HTTP. Only the road is not a process of its own: each `drain` is one turn of it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import FilePayload, Locator, Page, expect
from standardwebhooks import Webhook

from config import pipeline
from config.groups import make_groups
from kit.switchboard import Switchboard
from loyalty.models import Transfer
from members.models import Member, StaffScope
from members.services import webhooks
from payments.models import Rejection, Settlement, SettlementRow, Transaction
from payments.providers.standard import sign
from tests import build
from tests.browser.conftest import PASSWORD, sign_in
from tests.build import NOON
from tests.outside import Outside, Said, outside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OLD_SECRET = "whsec_" + "dGhlIHNlY3JldCBvZiB0aGUgb2xkIHRpbGwsIGdvbmU="
FILE = (
    "Date,Reference,Amount,Member\n"
    "2026-11-21 11:02:00,T1-1,95.00,\n"
    "2026-11-21 11:40:00,T1-2,80.00,\n"
    "2026-11-21 11:55:00,T1-3,40.00,{code}\n"
)


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """With patience for a machine that is busy with something else."""
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield page
    expect.set_options(timeout=5_000)


@dataclass(frozen=True)
class Till:
    """The shop's till, which was given the account's address and signs with its own secret."""

    address: str

    def pays(self, ref: str, amount: str, **said: Any) -> int:
        """Posts a payment as the till would; the status that it is answered with."""
        body = json.dumps(build.payment(amount, ref=ref, **said)).encode()
        headers = sign(body, secret=build.SECRET, message_id=f"m-{ref}", at=timezone.now())
        headers["Content-Type"] = "application/json"
        try:
            with urlopen(Request(self.address, body, headers), timeout=60) as answer:  # noqa: S310
                return int(answer.status)
        except HTTPError as refusal:
            return refusal.code


@pytest.fixture
def mei(
    transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Member]:
    """A merchant with one store, one member, an operator and somebody of finance; it is noon."""
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(webhooks, "_BOARD", Switchboard(webhooks._BOARD._exchange))
    cache.clear()
    with time_machine.travel(NOON, tick=True):
        build.programme(language="en")
        build.tiers(basic="0")
        build.earning_rule()
        build.store("CENTRAL")
        make_groups()
        for name, group in {"operator": "Administrator", "finance": "Finance"}.items():
            user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
            user.groups.add(Group.objects.get(name=group))
            StaffScope.objects.create(user=user, sees_everything=True)
        member = build.member(name="Mei Chan")
        drain()
        yield member
        cache.clear()


def test_an_operators_tour(
    mei: Member, page: Page, complaints: list[str], live_server: Any
) -> None:
    with outside(Said(503, b"closed", {"Retry-After": "3600"})) as shop:
        sign_in(page, "operator")
        secret = connect_the_shops_server(page, shop)
        till = connect_the_till(page, live_server.url, secret=OLD_SECRET)

        assert till.pays("T1-1", "95.00", member=mei.code, wallet="octo-7") == 400
        watch_a_bad_signature(page)
        mend_the_secret(page)
        replay_what_was_refused(page)
        drain()
        assert build.balance_of(mei) == 95

        assert till.pays("T1-2", "80.00", wallet="octo-7") == 200
        drain()
        link_the_unmatched_payment(page, mei)
        drain()
        assert build.balance_of(mei) == 175

        reconcile_a_file(page, FILE.format(code=mei.code))
        propose_what_is_missing(page)
        agree_as_somebody_else(page)
        drain()

        resend_the_webhook(page, shop)

    assert_books(mei)
    assert_told(shop, secret)
    assert complaints == []


def drain() -> None:
    pipeline.run(now=timezone.now())


# The stations of the tour


def connect_the_shops_server(page: Page, shop: Outside) -> str:
    """A webhook endpoint for points earned; returns the signing secret, which is shown once."""
    go(page, "Endpoints")
    page.get_by_role("link", name="Add webhook endpoint").first.click()
    page.get_by_label("Name").fill("Shop")
    page.get_by_label("Address").fill(shop.url)
    page.get_by_label("points.earned").check()
    save(page)

    said = page.get_by_text("Copy the signing secret now, it is not shown again:").inner_text()
    (secret,) = re.findall(r"whsec_\S+", said)
    return str(secret)


def connect_the_till(page: Page, server: str, *, secret: str) -> Till:
    go(page, "Payment accounts")
    page.get_by_role("link", name="Add payment account").first.click()
    page.get_by_label("Platform*", exact=True).select_option("standard")
    page.get_by_label("Name*", exact=True).fill("Till in Central")
    pick(page, "Store", "Central")
    page.locator("#id_standard__secret").fill(secret)
    save(page)

    page.locator("#result_list").get_by_role("link", name="Till in Central").click()
    address = page.locator("code.rg-copy").inner_text()
    return Till(server + urlsplit(address).path)


def watch_a_bad_signature(page: Page) -> None:
    go(page, "Refused posts")
    row = page.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Till in Central")
    expect(row).to_contain_text("Its signature fits none of the account's secrets.")

    go(page, "Account health")
    row = page.get_by_role("row").filter(has_text="Till in Central")
    expect(row).to_contain_text("1 (100.0 %)")


def mend_the_secret(page: Page) -> None:
    go(page, "Payment accounts")
    page.locator("#result_list").get_by_role("link", name="Till in Central").click()
    page.locator("#id_new_secret").fill(build.SECRET)
    save(page)

    expect(page.get_by_text("was changed successfully")).to_be_visible()


def replay_what_was_refused(page: Page) -> None:
    go(page, "Refused posts")
    act(page, "Check the selected posts again and take in the genuine ones")

    expect(page.get_by_text("1 post turned out genuine and was taken in.")).to_be_visible()
    go(page, "Callbacks")
    expect(page.locator("#result_list tbody tr")).to_contain_text("m-T1-1")


def link_the_unmatched_payment(page: Page, mei: Member) -> None:
    go(page, "Unmatched")
    expect(page.get_by_text("1 payment of one unknown payer, HK$80.00: wallet")).to_be_visible()
    expect(page.get_by_text("the same wallet paid T1-1")).to_be_visible()

    page.get_by_role("button", name=f"Link to {mei.code}").click()

    expect(page.get_by_text(f"1 transaction now belongs to {mei}")).to_be_visible()
    expect(page.get_by_text("Every payment belongs to somebody.")).to_be_visible()


def reconcile_a_file(page: Page, content: str) -> None:
    go(page, "Settlement files")
    page.get_by_role("link", name="Upload a file").click()
    page.get_by_label("Account").select_option(label="Till in Central")
    file = FilePayload(name="central.csv", mimeType="text/csv", buffer=content.encode())
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and compare").click()
    expect(page.get_by_label("Payment reference")).to_have_value("Reference")
    page.get_by_role("button", name="Continue").click()

    page.wait_for_url(re.compile(r"/settlement/[0-9a-f-]+/change/"))
    expect(page.get_by_role("link", name=re.compile(r"2\s+Matched"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"1\s+Missing here"))).to_be_visible()


def propose_what_is_missing(page: Page) -> None:
    page.get_by_role("link", name=re.compile(r"1\s+Missing here")).click()
    expect(page.locator("#result_list tbody tr")).to_contain_text("T1-3")
    act(page, "Propose to book what is missing here")
    page.get_by_label("Reason").fill("The till was offline")
    page.get_by_role("button", name="Propose").click()
    said = "1 row was proposed. Somebody else has to agree now."
    expect(page.get_by_text(said)).to_be_visible()

    go(page, "Proposals to book")
    act(page, "Agree, and book the selected rows")
    expect(page.get_by_text("Somebody else has to decide.")).to_be_visible()


def agree_as_somebody_else(page: Page) -> None:
    page.context.clear_cookies()
    sign_in(page, "finance")
    go(page, "Proposals to book")
    act(page, "Agree, and book the selected rows")
    expect(page.get_by_text("1 transaction was booked")).to_be_visible()
    page.context.clear_cookies()
    sign_in(page, "operator")


def resend_the_webhook(page: Page, shop: Outside) -> None:
    go(page, "Deliveries")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="is tried again")).to_have_count(1)
    rows.filter(has_text="is tried again").locator("th a").click()
    expect(page.get_by_text("503 · closed")).to_be_visible()

    shop.say = lambda _seen: Said(200)
    page.get_by_role("link", name="Send again").click()
    expect(page.get_by_text("1 delivery is sent again.")).to_be_visible()
    drain()

    go(page, "Deliveries")
    expect(rows.filter(has_text="taken")).to_have_count(3)


# At the end


def assert_books(mei: Member) -> None:
    booked = Transaction.objects.order_by("payment_ref")
    assert [(row.payment_ref, str(row.amount), row.source) for row in booked] == [
        ("T1-1", "95.0000", "callback"),
        ("T1-2", "80.0000", "callback"),
        ("T1-3", "40.0000", "import"),
    ]
    assert {row.member for row in booked} == {mei}
    assert {row.waiting_for for row in booked} == {""}
    assert sorted(Transfer.objects.values_list("points", flat=True)) == [40, 80, 95]
    assert build.balance_of(mei) == 215
    assert not Rejection.objects.exists()
    assert Settlement.objects.get().rows_read == 3
    verdicts = SettlementRow.objects.order_by("number").values_list("verdict", flat=True)
    assert list(verdicts) == ["matched", "matched", "matched"]


def assert_told(shop: Outside, secret: str) -> None:
    """The first try was refused; then all three came in their order, with genuine signatures."""
    told = [Webhook(secret).verify(each.body, dict(each.headers)) for each in shop.seen]
    assert [each["data"]["points"] for each in told] == [95, 95, 80, 40]
    assert {each["type"] for each in told} == {"points.earned"}
    first, again, *others = [each.headers["webhook-id"] for each in shop.seen]
    assert first == again
    assert len({again, *others}) == 3


# A hand on the mouse


def go(page: Page, name: str) -> None:
    """Open a page by its name in the sidebar."""
    item = page.locator("#nav-sidebar").get_by_role("link", name=re.compile(rf"\b{name}\b"))
    page.goto(str(item.first.get_attribute("href")))


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def act(page: Page, action: str) -> None:
    """Select every row of the list and run an action on them."""
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option(label=action)
    page.get_by_role("button", name="Run").click()


def pick(page: Page, label: str, text: str) -> None:
    """Choose in a box that searches as one types."""
    field: Locator = page.locator(f".field-{label.lower()}")
    field.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(text)
    page.locator(".select2-results__option", has_text=text).click()
