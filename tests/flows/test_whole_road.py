"""One payment through the public edges: points, tier, coupon, message, member page, till."""

import itertools
import random
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, CampaignText, Decision, Message, Reaction
from campaigns.services.running import start_campaign
from config import pipeline
from loyalty.models import Coupon, CouponUse, Tier
from loyalty.services.books import verify_books
from members.keys import make_key
from members.models import Member
from members.services.consents import set_consent
from members.services.links import page_url
from members.templatetags.member_page import spaced
from tests import build

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_goes_to_files(settings: Any, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "campaigns.channels.eml.EmlBackend"
    settings.EMAIL_FILE_PATH = tmp_path


def run() -> None:
    pipeline.run(now=timezone.now())


def campaign(trigger: str, **changes: Any) -> Campaign:
    row = Campaign.objects.create(
        name=trigger, trigger=trigger, coupon_type=build.coupon_type(trigger), **changes
    )
    for language in ("en", "zh-hant", "zh-hans"):
        CampaignText.objects.create(
            campaign=row,
            language=language,
            subject=f"{language}: {{{{ coupon }}}}",
            body="{{ page }}",
        )
    start_campaign(row, include_silent=False, now=timezone.now() - timedelta(hours=1))
    return row


@pytest.fixture
def mei(db: None) -> Member:
    build.programme()
    build.tiers(basic="0", gold="5000")
    build.earning_rule(rates={"HKD": ("10", 1)})
    campaign("tier_reached")
    campaign("large_ticket", amount=Decimal(3000), currency="HKD")
    member = build.member(wallet="mei", email="mei@example.com", name="Mei", language="zh-hans")
    set_consent(member, is_granted=True, source="staff", now=timezone.now())
    return member


def purchases() -> list[dict[str, Any]]:
    """2,000, then 4,000 (large, and gold), of which 500 goes back."""
    at = timezone.now()
    return [
        build.payment("2000.00", wallet="mei", ref="p1", at=at - timedelta(minutes=3)),
        build.payment("4000.00", wallet="mei", ref="p2", at=at - timedelta(minutes=2)),
        build.refund("p2", "500.00", ref="r2", at=at - timedelta(minutes=1)),
    ]


def letters(member: Member) -> list[Any]:
    files = sorted(Path(settings.EMAIL_FILE_PATH).rglob("*.eml"))
    return [message_from_bytes(file.read_bytes()) for file in files]


def test_a_payment_becomes_points_a_tier_a_coupon_a_message_and_a_page(mei: Member) -> None:
    for number, payload in enumerate(purchases()):
        build.send(payload, message_id=f"m{number}")
    run()

    assert build.balance_of(mei) == 550
    assert mei.standing.tier == Tier.objects.get(code="gold")
    decided = Decision.objects.order_by("campaign__trigger").values_list(
        "campaign__trigger", flat=True
    )
    assert list(decided) == ["large_ticket", "tier_reached"]
    assert [message.state for message in Message.objects.all()] == ["sent", "sent"]
    subjects = {str(letter["Subject"]) for letter in letters(mei)}
    assert len(letters(mei)) == 2
    assert all(
        letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" for letter in letters(mei)
    )
    assert len(subjects) == 1
    page = Client().get(page_url(mei).removeprefix(settings.PUBLIC_URL))
    for coupon in Coupon.objects.all():
        assert spaced(coupon.code) in page.content.decode()
    assert [finding for finding in verify_books() if not finding.is_clean] == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_redelivered_and_shuffled_it_comes_to_the_same(
    mei: Member, order: tuple[int, ...]
) -> None:
    sent = purchases()
    for number in (*order, *random.Random(3).sample(order, 3)):
        build.send(sent[number], message_id=f"m{number}")
        run()
    run()

    # The refund is known before the large payment is judged, or after: it stays above 3,000.
    assert build.balance_of(mei) == 550
    assert mei.standing.tier == Tier.objects.get(code="gold")
    assert (Decision.objects.count(), Coupon.objects.count(), len(letters(mei))) == (2, 2, 2)
    assert Reaction.objects.count() == 3
    assert [finding for finding in verify_books() if not finding.is_clean] == []


def test_the_coupon_of_the_message_is_redeemed_once_at_a_till(mei: Member) -> None:
    build.send(purchases()[1])
    run()
    coupon = Coupon.objects.get(type__code="large_ticket")
    _, plain = make_key("Till", scopes=["coupons:redeem"], store=build.store())

    def redeem(key: str) -> Any:
        return Client().post(
            f"/api/v1/coupons/{coupon.code}/redeem",
            data={"bill": "80.00", "currency": "HKD"},
            content_type="application/json",
            headers={"authorization": f"Bearer {plain}", "idempotency-key": key},
        )

    first, repeated, second = redeem("a"), redeem("a"), redeem("b")

    assert (first.status_code, first.json()["discount"]) == (201, "10.00")
    assert repeated.json() == first.json()
    assert second.status_code == 409
    assert CouponUse.objects.count() == 1
