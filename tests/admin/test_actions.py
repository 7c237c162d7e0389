"""What staff do for members: each action calls its service once and says what came of it."""

import re
from datetime import timedelta
from decimal import Decimal

from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Message
from campaigns.services.deliver import DOUBT
from loyalty.models import CouponUse, Rule, RuleVersion, Transfer
from members.models import ApiKey, Consent, Identity, Member
from members.services.links import member_of_page_token, page_token
from payments.models import Transaction
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import act, said, select
from tests.admin.test_pages import url_of
from tests.build import NOON


def test_points_are_adjusted_with_a_reason_and_a_name(world: World, as_manager: Client) -> None:
    member = world.near.member
    before = build.balance_of(member)

    page = act(as_manager, Member, member, "adjust", points="-5", reason="Counted twice")

    assert build.balance_of(member) == before - 5
    transfer = Transfer.objects.order_by("-id")[0]
    assert (transfer.points, transfer.reason, transfer.actor) == (
        5,
        "Counted twice",
        world.manager,
    )
    assert "-5 points booked." in said(page)


def test_an_adjustment_needs_a_reason(world: World, as_manager: Client) -> None:
    before = Transfer.objects.count()

    page = act(as_manager, Member, world.near.member, "adjust", points="5", reason="")

    assert page.status_code == 200
    assert Transfer.objects.count() == before


def test_more_than_the_balance_cannot_be_taken(world: World, as_manager: Client) -> None:
    before = build.balance_of(world.near.member)

    page = act(as_manager, Member, world.near.member, "adjust", points="-99999", reason="All")

    assert "no more than that can be taken" in said(page)
    assert build.balance_of(world.near.member) == before


def test_a_new_wallet_brings_its_waiting_payments(world: World, as_manager: Client) -> None:
    waiting = Transaction.objects.get(waiting_for="member", store=world.near.store)

    page = act(as_manager, Member, world.near.member, "identify", kind="wallet", value="w-CENTRAL")

    waiting.refresh_from_db()
    assert waiting.member == world.near.member
    assert "1 waiting transaction" in said(page)


def test_a_taken_identity_is_refused_in_words(world: World, as_manager: Client) -> None:
    before = Identity.objects.count()

    page = act(
        as_manager, Member, world.near.member, "identify", kind="phone", value="+886 912 345 678"
    )

    assert "belongs to another member already" in page.content.decode()
    assert Identity.objects.count() == before


def test_a_consent_is_recorded_as_given_to_staff(world: World, as_manager: Client) -> None:
    act(as_manager, Member, world.near.member, "record_consent")

    newest = Consent.objects.filter(member=world.near.member).order_by("-id")[0]
    assert (newest.is_granted, newest.source) == (False, "staff")


def test_the_member_page_opens_by_a_link(world: World, as_manager: Client) -> None:
    options = Member._meta
    name = f"admin:{options.app_label}_{options.model_name}_open_member_page"

    response = as_manager.get(reverse(name, args=[world.near.member.pk]))

    assert response.status_code == 302
    assert "/m/" in response["Location"]


def test_a_link_in_wrong_hands_is_renewed(world: World, as_manager: Client) -> None:
    member = world.near.member
    before = page_token(member)
    url = url_of(Member, "renew_link", member.pk)

    as_manager.get(url)
    still = member_of_page_token(before)
    page = act(as_manager, Member, member, "renew_link")

    assert "The old links to the member page no longer work." in said(page)
    assert (still, member_of_page_token(before)) == (member, None)
    member.refresh_from_db()
    assert member_of_page_token(page_token(member)) == member


def test_a_member_enrolled_in_the_admin_has_identities(world: World, as_manager: Client) -> None:
    given = {
        "name": "Bo Wong",
        "region": world.near.store.region.pk,
        "home_store": world.near.store.pk,
        "language": "en",
        "phone": "9222 3333",
        "email": "Bo@Example.com",
    }
    world.manager.scope.regions.add(world.near.store.region)

    response = as_manager.post(url_of(Member, "add"), given)

    assert response.status_code == 302, response.context["errors"]
    member = Member.objects.order_by("-pk")[0]
    values = {identity.value for identity in member.identities.all()}
    assert (member.name, values) == ("Bo Wong", {"+85292223333", "bo@example.com"})
    assert member.events.filter(kind="joined").count() == 1


def test_a_saved_rule_is_published(world: World, as_boss: Client) -> None:
    rule = Rule.objects.get()
    rate = rule.rates.get()
    given = {
        "name": "Points",
        "kind": "base",
        "priority": "50",
        "fixed_points": "0",
        "condition": "",
        "starts_at_0": "2024-01-01",
        "starts_at_1": "00:00:00",
        "is_enabled": "on",
        "rates-TOTAL_FORMS": "1",
        "rates-INITIAL_FORMS": "1",
        "rates-0-id": rate.pk,
        "rates-0-rule": rule.pk,
        "rates-0-currency": "HKD",
        "rates-0-per_amount": "5",
        "rates-0-points": "1",
    }

    page = as_boss.post(url_of(Rule, "change", rule.pk), given, follow=True)

    assert "Version 2 counts" in said(page)
    newest = RuleVersion.objects.order_by("-number")[0]
    assert (newest.number, newest.content["rates"]) == (2, [["HKD", "5", 1]])


