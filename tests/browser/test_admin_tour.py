"""A member of staff at work in the admin, with a real browser, on a desk and on a phone."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from loyalty.models import Rule
from payments.models import Account, Callback, Settlement, Transaction
from payments.services.reconcile.comparing import compare_due
from tests import build
from tests.admin.conftest import World
from tests.browser.conftest import sign_in
from tests.reconciliation.files import generic_file, sales, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MAIN_LISTS = [
    "members_member",
    "payments_transaction",
    "payments_callback",
    "payments_account",
    "loyalty_rule",
    "loyalty_coupon",
    "loyalty_transfer",
    "campaigns_campaign",
    "campaigns_message",
]


def main_pages(shop: World) -> list[str]:
    return [
        reverse("admin:index"),
        reverse("admin:stuck"),
        *(reverse(f"admin:{name}_changelist") for name in MAIN_LISTS),
        reverse("admin:members_member_change", args=[shop.near.member.pk]),
        reverse("admin:payments_callback_change", args=[Callback.objects.all()[0].pk]),
        reverse("admin:payments_account_change", args=[Account.objects.all()[0].pk]),
    ]


@pytest.mark.parametrize("width", [1440, 390])
def test_the_main_pages_fit_and_complain_of_nothing(
    shop: World, page: Page, complaints: list[str], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page)

    sideways = {}
    for url in main_pages(shop):
        page.goto(url)
        sideways[url] = page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert {url: pixels for url, pixels in sideways.items() if pixels > 0} == {}
    assert complaints == []


def test_the_charts_are_drawn(shop: World, page: Page) -> None:
    sign_in(page)

    page.wait_for_function("Chart.instances && Object.keys(Chart.instances).length >= 3")

    kinds = page.evaluate("Object.values(Chart.instances).map((chart) => chart.options.indexAxis)")
    assert sorted(kinds) == ["x", "x", "x", "y"]


def test_points_are_adjusted_in_a_dialog(shop: World, page: Page) -> None:
    sign_in(page, "manager")
    before = build.balance_of(shop.near.member)
    page.goto(reverse("admin:members_member_change", args=[shop.near.member.pk]))

    page.get_by_text("Adjust points").first.click()
    page.fill("#dialog-form [name=points]", "25")
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#dialog-form")).to_contain_text("This field is required")
    page.fill("#dialog-form [name=reason]", "Waited too long")
    page.locator("#dialog button[type=submit]").click()

    expect(page.get_by_text("+25 points booked.")).to_be_visible()
    assert build.balance_of(shop.near.member) == before + 25
    page.get_by_role("tab", name="Ledger").click()
    expect(page.get_by_text("Waited too long", exact=True)).to_be_visible()


def test_ctrl_k_finds_a_member_by_phone(shop: World, page: Page) -> None:
    sign_in(page, "manager")

    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    palette = page.locator("#search-input-command")
    expect(palette).to_be_focused()
    palette.press_sequentially("+852 9123 4567")
    found = page.locator("#command-results-list a").first
    expect(found).to_contain_text(shop.near.member.code)
    found.click()

    page.wait_for_url(f"**/{shop.near.member.pk}/change/")


def test_an_unmatched_payment_is_linked_with_the_picker(shop: World, page: Page) -> None:
    row = Transaction.objects.get(waiting_for="member", store=shop.near.store)
    sign_in(page, "manager")
    page.goto(reverse("admin:payments_transaction_change", args=[row.pk]))

    page.get_by_text("Link to a member").first.click()
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(shop.near.member.code)
    page.locator(".select2-results__option", has_text=shop.near.member.code).click()
    page.get_by_role("button", name="Link").click()

    expect(page.get_by_text("1 transaction now belongs to")).to_be_visible()
    row.refresh_from_db()
    assert row.member == shop.near.member


def test_a_condition_is_built_by_clicking_and_shown_as_a_sentence(shop: World, page: Page) -> None:
    rule = Rule.objects.get()
    sign_in(page)
    page.goto(reverse("admin:loyalty_rule_change", args=[rule.pk]))

    page.get_by_role("button", name="Add condition").click()
    row = page.locator(".rule-builder__row")
    row.locator(".rule-builder__field").select_option("weekday")
    row.locator(".rule-builder__operator").select_option("in")
    row.get_by_label("Saturday").check()
    row.get_by_label("Sunday").check()
    page.get_by_role("button", name="Save", exact=True).click()

    page.wait_for_url("**/loyalty/rule/")
    expect(page.locator("#result_list")).to_contain_text("day of the week is Saturday or Sunday")
    rule.refresh_from_db()
    assert rule.condition["rules"] == [{"field": "weekday", "operator": "in", "value": ["5", "6"]}]


def test_fields_show_only_where_they_mean_something(shop: World, page: Page) -> None:
    sign_in(page)
    page.goto(reverse("admin:loyalty_rule_add"))
    rates = page.locator("#rates-group")
    expect(page.locator("#id_fixed_points")).to_be_hidden()
    expect(rates).to_be_visible()

    page.locator("#id_kind").select_option("bonus")

    expect(page.locator("#id_fixed_points")).to_be_visible()
    expect(rates).to_be_hidden()


def test_the_result_of_a_large_file_appears_by_itself(shop: World, page: Page) -> None:
    taken = take(shop.near.account, generic_file(sales(21)))
    Settlement.objects.filter(pk=taken.pk).update(due_at=build.NOON)
    sign_in(page)
    page.goto(reverse("admin:payments_settlement_change", args=[taken.pk]))
    expect(page.get_by_text("The file is being compared: 21 rows.")).to_be_visible()

    compare_due(now=timezone.now())

    expect(page.get_by_role("link", name="21 Missing here")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("The file is being compared")).to_have_count(0)


@pytest.mark.parametrize("language", ["zh-hant", "zh-hans"])
def test_staff_switch_the_language(shop: World, page: Page, language: str) -> None:
    sign_in(page)
    assert page.locator("html").get_attribute("lang") == "en"

    page.get_by_text("boss").first.click()
    page.locator(f"form:has(input[value='{language}']) button").first.click()

    page.wait_for_url("**/admin/")
    assert page.locator("html").get_attribute("lang") == language
