"""The states of coupons: the list, its filter and the member page say the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from loyalty.models import Coupon
from loyalty.selectors import CouponState, coupons_of
from loyalty.services.coupons import cancel_coupon, cancel_use, issue_coupons, redeem_coupon
from members.models import Member
from tests import build
from tests.admin.test_pages import url_of
from tests.build import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei(db: None) -> Member:
    build.programme(language="en")
    return build.member()


def a_coupon(member: Member, *, uses: int = 1, used: int = 0, **terms: Any) -> Coupon:
    name = f"type-{terms.pop('name', 'ten-off')}"
    kind = build.coupon_type(name, uses_per_coupon=uses, **terms)
    (coupon,) = issue_coupons([(kind, member.pk)], now=NOON - timedelta(days=2))
    assert isinstance(coupon, Coupon)
    for _use in range(used):
        redeem_coupon(coupon.code, bill=None, store=build.store(), now=NOON - timedelta(days=1))
    return coupon


def listed(state: str = "") -> dict[str, str]:
    """What the list shows, by code: each with its state in words."""
    client = Client()
    client.force_login(User.objects.get_or_create(username="boss", is_superuser=True,
                                                  is_staff=True)[0])  # fmt: skip
    page = client.get(url_of(Coupon, "changelist"), {"state": state} if state else {})
    changes = page.context["cl"]
    desk = changes.model_admin
    return {row.code: desk.shown_state(row)[1] for row in changes.result_list}


@pytest.mark.parametrize(
    ("used", "state", "words"),
    [
        (0, "usable", "usable"),
        (1, "usable", "usable"),
        (2, "usable", "usable"),
        (3, "used", "used"),
    ],
)
def test_a_coupon_of_several_uses_is_used_after_its_last(
    mei: Member, used: int, state: str, words: str
) -> None:
    coupon = a_coupon(mei, uses=3, used=used)

    shown = {each: listed(each) for each in ("", "usable", "used")}

    others: dict[str, dict[str, str]] = {"usable": {}, "used": {}}
    assert shown == {**others, "": {coupon.code: words}, state: {coupon.code: words}}


def test_a_use_that_was_taken_back_counts_no_longer(mei: Member) -> None:
    coupon = a_coupon(mei, used=1)
    before = listed("used")

    cancel_use(coupon.uses.get(), now=NOON)

    assert before == {coupon.code: "used"}
    assert (listed("used"), listed("usable")) == ({}, {coupon.code: "usable"})


def test_list_filter_and_member_page_agree_on_every_state(mei: Member) -> None:
    made = {
        "usable": a_coupon(mei, name="a"),
        "upcoming": a_coupon(mei, name="b", starts_at=NOON + timedelta(days=1)),
        "used": a_coupon(mei, name="c", used=1, valid_days=1),  # And lapsed since.
        "expired": a_coupon(mei, name="d", valid_days=1),
        "cancelled": a_coupon(mei, name="e", used=1),
    }
    cancel_coupon(made["cancelled"], now=NOON)

    held = {each.coupon.pk: each.state.value for each in coupons_of(mei, now=NOON)}

    assert held == {coupon.pk: state for state, coupon in made.items()}
    words = {state.value: str(state.label) for state in CouponState}
    assert words == {
        "usable": "usable", "upcoming": "not yet", "used": "used", "expired": "lapsed",
        "cancelled": "void",
    }  # fmt: skip
    assert listed() == {coupon.code: words[state] for state, coupon in made.items()}
    for state, coupon in made.items():
        assert listed(state) == {coupon.code: words[state]}


def test_a_nonsense_state_filters_nothing(mei: Member) -> None:
    coupon = a_coupon(mei)

    assert listed("nonsense") == {coupon.code: "usable"}
