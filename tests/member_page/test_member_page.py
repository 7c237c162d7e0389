"""The member's own page: what it says."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client

from loyalty.models import Rule, RuleVersion, Transfer
from members.models import Member
from members.services.links import page_url
from payments.models import Category, Transaction
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


def test_it_greets_and_shows_the_member_number_readably_and_as_qr() -> None:
    mei = holdings.member(NOW)

    page = Client().get(path_of(mei)).content.decode()

    assert "Hello, 陳美玲" in page
    assert " ".join((mei.code[:4], mei.code[4:8], mei.code[8:])) in page
    assert page.count("<svg") == 1
    assert "Central" in page


def test_it_shows_points_and_what_lapses_next() -> None:
    mei = holdings.member(NOW)
    first = holdings.payment(mei, at=NOW, points=100, expires_at=NEW_YEAR)
    holdings.payment(mei, at=NOW, points=50, expires_at=NEW_YEAR)
    holdings.payment(mei, at=NOW, points=1200, expires_at=NEW_YEAR + timedelta(days=365))
    refund = holdings.payment(mei, at=NOW, points=-30, kind=Transaction.Kind.REFUND)
    holdings.use_lot(first.lot, refund, points=30)
    holdings.standing(mei, balance=1320)

    page = text_of(mei)

    assert "Your points 1,320 points 120 points lapse on 31 Dec 2026" in page


def test_points_that_lapsed_already_are_not_announced() -> None:
    mei = holdings.member(NOW)
    holdings.payment(mei, at=NOW, points=100, expires_at=NOW)
    holdings.standing(mei, balance=100)

    assert "lapse" not in text_of(mei)


def test_it_explains_each_row_of_the_ledger() -> None:
    mei = holdings.member(NOW)
    base, shoes = version_of_rule("Base", "基本"), version_of_rule("Shoes", "鞋履")
    why: list[dict[str, Any]] = [
        {"outcome": "applied", "rule": base, "points": 95},
        {"outcome": "applied", "rule": shoes, "points": 20, "reason": "cap", "wanted": 60},
        {"outcome": "refused", "rule": shoes, "reason": "condition"},
        {"outcome": "applied", "reason": "tier", "points": 23},
    ]
    holdings.payment(mei, at=NOW - timedelta(days=2), points=138, amount="1095.00", why=why)
    holdings.payment(
        mei, at=NOW - timedelta(days=1), points=-38, amount="300", kind=Transaction.Kind.REFUND
    )
    holdings.transfer(mei, at=NOW, points=5, reason="thanks for your patience")

    page = text_of(mei)

    assert page.partition("Points and why ")[2].startswith(
        "Thanks for your patience 21 Nov 2026 +5 "
        "Refund of HK$300.00 at Central 20 Nov 2026 −38 "
        "Payment of HK$1,095.00 at Central "
        "Base: +95 Shoes: +20 (of 60, the rest is above the daily limit) Your tier: +23 "
        "19 Nov 2026 +138 "
    )


def test_rules_and_stores_are_named_in_the_members_language() -> None:
    mei = holdings.member(NOW, language="zh-hant")
    why = [{"outcome": "applied", "rule": version_of_rule("Base", "基本積分"), "points": 95}]
    holdings.payment(mei, at=NOW, points=95, why=why)

    page = text_of(mei)

    assert "基本積分" in page
    assert "中環店" in page
    assert "2026年11月21日" in page


def test_refund_says_what_was_not_taken_back() -> None:
    mei = holdings.member(NOW)
    holdings.payment(mei, at=NOW, points=-60, kind=Transaction.Kind.REFUND, forgiven=35)

    assert "35 points more had lapsed already and were not taken back" in text_of(mei)


def test_it_shows_the_newest_twenty_rows() -> None:
    mei = holdings.member(NOW)
    for number in range(1, 23):
        at = NOW - timedelta(hours=number)
        holdings.transfer(mei, at=at, points=number, kind=Transfer.Kind.ADJUST)

    page = Client().get(path_of(mei)).content.decode()

    assert re.findall(r">([+−]\d+)</p>", page) == [f"+{number}" for number in range(1, 21)]


def test_it_shows_the_way_to_the_next_tier() -> None:
    mei = holdings.member(NOW)
    basic, _silver, _gold = holdings.tiers()
    holdings.standing(mei, spend="3280", tier=basic)

    page = Client().get(path_of(mei)).content.decode()

    assert '<progress max="100" value="65"' in page
    assert "HK$3,280.00 of HK$5,000.00 in 12 months" in page
    assert "HK$1,720.00 more and you reach Silver." in page


def test_it_thanks_at_the_highest_tier() -> None:
    mei = holdings.member(NOW)
    gold = holdings.tiers()[-1]
    holdings.standing(mei, spend="25000", tier=gold)

    page = text_of(mei)

    assert "Your tier Gold HK$25,000.00 in 12 months This is the highest tier." in page
    assert "more and you reach" not in page


def test_somebody_who_never_paid_stands_in_the_lowest_tier() -> None:
    mei = holdings.member(NOW)
    holdings.tiers()

    page = text_of(mei)

    assert "Your points 0 points Show this at the till" in page
    assert "Your tier Basic 0% HK$0.00 of HK$5,000.00 in 12 months" in page
    assert "No coupons at the moment." in page
    assert "Nothing yet. Show your member number when you pay" in page


def test_programme_without_tiers_shows_none() -> None:
    mei = holdings.member(NOW)

    assert "Your tier" not in text_of(mei)


def test_debt_is_a_negative_balance_with_its_reason() -> None:
    mei = holdings.member(NOW)
    holdings.standing(mei, balance=-40)

    assert (
        "Your points −40 points More points were taken back than you had left."
        " The next points you earn make up for it." in text_of(mei)
    )


def test_coupons_show_code_benefit_conditions_and_last_day() -> None:
    mei = holdings.member(NOW)
    shoes = Category.objects.create(code="shoes", name="Shoes")
    kind = holdings.coupon_type(minimum_spend=Decimal(300), category=shoes)
    kind.stores.add(holdings.store())
    held = holdings.coupon(mei, kind, starts_at=NOW, expires_at=NEW_YEAR)

    page = text_of(mei)

    code = " ".join((held.code[:4], held.code[4:8], held.code[8:]))
    assert (
        "Your coupons HK$50.00 off Welcome gift From HK$300.00 Only for Shoes Only at Central"
        f" Until 31 Dec 2026 {code}" in page
    )


def test_coupons_that_are_over_stand_apart_without_a_code_to_scan() -> None:
    mei = holdings.member(NOW)
    kind = holdings.coupon_type(benefit="percent", value=Decimal("12.50"), most_off=Decimal(80))
    early = NOW - timedelta(days=30)
    used = holdings.coupon(mei, kind, starts_at=early, expires_at=NEW_YEAR)
    holdings.coupon_use(used, at=NOW - timedelta(days=1))
    holdings.coupon(mei, kind, starts_at=early, expires_at=NOW - timedelta(days=3))
    holdings.coupon(mei, kind, starts_at=early, expires_at=NOW - timedelta(days=120))
    holdings.coupon(mei, kind, starts_at=NOW + timedelta(days=2), expires_at=NEW_YEAR)

    answer = Client().get(path_of(mei))
    page = text_of(mei)

    assert answer.content.decode().count("<svg") == 2  # The member's and the coming coupon's.
    assert "12.5% off Welcome gift At most HK$80.00 off From 23 Nov 2026 until 31 Dec" in page
    past = page.partition("Used and expired 2 ")[2]
    assert "Used on 20 Nov 2026" in past
    assert "Expired on 18 Nov 2026" in past


def test_use_that_was_taken_back_leaves_the_coupon_open() -> None:
    mei = holdings.member(NOW)
    held = holdings.coupon(mei, holdings.coupon_type(), starts_at=NOW, expires_at=NEW_YEAR)
    use = holdings.coupon_use(held, at=NOW)
    use.cancelled_at = NOW
    use.save()

    assert "Used and expired" not in text_of(mei)


def test_one_member_never_sees_what_another_holds() -> None:
    mei, bo = holdings.member(NOW), holdings.member(NOW, name="Bo", email="bo@example.com")
    holdings.payment(mei, at=NOW, points=77, expires_at=NEW_YEAR)
    holdings.standing(mei, balance=77)
    held = holdings.coupon(mei, holdings.coupon_type(), starts_at=NOW, expires_at=NEW_YEAR)

    page = text_of(bo)

    assert "77" not in page.partition("Your points")[2].partition("Show this")[0]
    assert held.code[:4] not in page
    assert "No coupons at the moment." in page
