"""What staff do with accounts, callbacks, transactions, rates and whatever is stuck."""

import base64
from typing import Any

from django.test import Client
from django.urls import reverse

from config import pipeline
from payments.models import Account, Callback, Rate, Rejection, Transaction
from payments.services.accounts import secrets_of
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import said, select
from tests.admin.test_pages import url_of
from tests.build import NOON, SECRET


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
    assert "1 post turned out genuine and was taken in." in said(answer)
    assert Callback.objects.count() == before + 1
    assert not Rejection.objects.filter(pk=rejection.pk).exists()


NO_RELAY = {"relay-TOTAL_FORMS": "0", "relay-INITIAL_FORMS": "0"}


def change_account(client: Client, account: Account, **given: Any) -> Any:
    data = {"name": account.name, "store": account.store_id or "", "is_enabled": "on"}
    return client.post(url_of(Account, "change", account.pk), data | NO_RELAY | given)


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


def test_a_signing_secret_is_made_and_shown_once(world: World, as_boss: Client) -> None:
    account = world.near.account

    change_account(as_boss, account, makes_secret="on")
    url = url_of(Account, "change", account.pk)
    first, later = (as_boss.get(url).content.decode() for _time in range(2))

    account.refresh_from_db()
    made, older = secrets_of(account)
    assert older == SECRET
    assert len(base64.b64decode(made.removeprefix("whsec_"), validate=True)) == 32
    assert (made in first, made in later) == (True, False)
    send = build.payment("60.00", member=world.near.member.code, store="CENTRAL")
    assert build.send(send, to=account, secret=made).status_code == 200


def test_only_a_platform_of_ours_lets_secrets_be_made(world: World, as_boss: Client) -> None:
    stripe = build.account(provider="stripe")
    kept = secrets_of(stripe)

    page = change_account(as_boss, stripe, makes_secret="on")

    assert page.status_code == 302
    stripe.refresh_from_db()
    assert secrets_of(stripe) == kept


def test_an_old_secret_is_removed(world: World, as_boss: Client) -> None:
    account = world.near.account
    change_account(as_boss, account, new_secret="whsec_" + "bmV3ZXIgc2VjcmV0LCB0ZXN0cyBvbmx5ISEh")

    old = shown_secrets(as_boss, account)[1]
    change_account(as_boss, account, removed_secrets=[old])

    account.refresh_from_db()
    assert len(secrets_of(account)) == 1
    assert SECRET not in secrets_of(account)


def shown_secrets(client: Client, account: Account) -> list[str]:
    page = client.get(url_of(Account, "change", account.pk))
    field = page.context["adminform"].form.fields["removed_secrets"]
    return [name for name, _words in field.choices]


def test_on_an_old_page_the_secret_that_it_shows_is_removed(world: World, as_boss: Client) -> None:
    account = world.near.account
    newer = "whsec_" + "bmV3ZXIgc2VjcmV0LCB0ZXN0cyBvbmx5ISEh"
    (shown,) = shown_secrets(as_boss, account)
    change_account(as_boss, account, new_secret=newer)

    change_account(as_boss, account, removed_secrets=[shown])
    again = change_account(as_boss, account, removed_secrets=[shown])

    account.refresh_from_db()
    assert secrets_of(account) == (newer,)
    assert again.context["adminform"].form.errors == {
        "removed_secrets": ["A secret that you chose was removed meanwhile."]
    }


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
        "standard__secret": "whsec_" + "d2ViIHNob3Agc2VjcmV0LCBmb3IgdGVzdHMh",
        **NO_RELAY,
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
    assert '<span class="rg-subtle">£50.00</span>' in page
