"""What staff see of a coupon that a refund gave back."""

from datetime import timedelta

import pytest
from django.test import Client

from config import pipeline
from loyalty.models import Coupon
from loyalty.services.coupons import redeem_coupon
from members.models import Programme
from payments.models import Transaction
from tests import build
from tests.admin.conftest import Side, World
from tests.admin.test_pages import url_of
from tests.admin.test_timeline import rows_of
from tests.build import NOON


def buy_and_give_back(side: Side) -> None:
    redeem_coupon(side.coupon.code, bill=None, store=side.store, order_ref="A-1", now=NOON)
    mine = {"member": side.member.code, "store": side.store.code, "order_ref": "A-1"}
    build.send(build.payment("60.00", ref="coupon-sale", **mine), to=side.account)
    build.send(build.refund("coupon-sale", "60.00"), to=side.account)
    pipeline.run(now=NOON + timedelta(seconds=1))


def test_the_coupons_page_names_the_order_and_leads_to_the_refund(
    world: World, as_manager: Client
) -> None:
    buy_and_give_back(world.near)

    page = as_manager.get(url_of(Coupon, "change", world.near.coupon.pk)).content.decode()

    refund = Transaction.objects.get(payment_ref="coupon-sale", kind="refund")
    assert "A-1" in page
    assert f'href="{url_of(Transaction, "change", refund.pk)}"' in page


def test_the_timeline_says_why_a_coupon_came_back(world: World, as_boss: Client) -> None:
    buy_and_give_back(world.near)

    said = {(row[1], row[2]) for row in rows_of(as_boss, world.near.member, "timeline")}

    code = world.near.coupon.code
    assert ("coupon returned", f"{code}: its purchase was refunded in full.") in said
    assert ("coupon redeemed", code) in said


@pytest.mark.parametrize("is_on", [True, False])
def test_the_programmes_page_switches_it(world: World, as_boss: Client, is_on: bool) -> None:
    before = build.programme(returns_coupons=not is_on)
    url = url_of(Programme, "change", before.pk)
    given = {
        name: value
        for name, value in as_boss.get(url).context["adminform"].form.initial.items()
        if name != "returns_coupons" and value is not None
    }

    as_boss.post(url, given | ({"returns_coupons": "on"} if is_on else {}))

    assert Programme.current().returns_coupons is is_on
