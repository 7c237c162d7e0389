"""An inlet is taught on a page: pick fields of a sample, test it, and only then it takes posts."""

import hashlib
import hmac
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from payments.inlet_recipe import Recipe
from payments.models import Account, Callback, Disclosure, Rejection
from payments.services.accounts import forget_accounts
from tests import build
from tests.admin.conftest import World
from tests.admin.test_account_pages import page_of
from tests.admin.test_pages import url_of
from tests.build import NOON

PAYLOADS = Path(__file__).parents[1] / "payloads"
TILL_SECRET = "a-test-secret-and-nothing-else"


def inlet() -> Account:
    account = build.account("inlet", secrets=[TILL_SECRET], settings={})
    forget_accounts()
    return account


def sample() -> dict[str, str]:
    body = (PAYLOADS / "inlet" / "paid.json").read_text()
    mac = hmac.new(TILL_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"headers": f"X-Sign: sha256={mac}", "body": body}


def picked(**changes: str) -> dict[str, str]:
    return {
        **sample(),
        "reference": "/bill/no",
        "amount": "/bill/total",
        "unit": "major",
        "currency": "/bill/currency",
        "time": "/bill/closed_at",
        "time_format": "clock",
        "zone": "Asia/Hong_Kong",
        "status": "/status",
        "paid_values": "PAID",
        "refund_means": "total",
        "member": "/customer/card",
        "payer_kind": "phone",
        "scheme": "body",
        "algorithm": "sha256",
        "encoding": "hex",
        "signature_header": "X-Sign",
        "prefix": "sha256=",
        "stamp_unit": "seconds",
        "reply_status": "200",
        "reply_body": "OK",
        **changes,
    }


def test_every_field_of_the_sample_is_offered_with_its_value(
    world: World, as_boss: Client
) -> None:
    page = page_of(as_boss, inlet(), "fields", step="find", **sample())

    assert '<option value="/bill/total" selected>bill › total = 95.50</option>' in page
    assert '<option value="/customer/card" selected>customer › card = M4K7Q2Z9P</option>' in page
    assert '<option value="/bill/items" selected>bill › items (2)</option>' in page
    assert '<option value="code" selected>code = LATTE</option>' in page


def test_a_sample_that_is_neither_json_nor_a_form_is_not_taken(
    world: World, as_boss: Client
) -> None:
    page = page_of(as_boss, inlet(), "fields", step="find", headers="", body="你好 {not json")

    assert "This is neither JSON nor a form, which has = between names and values." in page
    assert "<option" not in page.partition("Body of a sample")[2]


def test_an_inlet_is_taught_tested_and_then_takes_posts(world: World, as_boss: Client) -> None:
    account = inlet()
    url = f"/callbacks/inlet/{account.token}/"
    body = sample()["body"].encode()
    header = {"X-Sign": sample()["headers"].partition(": ")[2]}
    before = Client().post(url, body, content_type="application/json", headers=header)

    tested = page_of(as_boss, account, "fields", step="test", **picked())
    kept_after_test = Account.objects.get(pk=account.pk).settings
    saved = page_of(as_boss, account, "fields", step="save", **picked())
    after = Client().post(url, body, content_type="application/json", headers=header)

    assert before.status_code == 400
    assert Rejection.objects.get(account=account).reason == "not_set_up"
    assert "The signature is right." in tested
    assert "HK$95.50" in tested
    assert kept_after_test == {}
    assert "posts like the sample are taken now" in saved
    assert (after.status_code, after.content) == (200, b"OK")
    assert Callback.objects.filter(account=account).count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"headers": ""}, "It carries no signature."),
        ({"headers": "X-Sign: sha256=" + "0" * 64}, "fits none of the account's secrets"),
        ({"amount": "/customer/phone"}, "It cannot be read"),
        ({"paid_values": "CLOSED"}, "Moves no money (other status)"),
        ({"reference": ""}, "Pick the number of the payment."),
        ({"signature_header": ""}, "Name the header that carries it."),
        ({"fixed_currency": "HK$", "currency": ""}, "is not a currency"),
        ({"body": "{"}, "This can be read neither as JSON nor as a form"),
    ],
)
def test_what_fails_its_test_is_not_used(
    changes: dict[str, str], said: str, world: World, as_boss: Client
) -> None:
    account = inlet()

    page = page_of(as_boss, account, "fields", step="save", **picked(**changes))

    assert said in page
    assert Account.objects.get(pk=account.pk).settings == {}


