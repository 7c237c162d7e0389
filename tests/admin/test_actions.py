"""What staff do in the admin: each action calls its service once and says what came of it."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Message
from campaigns.services.deliver import DOUBT
from config import pipeline
from loyalty.models import CouponUse, Rule, RuleVersion, Transfer
from members.models import ApiKey, Consent, Identity, Member, StaffScope
from payments.models import Account, Callback, Rate, Rejection, Transaction
from payments.services.accounts import secrets_of
from tests import build
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.build import NOON, SECRET

SUBMITTED = {"_form_submitted": "1"}


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def act(client: Client, model: Any, row: Any, name: str, **given: str) -> Any:
    """Post a dialog of a row's page; htmx is told where to go next."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_{name}", args=[row.pk])
    response = client.post(url, {**SUBMITTED, **given})
    if "HX-Redirect" in response:
        return client.get(response["HX-Redirect"])
    return response


def select(client: Client, model: Any, rows: list[Any], name: str, **given: str) -> Any:
    chosen = {"action": name, "_selected_action": [str(row.pk) for row in rows], **given}
    return client.post(url_of(model, "changelist"), chosen, follow=True)


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


def test_unmatched_transactions_are_linked_with_their_wallet(
    world: World, as_manager: Client
) -> None:
    row = Transaction.objects.get(waiting_for="member", store=world.near.store)

    question = select(as_manager, Transaction, [row], "link")
    page = select(as_manager, Transaction, [row], "link", member=str(world.near.member.pk))

    assert "Whose transactions are these?" in question.content.decode()
    row.refresh_from_db()
    assert row.member == world.near.member
    assert "1 transaction now belongs to" in said(page)
    assert world.near.member.identities.filter(kind="wallet").count() == 1


def test_nobody_links_to_a_member_outside_their_scope(world: World, as_manager: Client) -> None:
    row = Transaction.objects.get(waiting_for="member", store=world.near.store)

    select(as_manager, Transaction, [row], "link", member=str(world.far.member.pk))

    row.refresh_from_db()
    assert row.member is None


def test_callbacks_are_replayed(world: World, as_manager: Client) -> None:
    rows = list(Callback.objects.filter(account=world.near.account))

    page = select(as_manager, Callback, rows, "replay")

    assert Callback.objects.filter(due_at__isnull=False).count() == len(rows)
    assert f"{len(rows)} callbacks will be read again." in said(page)


def test_a_refused_post_is_taken_in_after_the_secret_was_mended(
    world: World, as_manager: Client
) -> None:
    account = world.near.account
    rejection = Rejection.objects.get(account=account)
    page = as_manager.get(url_of(Rejection, "change", rejection.pk)).content.decode()
    before = Callback.objects.count()

    mended = "whsec_" + "Zm9yZ2VkIHNlY3JldCwgbm90IG91cnMh"
    change_account(as_manager, account, new_secret=mended)
    answer = select(as_manager, Rejection, [rejection], "replay")

    assert "fits none of the account&#x27;s secrets" in page
    assert "1 posts turned out genuine" in said(answer)
    assert Callback.objects.count() == before + 1
    assert not Rejection.objects.filter(pk=rejection.pk).exists()


def change_account(client: Client, account: Account, **given: Any) -> Any:
    data = {"name": account.name, "store": account.store_id or "", "is_enabled": "on", **given}
    return client.post(url_of(Account, "change", account.pk), data)


def test_secrets_go_in_and_never_come_out(world: World, as_boss: Client) -> None:
    account = world.near.account
    newer = "whsec_" + "bmV3ZXIgc2VjcmV0LCB0ZXN0cyBvbmx5ISEh"

    added = change_account(as_boss, account, new_secret=newer)
    page = as_boss.get(url_of(Account, "change", account.pk)).content.decode()

    assert added.status_code == 302
    account.refresh_from_db()
    assert secrets_of(account) == (newer, SECRET)
    assert newer not in page
    assert SECRET not in page
    assert f"•••{newer[-4:]}" in page
    assert f"/callbacks/standard/{account.token}/" in page


def test_an_old_secret_is_removed(world: World, as_boss: Client) -> None:
    account = world.near.account
    change_account(as_boss, account, new_secret="whsec_" + "bmV3ZXIgc2VjcmV0LCB0ZXN0cyBvbmx5ISEh")

    change_account(as_boss, account, removed_secrets=["1"])

    account.refresh_from_db()
    assert len(secrets_of(account)) == 1
    assert SECRET not in secrets_of(account)


