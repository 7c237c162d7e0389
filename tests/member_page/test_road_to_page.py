"""A payment goes down the road, and its member reads why."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from loyalty.services.settle import settle_members
from members.services.links import page_url
from payments.services.translate import translate_callbacks
from tests import build

pytestmark = pytest.mark.django_db


def drain() -> None:
    now = timezone.now() + timedelta(seconds=1)
    while translate_callbacks(now=now, limit=500) + settle_members(now=now, limit=500):
        pass


def test_page_explains_a_settled_payment_and_its_refund() -> None:
    build.tiers(basic="0", gold="10000")
    build.earning_rule(name="One for ten", rates={"HKD": ("10", 1)})
    mei = build.member(wallet="w", language="en")
    build.send(build.payment("95.00", wallet="w", ref="p1"))
    drain()
    build.send(build.refund("p1", "6.00"))
    drain()

    page = Client().get("/m/" + page_url(mei).rpartition("/")[2]).content.decode()

    assert "<strong>8</strong> <span>points</span>" in page
    assert "Payment of HK$95.00" in page
    assert "<li>One for ten: +9</li>" in page
    assert "Refund of HK$6.00" in page
    assert "<li>What is left of the payment earns 8 points</li>" in page
    assert "HK$89.00 of HK$10,000.00 in 12 months" in page
