"""Saving a form writes what the form is about. What a service wrote into the same row, between
its being read and its being saved, stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.people import merge
from kit.correspondence import Tried, note_tries
from loyalty.models import Coupon, CouponType
from loyalty.services.books import verify_books
from loyalty.services.coupons import issue_coupons
from members.keys import make_key, rotate_key
from members.models import ApiKey, Endpoint, Member
from payments.models import Account, Product, Relay
from payments.services.accounts import secrets_of
from tests import build
from tests.admin.conftest import World
from tests.admin.test_money_in import shown_secrets
from tests.admin.test_pages import url_of
from tests.build import NOON, SECRET
from tests.webhooks.hearing import endpoint, secret_of

ADDRESS = "https://shop.example.com/in"
NO_RELAY = {"relay-TOTAL_FORMS": "0", "relay-INITIAL_FORMS": "0"}


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, Callable[[], Any]], None]:
    """Something happens after the row of a form was read, and before it is saved."""

    def arrange(model: Any, happens: Callable[[], Any]) -> None:
        desk = admin.site._registry[model]
        save_form = desk.save_form

        def slow(*args: Any, **kwargs: Any) -> Any:
            happens()
            return save_form(*args, **kwargs)

        monkeypatch.setattr(desk, "save_form", slow)

    return arrange


def shown(client: Client, row: Any) -> dict[str, Any]:
    """What the form of `row` would send if nobody touched it."""
    page = client.get(url_of(type(row), "change", row.pk))
    initial = page.context["adminform"].form.initial.items()
    return {name: value for name, value in initial if value is not None and value is not False}


def save(client: Client, row: Any, **changes: Any) -> None:
    answer = client.post(url_of(type(row), "change", row.pk), shown(client, row) | changes)
    errors = answer.context["adminform"].form.errors if answer.context else {}
    assert (answer.status_code, errors) == (302, {})
    row.refresh_from_db()


def test_coupons_that_are_issued_meanwhile_count(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    kind = build.coupon_type("two", total_limit=2)
    member = world.near.member.pk
    meanwhile(CouponType, lambda: issue_coupons([(kind, member)], now=NOON))

    save(as_boss, kind, name="Renamed")

    assert (kind.name, kind.issued) == ("Renamed", 1)
    assert [str(found.check.name) for found in verify_books() if not found.is_clean] == []
    issue_coupons([(kind, member)] * 2, now=NOON)
    assert Coupon.objects.filter(type=kind).count() == 2


def test_a_member_who_is_merged_meanwhile_stays_so(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    mei, kit = world.near.member, world.far.member
    meanwhile(Member, lambda: merge(mei, kit, reason="one", actor=world.boss, now=NOON))

    save(as_boss, mei, name="Mei Wong")

    assert (mei.name, mei.merged_into) == ("Mei Wong", kit)


def test_posts_that_are_refused_meanwhile_count(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    account = world.near.account
    Account.objects.filter(pk=account.pk).update(refused=3)
    meanwhile(Account, lambda: Account.objects.filter(pk=account.pk).update(refused=4))

    save(as_boss, account, name="Counter", **NO_RELAY)

    assert (account.name, account.refused) == ("Counter", 4)


def test_settings_and_secrets_that_come_from_elsewhere_meanwhile_stay(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    account = world.near.account
    newer = "whsec_" + "bmV3ZXIgc2VjcmV0LCB0ZXN0cyBvbmx5ISEh"
    newest = "whsec_" + "bmV3ZXN0IHNlY3JldCwgdGVzdHMgb25seSEh"

    def elsewhere() -> None:
        row = Account.objects.get(pk=account.pk)
        row.settings = {"recipe": "taught"}
        row.secrets = f'["{newer}", "{SECRET}"]'
        row.save()

    meanwhile(Account, elsewhere)
    (shown_then,) = shown_secrets(as_boss, account)
    save(as_boss, account, new_secret=newest, removed_secrets=[shown_then], **NO_RELAY)

    assert account.settings == {"recipe": "taught"}
    assert secrets_of(account) == (newest, newer)


def test_a_key_that_is_rotated_meanwhile_keeps_its_new_secret(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    key, _plain = make_key("Counter", scopes=["members:read"])
    before = key.hash
    again = ApiKey.objects.get(pk=key.pk)
    meanwhile(ApiKey, lambda: rotate_key(again, overlap=timedelta(hours=1), now=NOON))

    save(as_boss, key, name="Till 2")

    assert (key.name, key.hash, key.old_hash) == ("Till 2", again.hash, before)
    assert key.old_until == NOON + timedelta(hours=1)


def fail(row: Any) -> None:
    fresh = type(row).objects.get(pk=row.pk)
    note_tries(fresh, [Tried(5, status=500)] * 3, now=NOON)
    fresh.save()


def test_failures_of_an_endpoint_that_are_noted_meanwhile_stay(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    hook = endpoint(ADDRESS)
    secret = secret_of(hook)
    meanwhile(Endpoint, lambda: fail(hook))

    save(as_boss, hook, name="Shop")

    assert (hook.name, hook.failures, hook.failing_since) == ("Shop", 3, NOON)
    assert secret_of(hook) == secret


def test_a_new_address_wipes_what_went_wrong_at_the_old_one(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    hook = endpoint(ADDRESS)
    Endpoint.objects.filter(pk=hook.pk).update(is_enabled=False, stopped_for="gone")
    meanwhile(Endpoint, lambda: fail(hook))

    save(as_boss, hook, url=f"{ADDRESS}-2", is_enabled="on")

    assert (hook.url, hook.is_enabled, hook.stopped_for) == (f"{ADDRESS}-2", True, "")
    assert (hook.failures, hook.failing_since, hook.rests_until) == (0, None, None)


def test_a_new_signing_secret_leaves_the_failures_noted(world: World, as_boss: Client) -> None:
    hook = endpoint(ADDRESS)
    before, desk = secret_of(hook), admin.site._registry[Endpoint]
    get_object = desk.get_object
    url = url_of(Endpoint, "roll_secret", hook.pk)

    def slow(*args: Any, **kwargs: Any) -> Any:
        row = get_object(*args, **kwargs)
        fail(hook)
        return row

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "get_object", slow)
        as_boss.post(url, {"_form_submitted": "1", "hours": "24"})

    hook.refresh_from_db()
    assert hook.failures == 6  # The row is looked for, and then read anew.
    assert secret_of(hook) != before


@pytest.mark.parametrize(
    ("changes", "failures"), [({"when_down": "refuse"}, 3), ({"url": f"{ADDRESS}-2"}, 0)]
)
def test_failures_of_a_relay_are_kept_in_the_same_way(
    as_boss: Client, meanwhile: Any, changes: dict[str, str], failures: int
) -> None:
    account = Account.objects.filter(provider="standard")[0]
    relay = Relay.objects.create(account=account, url=ADDRESS)
    form = {"id": relay.pk, "url": ADDRESS, "is_enabled": "on", "answers": "ours"} | changes
    inline = {f"relay-0-{name}": value for name, value in form.items()}
    inline.setdefault("relay-0-when_down", "accept")
    meanwhile(Account, lambda: fail(relay))

    save(
        as_boss,
        account,
        **NO_RELAY | {"relay-TOTAL_FORMS": "1", "relay-INITIAL_FORMS": "1"},
        **inline,
    )

    relay.refresh_from_db()
    assert (relay.failures, relay.failing_since) == (failures, NOON if failures else None)
    assert (relay.url, relay.when_down) == (
        changes.get("url", ADDRESS),
        changes.get("when_down", "accept"),
    )


def test_a_job_that_runs_meanwhile_has_run(world: World, as_boss: Client, meanwhile: Any) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    job = PeriodicTask.objects.create(name="A job", task="jobs.none", interval=hourly)
    rows = PeriodicTask.objects.filter(pk=job.pk)
    changed_at = job.date_changed
    meanwhile(PeriodicTask, lambda: rows.update(last_run_at=NOON, total_run_count=7))

    save(as_boss, job, name="The job")
    ran = (job.name, job.last_run_at, job.total_run_count)
    save(as_boss, job, enabled="")

    assert ran == ("The job", NOON, 7)
    assert (job.enabled, job.last_run_at, job.total_run_count) == (False, None, 7)
    assert job.date_changed >= changed_at


def test_somebody_who_signs_in_meanwhile_has_signed_in(
    world: World, as_boss: Client, meanwhile: Any
) -> None:
    kim = User.objects.create_user("kim", password="x")
    rows = User.objects.filter(pk=kim.pk)
    meanwhile(User, lambda: rows.update(last_login=NOON, password="!changed"))

    save(as_boss, kim, first_name="Kim")

    assert (kim.first_name, kim.last_login, kim.password) == ("Kim", NOON, "!changed")


def test_a_product_that_somebody_looked_at_is_no_longer_merely_learnt(
    world: World, as_boss: Client
) -> None:
    tea = build.product()
    Product.objects.filter(pk=tea.pk).update(is_learnt=True)

    save(as_boss, tea, name="Green tea")

    assert (tea.name, tea.is_learnt) == ("Green tea", False)
    entry = LogEntry.objects.get(object_id=str(tea.pk))
    assert entry.get_change_message() == "Changed Name."


def test_rows_that_are_edited_in_their_list_are_saved_in_the_same_way(
    world: World, as_boss: Client, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea = build.product()
    monkeypatch.setattr(admin.site._registry[Product], "list_editable", ["brand"])
    rows = Product.objects.filter(pk=tea.pk)
    meanwhile(Product, lambda: rows.update(days_of_supply=30))
    counted = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}

    as_boss.post(
        url_of(Product, "changelist"),
        {**counted, "form-0-id": tea.pk, "form-0-brand": "Leaf", "_save": "Save"},
    )

    tea.refresh_from_db()
    assert (tea.brand, tea.days_of_supply, tea.is_learnt) == ("Leaf", 30, False)
    assert LogEntry.objects.get(object_id=str(tea.pk)).get_change_message() == "Changed Brand."
