"""A small shop whose owner speaks nothing but Chinese, with something on every main page."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.apps import apps
from django.contrib.auth.models import User

from campaigns.models import Campaign, CampaignText, Message
from campaigns.services.running import start_campaign
from config import pipeline
from kit.money import Money
from kit.names import Named
from loyalty.models import Award, Coupon, CouponType, Rule
from loyalty.services.coupons import redeem_coupon
from loyalty.services.points import adjust_points
from loyalty.services.rules import publish_rule
from members.models import Member, Store
from members.services.consents import set_consent
from payments.models import Account, Callback
from tests import build
from tests.build import NOON

# One text in each Chinese, for every name and sentence that a merchant would enter.
ENTERED = {"zh-hant": "優惠茶葉", "zh-hans": "优惠茶叶"}
OF_TEA = {
    "combinator": "and",
    "not": False,
    "rules": [
        {"field": "categories", "operator": "containsAny", "value": ["7-tea"]},
        {"field": "hour", "operator": ">=", "value": "8"},
        {"field": "store", "operator": "in", "value": ["7-CENTRAL"]},
    ],
}


@dataclass(frozen=True)
class Shop:
    member: Member
    award: Award
    coupon: Coupon
    message: Message
    campaign: Campaign
    rule: Rule
    callback: Callback


def open_shop(language: str) -> Shop:
    build.programme(language=language)
    build.tiers(**{"basic": "0", "7-gold": "500", "8-jade": "5000"})
    store = build.store("7-CENTRAL")
    build.category("7-tea")
    _rules()
    kind = build.coupon_type("7-off", currency="HKD", minimum_spend=Decimal(50))
    account = build.account(store=store)
    campaign = _campaign(language, kind)
    name = ENTERED[language]
    for model in apps.get_models():
        if issubclass(model, Named):
            model._default_manager.update(name=name)
    Account.objects.update(name=name)
    for rule in Rule.objects.all():
        publish_rule(rule, now=NOON - timedelta(hours=2))
    member = build.member(
        name=name, phone="+852 9123 4567", email="7@example.com", home_store=store,
        region=store.region, language=language, wallet="w-7",
    )  # fmt: skip
    set_consent(member, is_granted=True, source="staff", now=NOON - timedelta(days=1))
    pipeline.run(now=NOON)
    _trade(member, account, store, name)
    User.objects.create_superuser("boss", password="only-for-tests")
    message = Message.objects.latest("queued_at")
    return Shop(
        member=member,
        award=Award.objects.filter(member=member).latest("points"),
        coupon=Coupon.objects.filter(member=member)[0],
        message=message,
        campaign=campaign,
        rule=Rule.objects.exclude(condition={}).latest("pk"),
        callback=Callback.objects.filter(waiting_for="").latest("received_at"),
    )


def _rules() -> None:
    build.earning_rule()
    build.earning_rule(kind="bonus", fixed_points=7, condition=OF_TEA)


def _campaign(language: str, kind: CouponType) -> Campaign:
    campaign = Campaign.objects.create(
        name="7", trigger="large_ticket", amount=Decimal(100), currency="HKD", coupon_type=kind
    )
    text = "{{ name }} {{ coupon }} {{ coupon_code }} {{ valid_until }}"
    CampaignText.objects.create(
        campaign=campaign, language=language, subject=ENTERED[language], body=text
    )
    start_campaign(campaign, include_silent=False, now=NOON - timedelta(hours=1))
    return campaign


def _trade(member: Member, account: Account, store: Store, reason: str) -> None:
    """Payments of the member, of nobody and without a rate; a refund; a conflict; a forgery."""
    mine = {"member": member.code, "store": store.code}
    first = build.payment("600.00", ref="7-first", **mine)
    build.send(first, to=account, message_id="7-first")
    build.send(build.payment("700.00", **mine), to=account, message_id="7-first")
    build.send(build.refund("7-first", "50.00"), to=account)
    build.send(build.refund("7-unknown", "50.00"), to=account)
    build.send(build.payment("80.00", wallet="w-8"), to=account)
    build.send(build.payment("50.00", currency="GBP", **mine), to=account)
    build.send(first, to=account, secret="whsec_" + "Zm9yZ2VkIHNlY3JldCwgbm90IG91cnMh")
    adjust_points(member, points=5, reason=reason, actor=None, now=NOON)
    pipeline.run(now=NOON)
    coupon = Coupon.objects.filter(member=member)[0]
    redeem_coupon(coupon.code, bill=Money(Decimal(90), "HKD"), store=store, now=NOON)
