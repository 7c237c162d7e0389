"""The member's tabs and the page of an event say what happened, and what campaigns said to it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from campaigns.models import Campaign, CampaignText
from campaigns.services.running import start_campaign
from config import pipeline
from loyalty.models import Award, Rule
from loyalty.services.expire import expire_lots
from members.models import Event, Member
from members.services.consents import set_consent
from tests import build
from tests.admin.conftest import World
from tests.admin.test_pages import queries_of, url_of
from tests.build import NOON


def rows_of(client: Client, member: Member, name: str) -> list[list[str]]:
    desk = client.get(url_of(Member, "change", member.pk)).context["desk"]
    (tab,) = (tab for tab in desk.tabs if tab.name == name)
    return [[_text(cell) for cell in row] for row in tab.rows]


def _text(cell: Any) -> str:
    return strip_tags(str(cell).replace("</div><div>", " | "))


def decline(name: str, **changes: Any) -> Campaign:
    given = {"trigger": "large_ticket", "amount": Decimal(100), "currency": "HKD", **changes}
    campaign = Campaign.objects.create(name=name, **given)
    CampaignText.objects.create(campaign=campaign, language="en", subject="Hello", body="Hello")
    start_campaign(campaign, include_silent=False, now=NOON - timedelta(hours=1))
    return campaign


def is_in_taipei() -> dict[str, Any]:
    rule = {"field": "store", "operator": "in", "value": ["TAIPEI"]}
    return {"combinator": "and", "rules": [rule]}


def test_the_timeline_says_what_happened_in_words(world: World, as_boss: Client) -> None:
    member = world.near.member
    set_consent(member, is_granted=False, source="page", now=NOON)

    said = {(row[1], row[2]) for row in rows_of(as_boss, member, "timeline")}

    assert ("paid", "HK$600.00, +600 points | Large ticket: yes.") in said
    assert ("points adjusted", "+5: A gift") in said
    assert ("consent changed", "yes (staff)") in said
    assert ("consent changed", "no (member page)") in said
    assert ("tier changed", "Basic → Gold") in said
    assert ("coupon issued", world.near.coupon.code) in said
    assert ("joined", "") in said


def test_staff_read_why_a_campaign_said_no(world: World, as_boss: Client) -> None:
    member = world.near.member
    decline("Whales", amount=Decimal(900))
    decline("Taipei", condition=is_in_taipei())
    paid = build.payment("200.00", member=member.code, store="CENTRAL")
    build.send(paid, to=world.near.account)
    pipeline.run(now=NOON)

    event = Event.objects.filter(member=member, kind="paid").latest("pk")
    page = as_boss.get(url_of(Event, "change", event.pk)).content.decode()

    below = "Whales: no. The payment was below the campaign&#x27;s amount."
    elsewhere = "Taipei: no. Not fulfilled: store is Taipei (it was Central)"
    assert below in page
    assert elsewhere in page
    timeline = [row[2] for row in rows_of(as_boss, member, "timeline")]
    assert any(below in line and elsewhere in line for line in timeline)


def test_more_reasons_ask_no_more_of_the_database(world: World, as_boss: Client) -> None:
    url = url_of(Member, "change", world.near.member.pk)
    for number in range(2):
        decline(f"Taipei {number}", condition=is_in_taipei())
    _pay(world)
    before = queries_of(as_boss, url)
    for _number in range(4):
        _pay(world)

    assert queries_of(as_boss, url) <= before


def _pay(world: World) -> None:
    paid = build.payment("200.00", member=world.near.member.code, store="CENTRAL")
    build.send(paid, to=world.near.account)
    pipeline.run(now=NOON)


def test_the_ledger_names_the_rules_and_what_lapsed(world: World, as_boss: Client) -> None:
    expire_lots(now=NOON + timedelta(days=2000))

    reasons = [row[3] for row in rows_of(as_boss, world.near.member, "ledger")]

    assert "Payment of HK$600.00 at Central | Points: +600" in reasons
    assert "A gift" in reasons
    assert "Lapsed" in reasons


def test_the_page_of_an_award_says_why_in_words(world: World, as_boss: Client) -> None:
    award = Award.objects.filter(member=world.near.member).earliest("pk")

    page = as_boss.get(url_of(Award, "change", award.pk)).content.decode()

    assert "<td>Points</td>" in page
    assert "<td>Counted.</td>" in page


def test_the_admin_leads_to_no_other_site_and_says_when_a_rule_begins(
    world: World, as_boss: Client
) -> None:
    home = as_boss.get(reverse("admin:index"))
    form = as_boss.get(url_of(Rule, "add")).content.decode()

    assert home.context["site_url"] is None
    assert "earn nothing by this rule. Hong Kong" in form
