"""What campaigns say to merged members: to the person, once, and only if the person agrees."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from campaigns.models import Campaign, CampaignText, Decision, Message
from campaigns.services.running import start_campaign
from config import pipeline
from members.models import Member
from members.panels import read_offers
from members.services.consents import agreed_emails_of, set_consent
from tests import build
from tests.build import NOON
from tests.people.cast import merge, pay, unmerge

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop(settings: Any, tmp_path: Path) -> None:
    settings.EMAIL_FILE_PATH = tmp_path
    build.programme(language="en")
    build.tiers(basic="0", gold="900")
    build.earning_rule()


def campaign(trigger: str, **terms: Any) -> Campaign:
    row = Campaign.objects.create(name=trigger, trigger=trigger, **terms)
    body = "Dear {{ name }}, {{ points }} points: {{ page }}"
    CampaignText.objects.create(campaign=row, language="en", subject="Thank you", body=body)
    start_campaign(row, include_silent=False, now=NOON - timedelta(hours=1))
    return row


def two() -> tuple[Member, Member]:
    mei = build.member(wallet="a", name="Chan Mei", email="mei@example.com", language="en")
    double = build.member(wallet="b", name="Double", email="double@example.com", language="en")
    for member in (mei, double):
        set_consent(member, is_granted=True, source="page", now=NOON - timedelta(days=9))
    return mei, double


def test_a_payment_by_the_other_wallet_is_thanked_for_once_and_to_the_survivor() -> None:
    campaign("large_ticket", amount=Decimal(100), currency="HKD")
    mei, double = two()
    pay("a", "50")
    pipeline.run(now=NOON)
    merge(double, mei)

    pay("b", "200")
    pipeline.run(now=NOON)

    message = Message.objects.get()
    assert (message.state, message.member) == ("sent", double)
    assert "Dear Chan Mei, 250 points" in message.body
    assert Decision.objects.get().member == double


def test_whoever_opted_out_gets_nothing_by_either_wallet() -> None:
    campaign("large_ticket", amount=Decimal(100), currency="HKD")
    mei, double = two()
    merge(double, mei)
    set_consent(mei, is_granted=False, source="unsubscribe", now=NOON)

    pay("b", "200")
    pipeline.run(now=NOON)

    assert Message.objects.get().reason == "no_consent"


def test_what_waits_for_both_is_said_once() -> None:
    row = campaign("tier_reached")
    mei, double = two()
    for wallet in "ab":
        pay(wallet, "1000", ref=wallet)
    stages = tuple(stage for stage in pipeline.STAGES if stage.name != "deliver")
    pipeline.run(now=NOON, stages=stages)
    assert Message.objects.filter(state="queued").count() == 2

    merge(double, mei)
    pipeline.run(now=NOON)

    said = Message.objects.filter(decision__campaign=row).values_list("member", "state", "reason")
    assert set(said) == {(mei.pk, "sent", ""), (double.pk, "withheld", "said_already")}


def test_a_merge_and_its_end_are_no_occasions() -> None:
    campaign("tier_reached")
    mei, double = two()
    for wallet in "ab":
        pay(wallet, "500", ref=wallet)
    pipeline.run(now=NOON)

    merge(double, mei)
    pipeline.run(now=NOON)
    unmerge(double)
    pipeline.run(now=NOON)

    assert mei.standing.tier is not None
    assert not Message.objects.exists()


DAY = timedelta(days=1)


def says(member: Member, *, yes: bool, at: datetime) -> None:
    set_consent(member, is_granted=yes, source="page", now=at)


@pytest.mark.parametrize(
    ("says_again", "state", "reason"),
    [(False, "withheld", "no_address"), (True, "sent", "")],
)
def test_an_address_that_nobody_agreed_to_gets_nothing_until_they_do(
    says_again: bool, state: str, reason: str
) -> None:
    campaign("large_ticket", amount=Decimal(100), currency="HKD")
    mei = build.member(wallet="a", name="Chan Mei", language="en")
    says(mei, yes=True, at=NOON - 9 * DAY)
    double = build.member(wallet="b", email="double@example.com", language="en")
    merge(double, mei, now=NOON - DAY)
    if says_again:
        says(mei, yes=True, at=NOON - DAY / 2)

    pay("a", "200")
    pipeline.run(now=NOON)

    message = Message.objects.get()
    assert (message.state, message.reason) == (state, reason)


def test_of_two_addresses_offers_go_to_the_one_that_was_agreed_to() -> None:
    mei = build.member(wallet="a", email="mei@example.com")
    double = build.member(wallet="b", email="double@example.com")
    third = build.member(wallet="c", email="third@example.com")
    says(mei, yes=True, at=NOON - 9 * DAY)
    says(double, yes=True, at=NOON - 9 * DAY)
    says(third, yes=False, at=NOON - 9 * DAY)

    merge(double, mei)
    before = agreed_emails_of([double.pk, mei.pk])
    merge(third, mei, now=NOON + DAY)
    refused = agreed_emails_of([mei.pk])
    says(mei, yes=True, at=NOON + 2 * DAY)
    again = agreed_emails_of([mei.pk])

    assert before == {mei.pk: "mei@example.com", double.pk: "mei@example.com"}
    assert refused == {}
    assert again[third.pk] == "mei@example.com"


def test_a_yes_along_a_chain_of_merges_is_for_whoever_was_one_then() -> None:
    mei = build.member(wallet="a")
    double = build.member(wallet="b")
    third = build.member(wallet="c", email="third@example.com")
    says(mei, yes=True, at=NOON - DAY)
    says(double, yes=True, at=NOON - DAY)
    merge(third, double)
    merge(double, mei, now=NOON + 2 * DAY)
    unasked = agreed_emails_of([mei.pk])

    unmerge(double, now=NOON + 3 * DAY)
    says(double, yes=True, at=NOON + 4 * DAY)
    asked = agreed_emails_of([double.pk])
    merge(double, mei, now=NOON + 5 * DAY)

    assert unasked == {}
    assert asked[double.pk] == "third@example.com"
    assert agreed_emails_of([mei.pk])[mei.pk] == "third@example.com"


def test_the_page_offers_to_agree_for_an_address_that_a_merge_brought() -> None:
    mei, double = build.member(wallet="a"), build.member(wallet="b", email="double@example.com")
    says(mei, yes=True, at=NOON - DAY)
    merge(double, mei)

    before = read_offers(mei, NOON)
    says(mei, yes=True, at=NOON + DAY)
    after = read_offers(mei, NOON)

    assert (before.is_granted, after.is_granted) == (False, True)
    assert before.address == after.address != ""
