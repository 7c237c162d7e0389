from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from campaigns.models import Campaign, CampaignText
from campaigns.services.running import CampaignIncomplete, pause_campaign, start_campaign
from tests import build
from tests.build import NOON
from tests.campaigns import cast

pytestmark = pytest.mark.django_db


def draft(trigger: str = "large_ticket", *, body: str = "{{ name }}", **changes: Any) -> Campaign:
    row = Campaign.objects.create(name="Thanks", trigger=trigger, **changes)
    CampaignText.objects.create(campaign=row, language="zh-hant", subject="謝謝", body=body)
    return row


def test_a_complete_campaign_starts_and_pauses() -> None:
    campaign = draft(amount=Decimal(500), currency="HKD")

    start_campaign(campaign, include_silent=False, now=NOON)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.started_at) == ("running", NOON)
    pause_campaign(campaign)
    campaign.refresh_from_db()

    assert (campaign.state, campaign.started_at) == ("paused", NOON)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Enter the amount from which a payment counts."),
        ({"amount": Decimal(1), "currency": "XYZ"}, "Enter the currency of the amount"),
        ({"trigger": "silence"}, "Enter after how many days without a purchase"),
        (
            {"trigger": "tier_reached", "body": "{{ coupon }}"},
            "繁體中文: “coupon” needs a coupon.",
        ),
        (
            {"trigger": "tier_reached", "body": "{{ hello }}"},
            "繁體中文: There is no variable “hel",
        ),
        (
            {"trigger": "silence", "silent_days": 9, "condition": {"rules": [{}]}},
            "This condition cannot be read.",
        ),
    ],
)
def test_an_incomplete_campaign_says_what_is_missing(
    changes: dict[str, Any], sentence: str
) -> None:
    campaign = draft(**changes)

    with translation.override("en"), pytest.raises(CampaignIncomplete) as refusal:
        start_campaign(campaign, include_silent=True, now=NOON)

    assert any(problem.startswith(sentence) for problem in refusal.value.problems)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.started_at) == ("draft", None)
    assert campaign.includes_already_silent is False


def test_the_main_language_must_be_written() -> None:
    build.programme(language="en")
    campaign = draft(amount=Decimal(500), currency="HKD")

    with translation.override("en"), pytest.raises(CampaignIncomplete) as refusal:
        start_campaign(campaign, include_silent=False, now=NOON)

    assert refusal.value.problems == [
        "Write the message in English, the programme's main language."
    ]


def test_a_coupon_that_is_switched_off_keeps_it_from_running() -> None:
    kind = cast.coupon_type(is_enabled=False)
    campaign = draft("tier_reached", coupon_type=kind)

    with translation.override("en"), pytest.raises(CampaignIncomplete, match="switched off"):
        start_campaign(campaign, include_silent=False, now=NOON)