def refuse_one(account: Account) -> Rejection:
    Client().post(
        f"/callbacks/inlet/{account.token}/",
        sample()["body"].encode(),
        content_type="application/json",
        headers={"Authorization": "Basic c2VjcmV0", "X-Sign": "none"},
    )
    return Rejection.objects.get(account=account)


def fields_url(account: Account) -> str:
    return f"/admin/payments/account/{account.pk}/fields/"


def test_the_latest_refused_post_may_serve_as_the_sample_and_that_is_kept(
    world: World, as_boss: Client
) -> None:
    account = inlet()
    refused = refuse_one(account)

    offered = as_boss.get(f"{fields_url(account)}?latest").content.decode()
    kept_before = Disclosure.objects.count()
    taken = as_boss.post(fields_url(account), {"step": "latest"}).content.decode()

    assert "Take the latest refused post as the sample" in offered
    assert 'form="take-latest"' in offered  # The form of the sample would ask for a body first.
    assert 'id="take-latest"' in offered
    assert "B-20261121-17" not in offered
    assert kept_before == 0
    assert "B-20261121-17" in taken
    kept = Disclosure.objects.get()
    assert (kept.subject, kept.subject_id, kept.reason, kept.seen_by, kept.seen_at) == (
        "rejection",
        str(refused.pk),
        "Set up the fields",
        world.boss,
        NOON,
    )


def test_who_may_not_read_posts_unmasked_pastes_a_sample(world: World, as_manager: Client) -> None:
    account = build.account("inlet", store=world.near.store, secrets=[TILL_SECRET], settings={})
    refuse_one(account)
    for group in world.manager.groups.all():
        group.permissions.remove(*Permission.objects.filter(codename="unmask_callback"))

    offered = as_manager.get(fields_url(account)).content.decode()
    taken = as_manager.post(fields_url(account), {"step": "latest"}).content.decode()

    for page in (offered, taken):
        assert "you may not read posts unmasked: paste a sample" in page
        assert "B-20261121-17" not in page
    assert Disclosure.objects.count() == 0


@pytest.mark.parametrize(
    ("signature_header", "is_shown"), [("X-Sign", False), ("Authorization", True), (None, True)]
)
def test_a_password_is_shown_only_where_it_may_be_the_signature(
    signature_header: str | None, is_shown: bool, world: World, as_boss: Client
) -> None:
    account = inlet()
    refuse_one(account)
    if signature_header:
        needed = {"reference": "/bill/no", "amount": "/bill/total", "fixed_currency": "HKD"}
        recipe = Recipe(scheme="token", signature_header=signature_header, **needed)
        Account.objects.filter(pk=account.pk).update(settings={"recipe": recipe.dump()})

    page = as_boss.post(fields_url(account), {"step": "latest"}).content.decode()

    assert "x-sign: none" in page
    assert ("c2VjcmV0" in page) is is_shown


def test_a_saved_form_keeps_what_the_fields_page_set_up(world: World, as_boss: Client) -> None:
    account = inlet()
    page_of(as_boss, account, "fields", step="save", **picked())
    kept = Account.objects.get(pk=account.pk).settings

    as_boss.post(
        url_of(Account, "change", account.pk),
        {
            "name": "Renamed",
            "is_enabled": "on",
            "relay-TOTAL_FORMS": "0",
            "relay-INITIAL_FORMS": "0",
        },
    )

    account.refresh_from_db()
    assert account.name == "Renamed"
    assert account.settings == kept
    assert set(kept) == {"recipe"}


def test_a_platform_with_a_module_has_no_fields_to_set_up(world: World, as_boss: Client) -> None:
    account = world.near.account

    response = as_boss.get(f"/admin/payments/account/{account.pk}/fields/")

    assert response.status_code == 403
