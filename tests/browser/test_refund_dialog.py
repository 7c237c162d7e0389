"""The refund dialog in a real browser: what came back is picked, and the amount follows."""

import pytest
import time_machine
from playwright.sync_api import Page, expect

from config import pipeline
from payments.models import Line, Transaction
from tests import build
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.browser.conftest import sign_in
from tests.build import NOON

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BASKET = [
    {"sku": "TEA-1", "name": "Oolong", "quantity": 3, "amount": "100.00"},
    {"sku": "CUP", "name": "Cup", "quantity": 1, "amount": "80.00"},
]


def test_the_amount_follows_what_came_back(shop: World, page: Page, complaints: list[str]) -> None:
    told = build.payment("190.00", ref="b1", member=shop.near.member.code, lines=BASKET)
    with time_machine.travel(NOON, tick=False):
        build.send(told, to=shop.near.account)
        pipeline.run(now=NOON)
    sign_in(page)
    page.goto(url_of(Transaction, "change", Transaction.objects.get(payment_ref="b1").pk))

    page.get_by_role("link", name="Enter a refund").click()
    amount = page.get_by_label("Amount")
    expect(amount).to_have_value("190")
    page.get_by_label("Oolong").fill("2")
    expect(amount).to_have_value("66.67")
    page.get_by_label("Cup").fill("1")
    expect(amount).to_have_value("146.67")
    page.get_by_label("Oolong").fill("1e0")  # For the server to reckon.
    expect(amount).to_have_value("")
    page.get_by_label("Oolong").fill(".5")
    expect(amount).to_have_value("96.67")
    page.get_by_label("Oolong").fill("9")
    expect(amount).to_have_value("190")
    page.get_by_label("Reason").fill("Broken")
    page.get_by_role("button", name="Enter it").click()
    expect(page.get_by_text("Only 3 of Oolong can still come back.")).to_be_visible()
    page.get_by_label("Oolong").fill("")
    expect(amount).to_have_value("80")
    page.get_by_label("Kind").select_option("chargeback")
    expect(page.get_by_label("Cup")).to_be_hidden()
    page.get_by_label("Kind").select_option("refund")
    page.get_by_role("button", name="Enter it").click()

    expect(page.get_by_text("HK$80.00 was entered.")).to_be_visible()
    back = Line.objects.filter(transaction__kind="refund").values_list("product__sku", "amount")
    assert [(sku, str(paid)) for sku, paid in back] == [("CUP", "80.0000")]
    assert complaints == []
