"""A payment account in the admin: its form for every platform, and its test."""

import hashlib
import hmac
import json
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from payments.models import Account, Callback, Query, Rejection, Transaction
from payments.providers import all_providers
from payments.services.account_check import Level, check_account
from payments.services.accounts import secrets_of
from tests import build
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.build import NOON, SECRET

PAYLOADS = Path(__file__).parents[1] / "payloads"
PUBLIC = "https://regulars.example.com"
CHANNEL = {"channel_id": "1650000000", "environment": "sandbox"}


def page_of(client: Client, account: Account, name: str, **posted: Any) -> str:
    url = f"/admin/payments/account/{account.pk}/{name}/"
    response = client.post(url, posted, follow=True) if posted else client.get(url)
    assert response.status_code == 200
    return unescape(response.content.decode())


def add_account(client: Client, provider: str, **fields: str) -> Any:
    posted = {
        "provider": provider,
        "name": "New one",
        "is_enabled": "on",
        "relay-TOTAL_FORMS": "0",
        "relay-INITIAL_FORMS": "0",
        **fields,
    }
    return client.post(url_of(Account, "add"), posted)


# The form


@pytest.mark.parametrize("code", list(all_providers()))
def test_every_platform_has_its_fields_in_the_form(
    code: str, world: World, as_boss: Client
) -> None:
    provider = all_providers()[code]
    account = build.account(code, settings={}, secrets=[])

    added = as_boss.get(url_of(Account, "add")).content.decode()
    changed = as_boss.get(url_of(Account, "change", account.pk)).content.decode()

    for setting in provider.settings:
        assert f'name="{code}__{setting.name}"' in added
        assert f'name="{code}__{setting.name}"' in changed
    for part in provider.secret_parts:
        assert f'name="{code}__part__{part.name}"' in added
        assert f'name="{code}__part__{part.name}"' in changed
    if not provider.secret_parts:
        assert f'name="{code}__secret"' in added
        assert 'name="new_secret"' in changed


def test_a_secret_of_several_parts_is_kept_as_one(world: World, as_boss: Client) -> None:
    parts = {
        "payme__part__signing_key_id": "key-2026",
        "payme__part__signing_key": "YSB0ZXN0IHNpZ25pbmcga2V5LCBub3RoaW5nIGVsc2U=",
        "payme__part__client_id": "client-1",
        "payme__part__client_secret": "client-secret",
    }

    answer = add_account(as_boss, "payme", payme__environment="sandbox", **parts)

    assert answer.status_code == 302
    account = Account.objects.get(provider="payme")
    assert account.settings == {"environment": "sandbox"}
    assert json.loads(secrets_of(account)[0]) == {
        name.removeprefix("payme__part__"): value for name, value in parts.items()
    }
    page = as_boss.get(url_of(Account, "change", account.pk)).content.decode()
    assert "keyId key-2026" in page
    assert "client-secret" not in page
    assert parts["payme__part__signing_key"] not in page


def test_half_a_set_is_refused_where_it_is_missing(world: World, as_boss: Client) -> None:
    answer = add_account(as_boss, "payme", payme__part__client_id="client-1")

    assert answer.status_code == 200
    assert "This belongs to the set too." in unescape(answer.content.decode())
    assert not Account.objects.filter(provider="payme").exists()


def test_a_required_setting_is_asked_for(world: World, as_boss: Client) -> None:
    answer = add_account(as_boss, "linepay", linepay__secret="0" * 32)

    assert answer.status_code == 200
    assert "This platform needs it." in answer.content.decode()
    assert not Account.objects.filter(provider="linepay").exists()


def test_a_certificate_is_named_by_its_fingerprint_and_end(world: World, as_boss: Client) -> None:
    pem = (PAYLOADS / "alipay" / "test-only-certificate.pem").read_text()
    account = build.account("alipay", secrets=[pem])

    page = as_boss.get(url_of(Account, "change", account.pk)).content.decode()

    assert "Certificate, SHA-256 f0f6d278a21499b9…, valid until 28 Oct 2126" in page
    assert pem.split("\n")[1] not in page


# Test this account


def test_an_account_is_deleted_only_while_nothing_came_by_it(
    world: World, as_boss: Client
) -> None:
    used, unused = build.account("standard"), build.account("inlet", settings={})
    build.send(build.payment("88.00"), to=used)
    is_offered = [
        f'href="{url_of(Account, "delete", row.pk)}"' in page_of_account(as_boss, row)
        for row in (used, unused)
    ]

    refused = as_boss.post(url_of(Account, "delete", used.pk), {"post": "yes"})
    done = as_boss.post(url_of(Account, "delete", unused.pk), {"post": "yes"})

    assert is_offered == [False, True]
    assert (refused.status_code, done.status_code) == (403, 302)
    assert list(Account.objects.filter(pk__in=[used.pk, unused.pk])) == [used]


def page_of_account(client: Client, account: Account) -> str:
    return client.get(url_of(Account, "change", account.pk)).content.decode()


