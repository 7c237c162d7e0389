"""Platforms that tell of no refund by themselves: whether settlement files cover all days."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kit.money import Money
from payments.models import Account, Alarm, Settlement
from payments.providers import all_providers
from payments.providers.base import Kind, Notice
from payments.services.account_check import Level, check_account
from payments.services.coverage import Coverage, coverages_of, needs_files
from payments.services.sales import book_sales
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TODAY = date(2026, 11, 21)


def paid(account: Account, *days_ago: int) -> None:
    for days in days_ago:
        at = NOON - days * DAY
        notice = Notice(Kind.PAYMENT, f"p-{days}", f"p-{days}", Money(Decimal(10), "TWD"), at)
        book_sales([notice], account=account, source="callback", now=at)


def file(account: Account, first: int, last: int, **also: Any) -> None:
    """A file of these days, counted back from today."""
    row = Settlement(
        account=account,
        format="ecpay",
        file_name=f"{first}.csv",
        file_hash=bytes([first]) * 32,
        starts_on=TODAY - first * DAY,
        ends_on=TODAY - last * DAY,
        rows_read=1,
        uploaded_at=NOON,
        **also,
    )
    Settlement.record([row])


def said(account: Account, now: datetime = NOON) -> list[tuple[str, str]]:
    found = check_account(account, now=now)
    return [(each.level.value, each.words) for each in found if "ettlement file" in each.words]


def test_those_platforms_say_so_themselves() -> None:
    silent = {code for code, each in all_providers().items() if not each.tells_of_refunds}

    assert silent == {"ecpay", "linepay", "newebpay"}
    assert needs_files(Account(provider="octopus"))
    assert not needs_files(Account(provider="till"))


def test_days_without_a_file_are_named_after_a_week() -> None:
    account = build.account("ecpay")
    paid(account, 20, 15, 9, 2)
    file(account, 20, 10)

    found = said(account)
    remedy = next(
        each.remedy for each in check_account(account, now=NOON) if "since" in each.words
    )

    assert found == [("bad", "No settlement file covers the days since 12 Nov 2026.")]
    assert remedy.startswith("This platform does not report refunds by itself: import")


def test_within_a_week_nobody_is_reminded() -> None:
    account = build.account("ecpay")
    paid(account, 9, 2)
    file(account, 20, 8)

    assert said(account) == [("good", "Settlement files cover the days until 13 Nov 2026.")]
    assert said(account, NOON + DAY) == [
        ("bad", "No settlement file covers the days since 14 Nov 2026.")
    ]


def test_without_any_file_the_first_payment_counts() -> None:
    account = build.account("linepay")
    assert said(account) == []
    paid(account, 9)

    assert said(account) == [("bad", "No settlement file covers the days since 12 Nov 2026.")]


def test_a_day_with_payments_between_two_files_is_named_and_a_quiet_one_is_not() -> None:
    account = build.account("ecpay")
    paid(account, 15, 12, 3)
    file(account, 20, 14)
    file(account, 10, 1)

    assert coverages_of([account], now=NOON)[account.pk].gaps == (TODAY - 12 * DAY,)
    assert said(account)[0] == ("note", "No settlement file covers 9 Nov 2026.")


def test_a_withdrawn_file_covers_nothing() -> None:
    account = build.account("ecpay")
    paid(account, 9)
    file(account, 20, 1, withdrawn_at=NOON)

    assert [level for level, _words in said(account)] == ["bad"]


def test_an_account_by_file_is_reminded_and_a_platform_that_tells_is_not() -> None:
    octopus = Account.objects.create(provider="octopus", name="Octopus")
    stripe = build.account("stripe")
    paid(stripe, 20)
    file(octopus, 30, 20)

    findings = check_account(octopus, now=NOON)

    assert [each.level for each in findings] == [Level.BAD]
    assert said(stripe) == []


def test_account_health_shows_it(admin_client: Client, time_machine: Any) -> None:
    time_machine.move_to(NOON)
    account = build.account("ecpay")
    paid(account, 9)

    page = admin_client.get(reverse("admin:account-health")).content.decode()

    assert "No settlement file covers the days since 12 Nov 2026." in page


def test_each_account_is_looked_at_in_its_own_days() -> None:
    build.programme()
    far = build.store("LA", region=build.region("US", zone="America/Los_Angeles"))
    accounts = [
        Account.objects.create(provider="octopus", name="Octopus"),
        Account.objects.create(provider="octopus", name="Far", store=far),
        build.account("stripe"),
    ]
    for account in accounts:
        paid(account, 20, 15, 9)
    file(accounts[0], 20, 15)
    file(accounts[1], 20, 20)

    found = coverages_of(accounts, now=NOON)

    # Noon in Hong Kong is the evening before in Los Angeles.
    assert found == {
        accounts[0].pk: Coverage(TODAY - 15 * DAY, TODAY - 14 * DAY, ()),
        accounts[1].pk: Coverage(TODAY - 20 * DAY, TODAY - 19 * DAY, (TODAY - 21 * DAY,)),
    }


def test_account_health_asks_as_much_for_many_accounts_as_for_one(
    admin_client: Client, time_machine: Any
) -> None:
    time_machine.move_to(NOON)
    far = build.store(region=build.region("TW", zone="Asia/Taipei"))
    asked = []
    for number in (1, 8):
        while Account.objects.count() < number:
            name = f"Octopus {Account.objects.count()}"
            paid(Account.objects.create(provider="octopus", name=name, store=far), 9)
        admin_client.get(reverse("admin:account-health"))
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            page = admin_client.get(reverse("admin:account-health")).content.decode()
        asked.append(len(queries))
        assert page.count("No settlement file covers the days since 12 Nov 2026.") == number

    assert asked[0] == asked[1]


def test_an_alarm_that_is_over_names_the_hours_to_compare(admin_client: Client) -> None:
    account = build.account("stripe", store=build.store())
    alarm, still = (
        Alarm(
            account=account,
            silent_since=NOON - 3 * DAY,
            opened_at=NOON - 2 * DAY,
            expected=Decimal(9),
            closed_at=closed_at,
        )
        for closed_at in (NOON - DAY, None)
    )
    Alarm.record([alarm, still])

    pages = [
        admin_client.get(reverse("admin:payments_alarm_change", args=[row.pk])).content.decode()
        for row in (alarm, still)
    ]

    words = "between 18 Nov 2026, 12:00 and 20 Nov 2026, 12:00"
    assert [words in page for page in pages] == [True, False]