def test_a_bad_secret_is_refused_with_a_sentence(world: World, as_boss: Client) -> None:
    account = world.near.account

    page = change_account(as_boss, account, new_secret="secret")

    assert page.status_code == 200
    assert "errorlist" in page.content.decode() or page.context["errors"]
    account.refresh_from_db()
    assert secrets_of(account) == (SECRET,)


def test_an_account_is_made_with_the_fields_of_its_platform(world: World, as_boss: Client) -> None:
    given = {
        "provider": "standard",
        "name": "Web shop",
        "is_enabled": "on",
        "new_secret": "whsec_" + "d2ViIHNob3Agc2VjcmV0LCBmb3IgdGVzdHMh",
    }

    response = as_boss.post(url_of(Account, "add"), given)

    assert response.status_code == 302
    assert len(secrets_of(Account.objects.get(name="Web shop"))) == 1


def test_a_rate_resumes_what_waited_for_it_and_says_so(world: World, as_boss: Client) -> None:
    given = {"currency": "gbp", "valid_from": "2026-11-01", "rate": "10"}

    page = as_boss.post(url_of(Rate, "add"), given, follow=True)
    pipeline.run(now=NOON)

    assert "2 transactions waited for this rate and go on." in said(page)
    assert Transaction.objects.filter(currency="GBP", due_at=None).count() == 2


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


def test_stuck_rows_are_tried_again(world: World, as_boss: Client) -> None:
    Transaction.objects.filter(store=world.near.store).update(
        waiting_for="repair", error="ValueError: odd", due_at=NOON
    )

    before = as_boss.get(reverse("admin:stuck")).content.decode()
    page = as_boss.post(reverse("admin:stuck"), {"model": "payments.transaction"}, follow=True)

    assert "ValueError: odd" in before
    assert "rows are tried again." in said(page)
    assert not Transaction.objects.filter(waiting_for="repair").exists()


def test_the_stuck_page_says_why_in_words(world: World, as_manager: Client) -> None:
    page = as_manager.get(reverse("admin:stuck")).content.decode()

    assert "Waits for a member" in page
    assert "Wait for an exchange rate of GBP." in page
    assert "Enter a rate of GBP" in page


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("Cashier", "loyalty.redeem_coupon", "loyalty.adjust_points"),
        ("Marketing", "campaigns.run_campaign", "members.see_personal_data"),
        ("Store manager", "payments.link_transaction", "payments.view_account"),
        ("Finance", "payments.replay_callback", "members.see_personal_data"),
        ("Administrator", "payments.change_account", "admin.delete_logentry"),
    ],
)
def test_each_group_may_do_its_job_and_no_more(
    world: World, group: str, may: str, may_not: str
) -> None:
    user = User.objects.create_user(group)
    user.groups.add(Group.objects.get(name=group))

    assert user.has_perm(may)
    assert not user.has_perm(may_not)


def test_a_cashier_sees_only_what_the_till_needs(world: World) -> None:
    cashier = User.objects.create_user("cashier", is_staff=True)
    cashier.groups.add(Group.objects.get(name="Cashier"))
    StaffScope.objects.create(user=cashier).stores.add(world.near.store)
    client = Client()
    client.force_login(cashier)

    page = client.get("/admin/").content.decode()

    assert client.get(url_of(Callback, "changelist")).status_code == 403
    assert client.get(url_of(Account, "changelist")).status_code == 403
    assert "Payments by day" not in page
    assert "Refused posts" not in page
    assert Permission.objects.filter(group__name="Cashier").count() >= 6


def test_only_messages_in_doubt_are_sent_again(world: World, as_boss: Client) -> None:
    sent, doubted = Message.objects.order_by("queued_at")[:2]
    Message.objects.filter(pk=doubted.pk).update(state="unknown", waiting_for=DOUBT, due_at=NOON)

    page = select(as_boss, Message, [sent, doubted], "send_again")

    assert "1 message is sent again." in said(page)
    doubted.refresh_from_db()
    assert (doubted.waiting_for, doubted.due_at) == ("", NOON)
    assert Message.objects.filter(due_at__isnull=False).get() == doubted