def test_a_coupon_is_redeemed_and_taken_back(world: World, as_manager: Client) -> None:
    coupon = world.near.coupon
    store = str(world.near.store.pk)

    used = act(as_manager, type(coupon), coupon, "redeem", bill="100", store=store)
    again = act(as_manager, type(coupon), coupon, "redeem", bill="100", store=store)
    back = act(as_manager, type(coupon), coupon, "take_back")

    use = CouponUse.objects.get(coupon=coupon)
    assert (use.discount, use.actor, use.store) == (Decimal(10), world.manager, world.near.store)
    assert "HK$10.00 off" in said(used)
    assert "was used on" in said(again)
    assert "taken back" in said(back)
    assert use.cancelled_at is not None


def test_a_campaign_for_silence_asks_about_those_already_silent(
    world: World, as_boss: Client
) -> None:
    campaign = Campaign.objects.create(name="Miss you", trigger="silence", silent_days=30)
    campaign.texts.create(language="en", subject="Hello", body="See {{ page }}")
    url = reverse("admin:campaigns_campaign_start", args=[campaign.pk])

    question = as_boss.get(url).content.decode()
    unanswered = as_boss.post(url, {})
    campaign.refresh_from_db()
    state_before = campaign.state
    as_boss.post(url, {"include_silent": "yes"})

    assert "It would reach 0 members who are silent now." in question
    assert unanswered.status_code == 200
    assert state_before == "draft"
    campaign.refresh_from_db()
    assert (campaign.state, campaign.includes_already_silent) == ("running", True)


def test_a_campaign_is_paused(world: World, as_boss: Client) -> None:
    campaign = Campaign.objects.get()
    url = reverse("admin:campaigns_campaign_pause", args=[campaign.pk])

    as_boss.get(url)
    campaign.refresh_from_db()
    asked_only = campaign.state
    as_boss.post(url)

    campaign.refresh_from_db()
    assert (asked_only, campaign.state) == ("running", "paused")


def test_a_new_key_is_shown_once(world: World, as_boss: Client) -> None:
    given = {"name": "Till 2", "scopes": ["coupons:redeem"], "is_enabled": "on"}

    page = as_boss.post(url_of(ApiKey, "add"), given, follow=True)
    key = ApiKey.objects.get(name="Till 2")
    later = as_boss.get(url_of(ApiKey, "change", key.pk)).content.decode()

    plain = re.search(r"rk_\w+_[\w-]+", said(page))
    assert plain is not None
    assert plain[0] not in later
    assert key.prefix in later


def test_only_messages_in_doubt_are_sent_again(world: World, as_boss: Client) -> None:
    sent, doubted = Message.objects.order_by("queued_at")[:2]
    Message.objects.filter(pk=doubted.pk).update(state="unknown", waiting_for=DOUBT, due_at=NOON)

    page = select(as_boss, Message, [sent, doubted], "send_again")

    assert "1 message is sent again." in said(page)
    doubted.refresh_from_db()
    assert (doubted.state, doubted.waiting_for) == ("queued", "")
    assert Message.objects.filter(due_at__isnull=False).get() == doubted


def test_only_messages_in_doubt_are_confirmed(world: World, as_boss: Client) -> None:
    sent, doubted = Message.objects.order_by("queued_at")[:2]
    at = NOON - timedelta(hours=1)
    Message.objects.filter(pk=doubted.pk).update(
        state="unknown", waiting_for=DOUBT, due_at=at, sending_at=at, sent_at=None
    )

    stuck = as_boss.get(reverse("admin:stuck")).content.decode()
    page = select(as_boss, Message, [sent, doubted], "confirm_sent")

    assert "Confirm or send again" in stuck
    assert "1 message counts as sent." in said(page)
    doubted.refresh_from_db()
    assert (doubted.state, doubted.waiting_for, doubted.sent_at) == ("sent", "", at)
    assert not Message.objects.filter(due_at__isnull=False).exists()


def test_a_campaign_is_previewed_in_each_language_and_the_mail_is_only_shown(
    world: World, as_boss: Client
) -> None:
    page = as_boss.get(url_of(Campaign, "change", Campaign.objects.get().pk)).content.decode()

    frames = re.findall(r'<iframe [^>]*sandbox="" srcdoc="([^"]*)"', page)
    assert len(frames) == 3
    assert all(frame.startswith("&lt;!") and "/html&gt;" in frame for frame in frames)
