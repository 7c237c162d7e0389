"""A merchant with two stores, one in each region, and staff who may see one, both or none."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from campaigns.models import Campaign, CampaignText
from campaigns.services.running import start_campaign
from config import pipeline
from config.groups import make_groups
from loyalty.models import Coupon, CouponType
from loyalty.services.coupons import issue_coupons, redeem_coupon
from loyalty.services.points import adjust_points
from members.keys import make_key
from members.models import Member, StaffScope, Store
from members.services.consents import set_consent
from payments.models import Account
from payments.services.rates import enter_rate
from tests import build
from tests.build import NOON


@dataclass(frozen=True)
class Side:
    """One store and what belongs to it."""

    store: Store
    account: Account
    member: Member
    coupon: Coupon


@dataclass(frozen=True)
class World:
    near: Side
    far: Side
    boss: User
    manager: User  # May do everything, in the near store only.
    nobody: User  # May do everything, but has no scope.


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def world(db: None, settings: object, tmp_path: Path) -> World:
    settings.EMAIL_FILE_PATH = tmp_path  # type: ignore[attr-defined]
    return make_world()


def make_world() -> World:
    build.programme(language="en")
    build.tiers(basic="0", gold="500")
    build.earning_rule()
    near = _side("CENTRAL", "HK", name="Mei Chan", phone="+852 9123 4567")
    far = _side("TAIPEI", "TW", name="Kit Lin", phone="+886 912 345 678")
    pipeline.run(now=NOON)
    _campaign()
    for side in (near, far):
        trade(side)
    enter_rate(
        currency="CNY", valid_from=NOON.date(), rate=Decimal("1.08"), source="staff", now=NOON
    )
    pipeline.run(now=NOON)
    make_groups()
    make_key("Till", scopes=["coupons:redeem"], store=far.store)
    return World(near, far, _superuser(), _staff("manager", near.store), _staff("nobody", None))


def _side(code: str, region: str, *, name: str, phone: str) -> Side:
    store = build.store(code, region=build.region(region))
    account = build.account(store=store)
    email = f"{name.split(maxsplit=1)[0].lower()}@example.com"
    member = build.member(
        name=name, phone=phone, email=email, home_store=store, region=store.region, language="en"
    )
    set_consent(member, is_granted=True, source="staff", now=NOON - timedelta(days=1))
    (coupon,) = issue_coupons([(_ten_off(), member.pk)], now=NOON)
    assert isinstance(coupon, Coupon)
    return Side(store, account, member, coupon)


def _ten_off() -> CouponType:
    return CouponType.objects.filter(code="ten-off").first() or build.coupon_type()


def _campaign() -> None:
    campaign = Campaign.objects.create(
        name="Large ticket", trigger="large_ticket", amount=Decimal(100), currency="HKD"
    )
    CampaignText.objects.create(
        campaign=campaign, language="en", subject="Thank you, {{ name }}", body="See {{ page }}"
    )
    start_campaign(campaign, include_silent=False, now=NOON - timedelta(hours=1))


def trade(side: Side, *, once: str = "first") -> None:
    """A payment of a member, one of nobody, one without a rate, a conflict and a forgery."""
    mine = {"member": side.member.code, "store": side.store.code}
    first = build.payment("600.00", **mine)
    build.send(first, to=side.account, message_id=f"{once}-{side.store.code}")
    conflicting = build.payment("700.00", **mine)
    build.send(conflicting, to=side.account, message_id=f"{once}-{side.store.code}")
    build.send(build.payment("80.00", wallet=f"w-{side.store.code}"), to=side.account)
    build.send(build.payment("50.00", currency="GBP", **mine), to=side.account)
    build.send(first, to=side.account, secret="whsec_" + "Zm9yZ2VkIHNlY3JldCwgbm90IG91cnMh")
    adjust_points(side.member, points=5, reason="A gift", actor=None, now=NOON)
    (coupon,) = issue_coupons([(_ten_off(), side.member.pk)], now=NOON)
    assert isinstance(coupon, Coupon)
    redeem_coupon(coupon.code, bill=None, store=side.store, now=NOON)


def _superuser() -> User:
    return User.objects.create_superuser("boss")


def _staff(name: str, store: Store | None) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    if store is not None:
        StaffScope.objects.create(user=user).stores.add(store)
    return user


@pytest.fixture
def as_boss(world: World) -> Client:
    return _client(world.boss)


@pytest.fixture
def as_manager(world: World) -> Client:
    return _client(world.manager)


@pytest.fixture
def as_nobody(world: World) -> Client:
    return _client(world.nobody)


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
