"""A dialog shows no refusal of itself: what whoever presses its buttons sees all the same."""

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, expect

from members.models import StaffScope
from payments.models import AmountConflict, Transaction
from payments.services.conflicts import keep_first
from tests.admin.conftest import World
from tests.browser.conftest import sign_in
from tests.build import NOON

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def conflict(shop: World) -> AmountConflict:
    first = Transaction.objects.filter(member=shop.near.member, kind="payment")[0]
    return AmountConflict.objects.create(
        kind=AmountConflict.Kind.DIFFERENT,
        first=first,
        amount=first.amount + 1,
        currency=first.currency,
        found_at=NOON,
    )


def decided(conflict: AmountConflict) -> None:
    bo = User.objects.create_user("bo")
    keep_first(conflict, reason="A mistake", by=bo, now=NOON)


def open_page(page: Page, conflict: AmountConflict) -> str:
    address = reverse("admin:payments_amountconflict_change", args=[conflict.pk])
    page.goto(address)
    return address


def press(page: Page, button: str) -> None:
    page.get_by_role("link", name=button).click()


def open_dialog(page: Page, button: str) -> None:
    press(page, button)
    expect(page.locator("#dialog input[name=reason]")).to_be_visible()


def fill(page: Page, reason: str) -> None:
    page.locator("#dialog input[name=reason]").fill(reason)
    page.locator("#dialog button[type=submit]").click()


TOLD = "bo decided this meanwhile: the first one is right. Nothing was changed."


def test_a_button_of_what_is_decided_meanwhile_says_who_decided(
    page: Page, conflict: AmountConflict
) -> None:
    sign_in(page)
    open_page(page, conflict)
    decided(conflict)

    press(page, "The second is right")

    expect(page.get_by_text(TOLD)).to_be_visible()
    expect(page.locator("#dialog")).not_to_be_attached()


def test_an_open_dialog_of_what_is_decided_meanwhile_says_who_decided(
    page: Page, conflict: AmountConflict
) -> None:
    sign_in(page)
    open_page(page, conflict)
    open_dialog(page, "The second is right")
    decided(conflict)

    fill(page, "Late")

    expect(page.get_by_text(TOLD)).to_be_visible()
    conflict.refresh_from_db()
    assert (conflict.decision, conflict.reason) == ("kept", "A mistake")


def test_a_dialog_whose_cookie_is_gone_says_what_to_do(
    page: Page, conflict: AmountConflict
) -> None:
    sign_in(page)
    open_page(page, conflict)
    open_dialog(page, "Keep the first")
    page.context.clear_cookies(name="csrftoken")

    fill(page, "A mistake")

    expect(page.get_by_role("heading", name="Please try again")).to_be_visible()
    conflict.refresh_from_db()
    assert conflict.decided_at is None


def test_a_dialog_after_the_session_leads_to_signing_in_and_back(
    page: Page, conflict: AmountConflict
) -> None:
    sign_in(page)
    address = open_page(page, conflict)
    Session.objects.all().delete()

    press(page, "Keep the first")

    page.wait_for_url(f"**/admin/login/?next={address}")


def test_a_dialog_that_one_may_use_no_more_says_so(page: Page, conflict: AmountConflict) -> None:
    boss = User.objects.get(username="boss")
    sign_in(page)
    open_page(page, conflict)
    boss.is_superuser = False
    boss.save()
    boss.groups.add(Group.objects.get(name="Marketing"))
    StaffScope.objects.create(user=boss, sees_everything=True)

    press(page, "Keep the first")

    expect(page.get_by_role("heading", name="Access refused")).to_be_visible()