def test_a_healthy_account_is_said_to_be(world: World, as_boss: Client, settings: Any) -> None:
    settings.PUBLIC_URL = PUBLIC
    build.send(build.payment("10.00"), to=world.near.account)

    page = page_of(as_boss, world.near.account, "test")

    assert "The account is enabled." in page
    assert "Secret •••" in page
    assert SECRET not in page
    assert "The address is public and https: https://regulars.example.com/callbacks/" in page
    assert "The last genuine post came in at 21 Nov 2026, 12:00." in page
    assert "rg-finding-bad" not in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_enabled": False}, "its address answers 404"),
        ({"secrets": []}, "There is no secret: every post is refused."),
        ({"secrets": ["short"]}, "Secret ••• cannot be used."),
        ({"settings": {}}, "“Channel ID” is missing."),
    ],
)
def test_what_is_wrong_is_said_in_words(
    changes: dict[str, Any], said: str, world: World, as_boss: Client
) -> None:
    account = build.account("linepay", **{"settings": CHANNEL, "secrets": ["0" * 32]} | changes)

    page = page_of(as_boss, account, "test")

    assert said in page
    assert "rg-finding-bad" in page


@pytest.mark.parametrize(
    ("public_url", "said"),
    [
        ("http://r.example.com", "is not https"),
        ("http://localhost:8000", "an address of this network"),
        ("https://192.168.1.5", "an address of this network"),
        ("https://till.lan", "an address of this network"),
    ],
)
def test_an_address_that_no_platform_reaches_is_wrong(
    public_url: str, said: str, world: World, settings: Any
) -> None:
    settings.PUBLIC_URL = public_url

    found = check_account(world.near.account, now=NOON)

    assert said in next(each.words for each in found if each.level is Level.BAD)


def test_the_last_refusal_comes_with_its_remedy(world: World) -> None:
    account = world.near.account
    refused = Rejection.objects.get(account=account)

    later = check_account(account, now=NOON + timedelta(days=40))

    found = [each for each in later if "refused" in each.words]

    assert refused.reason == "bad_signature"
    assert found[0].level is Level.BAD
    assert "Its signature fits none of the account's secrets." in found[0].words
    assert found[0].remedy.startswith("Compare the secret with the platform's page")


def test_an_expired_certificate_is_wrong(world: World, as_boss: Client, time_machine: Any) -> None:
    pem = (PAYLOADS / "alipay" / "test-only-certificate.pem").read_text()
    account = build.account("alipay", secrets=[pem])

    words = [found.words for found in check_account(account, now=NOON + timedelta(days=36900))]

    assert any("expired on 28 Oct 2126" in said for said in words)


# A pasted request


def stripe_sample(secret: str = "whsec_a-test-secret-and-nothing-else") -> dict[str, str]:
    body = (PAYLOADS / "stripe" / "payment_intent.succeeded.json").read_text()
    stamp = str(int(NOON.timestamp()) - 7200)
    mac = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "headers": f"POST /x HTTP/1.1\r\nStripe-Signature: t={stamp},v1={mac}",
        "body": body.replace("\n", "\r\n"),
    }


def test_a_pasted_request_is_checked_and_read_and_nothing_is_stored(
    world: World, as_boss: Client
) -> None:
    account = build.account("stripe", secrets=["whsec_a-test-secret-and-nothing-else"])
    before = (Callback.objects.count(), Rejection.objects.count(), Transaction.objects.count())

    page = page_of(as_boss, account, "test", **stripe_sample())

    assert "The signature is right. Its time stamp is old by now, as it must be here." in page
    assert "HK$880.00" in page
    assert "pi_TestOnlyMei0001" in page
    after = (Callback.objects.count(), Rejection.objects.count(), Transaction.objects.count())
    assert after == before


def test_a_pasted_forgery_is_a_forgery(world: World, as_boss: Client) -> None:
    account = build.account("stripe", secrets=["whsec_a-test-secret-and-nothing-else"])

    page = page_of(as_boss, account, "test", **stripe_sample("whsec_somebody-elses-secret"))

    assert "fits none of the account's secrets" in page
    assert "The signature is right" not in page


def test_a_pasted_line_that_is_no_header_is_named(world: World, as_boss: Client) -> None:
    page = page_of(as_boss, world.near.account, "test", headers="no header at all", body="{}")

    assert "This line is no header: no header at all" in page


# Ask the platform


def test_staff_ask_the_platform_about_a_payment(world: World, as_boss: Client) -> None:
    account = build.account("linepay", settings=CHANNEL, secrets=["0" * 32])

    page = page_of(as_boss, account, "ask", reference="2026112100708765432")

    query = Query.objects.get()
    assert (query.reference, query.is_wanted, query.hints) == ("2026112100708765432", True, 0)
    assert "2026112100708765432" in page


def test_a_platform_that_cannot_be_asked_offers_no_question(world: World, as_boss: Client) -> None:
    url = f"/admin/payments/account/{world.near.account.pk}/ask/"

    assert as_boss.post(url, {"reference": "x"}).status_code == 403
    assert Query.objects.count() == 0


def test_pages_of_an_account_out_of_scope_are_closed(world: World, as_manager: Client) -> None:
    far = world.far.account

    for name in ("test", "fields", "ask"):
        response = as_manager.get(f"/admin/payments/account/{far.pk}/{name}/")
        assert response.status_code in (302, 403, 404)
