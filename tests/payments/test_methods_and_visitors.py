"""Payment methods as one dimension, and who is a visitor."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from django.utils.translation import override

from kit.conditions import matches, validate
from kit.money import Money
from loyalty.conditions import PAYMENT, Origin, payment_facts
from payments.models import Category, PaymentMethod, Product, Transaction
from payments.providers.base import Kind, Notice, NoticeLine
from payments.rules.methods import METHODS, code_of
from payments.selectors import category_tree, method_names, of_visitors, share_with_lines
from payments.services.methods import make_methods
from payments.services.sales import book_sales
from tests import build
from tests.build import NOON


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("ALIPAY_HK", "alipay_hk"),  # Antom
        ("alipayhk", "alipay_hk"),  # Airwallex
        ("ALIPAY_CN", "alipay_cn"),
        ("alipay", "alipay_cn"),  # Alipay itself, Stripe
        ("wechatpay", "wechat_pay"),
        ("wechat_pay", "wechat_pay"),
        ("WeChat", "wechat_pay"),
        ("mc", "mastercard"),  # Adyen
        ("CREDIT", "card"),  # NewebPay
        ("Credit_CreditCard", "card"),  # ECPay
        ("ATM_TAISHIN", "atm"),
        ("line_pay", "linepay"),
        ("八達通", "octopus"),
        ("Gift Card", "gift card"),  # Nobody knows it: its own code.
        ("", ""),
    ],
)
def test_every_platforms_word_has_one_code(word: str, code: str) -> None:
    assert code_of(word) == code


def test_no_word_means_two_methods() -> None:
    words = [word for method in METHODS for word in {method.code, *method.words}]

    assert {code_of(word) for word in words} == {method.code for method in METHODS}
    assert all(code_of(word) == method.code for method in METHODS for word in method.words)


def sale(**said: Any) -> Transaction:
    ref = said.pop("ref", "p1")
    notice = Notice(Kind.PAYMENT, ref, ref, Money.parse("100", "HKD"), NOON, **said)
    booked = book_sales([notice], account=build.account(), source="callback", now=NOON)
    return booked.fresh[0]


@pytest.mark.django_db
def test_a_method_is_learnt_with_the_names_that_the_trade_knows() -> None:
    rows = [sale(ref="a", method="ALIPAY_HK"), sale(ref="b", method="Gift Card"), sale(ref="c")]

    assert [row.method for row in rows] == ["alipay_hk", "gift card", ""]
    learnt = {row.code: row.name_zh_hans for row in PaymentMethod.objects.all()}
    assert learnt == {"alipay_hk": "AlipayHK 支付宝香港", "gift card": ""}
    with override("zh-hant"):
        names = method_names(row.method for row in rows)
    assert names == {"alipay_hk": "AlipayHK 支付寶香港", "gift card": "gift card"}


@pytest.mark.django_db
def test_names_that_staff_gave_stay() -> None:
    make_methods()
    PaymentMethod.objects.filter(code="fps").update(name="FPS QR", is_offered=True)

    make_methods()
    sale(method="fps")

    row = PaymentMethod.objects.get(code="fps")
    assert (row.name, row.is_offered) == ("FPS QR", True)


@pytest.mark.django_db
def test_visitors_are_found_in_lists_as_in_rules() -> None:
    build.store("CENTRAL")
    taiwan = build.region("TW", currency="TWD")
    guest, local = build.member(region=taiwan), build.member()
    build.store("NORTH", region=build.region("north"))
    told = {
        "guest": sale(ref="guest", store_code="CENTRAL", member_code=guest.code),
        "local": sale(
            ref="local", store_code="CENTRAL", member_code=local.code, payer_country="CN"
        ),
        "wallet": sale(ref="wallet", store_code="CENTRAL", payer_country="CN"),
        "nobody": sale(ref="nobody", store_code="CENTRAL"),
        "no store": sale(ref="no store", payer_country="CN"),
        "no country": sale(ref="no country", store_code="NORTH", payer_country="CN"),
    }

    def names(rows: Any) -> set[str]:
        return {name for name, row in told.items() if row in set(rows)}

    assert names(of_visitors(Transaction.objects.all())) == {"guest", "wallet"}
    assert names(of_visitors(Transaction.objects.all(), are_visitors=False)) == {"local"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("home", "payer", "wanted"), [("TW", "", True), ("HK", "CN", False), ("", "CN", True)]
)
def test_a_rule_may_ask_for_visitors(home: str, payer: str, wanted: bool) -> None:
    facts = payment_facts(
        Money.parse("100", "HKD"),
        shop_time=NOON,
        store=build.store(),
        method="fps",
        is_first_payment=False,
        categories=(),
        brands={"Mountain"},
        origin=Origin(home, payer),
    )
    make_methods()
    Product.objects.create(sku="A", name="A", brand="Mountain")
    rules = [
        {"field": "is_visitor", "operator": "=", "value": True},
        {"field": "paid_with", "operator": "in", "value": ["fps"]},
        {"field": "brands", "operator": "containsAny", "value": ["Mountain"]},
    ]

    tree = validate({"combinator": "and", "rules": rules}, PAYMENT)

    verdict = matches(tree, facts, PAYMENT, now=NOON, zone=UTC)
    assert verdict.is_match is wanted


@pytest.mark.django_db
def test_the_tree_of_categories_is_walked_up_and_down_and_ends_in_a_ring() -> None:
    drinks = build.category("drinks")
    tea = build.category("tea", drinks)
    oolong = build.category("oolong", tea)

    tree = category_tree()
    assert tree.above(oolong.pk) == ("oolong", "tea", "drinks")
    assert tree.below(drinks.pk) == {drinks.pk, tea.pk, oolong.pk}

    Category.objects.filter(pk=drinks.pk).update(parent=oolong)
    tree = category_tree()
    assert tree.above(oolong.pk) == ("oolong", "tea", "drinks")
    assert tree.below(oolong.pk) == {drinks.pk, tea.pk, oolong.pk}


@pytest.mark.django_db
def test_the_share_of_sales_with_lines_is_a_whole_per_cent() -> None:
    since = NOON - timedelta(days=1)
    assert share_with_lines(Transaction.objects.all(), since=since) is None
    line = NoticeLine("TEA-1", Money.parse("1", "HKD").amount, Money.parse("9", "HKD").amount)

    sale(ref="with", lines=(line,))
    sale(ref="without")
    sale(ref="neither")

    assert share_with_lines(Transaction.objects.all(), since=since) == 33
    assert Product.objects.get().is_learnt is True


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "told", "country"),
    [
        ("alipay", "", "CN"),  # Only people of the mainland hold it.
        ("alipayhk", "", "HK"),
        ("alipay", "SG", "SG"),  # What the platform says counts.
        ("grabpay", "", ""),  # It is held in several countries.
        ("octopus", "", ""),  # Visitors are given the card too.
        ("", "", ""),
    ],
)
def test_a_wallet_that_one_country_holds_tells_where_its_payer_is_at_home(
    method: str, told: str, country: str
) -> None:
    assert sale(method=method, payer_country=told).payer_country == country
