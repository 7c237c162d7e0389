"""The programme's currency and time zone: free until money came in; rates know what they meant."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from loyalty.services.settle import settle_members
from members.models import Programme
from payments.imports.rates import RateSheet
from payments.models import Rate, Transaction
from payments.services.checkout import checkout_options
from payments.services.rates import enter_rate, rates_on, resume_rated
from payments.services.reference_rates import enter_reference_rates
from payments.services.translate import translate_callbacks
from payments.tasks import match_waiting
from tests import build
from tests.build import NOON
from tests.imports.sheets import csv_file, problems, upload

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 1)
LATER = NOON + timedelta(days=3000)
DAYS_COUNTED = (
    "Money came in already, and its days were counted in this. Change the time zone of a region"
    " instead: its stores go by that."
)


def settle() -> None:
    while translate_callbacks(now=LATER, limit=100) + settle_members(now=LATER, limit=100):
        pass


def enter(rate: str, currency: str = "USD", day: date = DAY, source: str = "staff") -> Rate:
    return enter_rate(
        currency=currency, valid_from=day, rate=Decimal(rate), source=source, now=NOON
    )[0]


def form(**changes: Any) -> dict[str, Any]:
    """The page of the programme, as it stands but for `changes`."""
    names = [
        "name", "name_zh_hant", "name_zh_hans", "language", "zone", "currency",
        "points_valid_months", "downgrade", "tier_kept_days", "returns_coupons",
        "sender_address", "bodies_kept_months",
    ]  # fmt: skip
    now = Programme.current()
    return {name: getattr(now, name) for name in names} | changes


def save(client: Client, **changes: Any) -> Any:
    url = reverse("admin:members_programme_change", args=[Programme.current().pk])
    return client.post(url, form(**changes), headers={"accept-language": "en"})


def test_a_rate_is_not_used_for_another_currency_than_it_was_entered_in() -> None:
    build.programme()
    build.earning_rule(rates={"USD": ("1", 1)})
    build.member(wallet="w")
    enter("7.8")

    build.programme(currency="TWD")
    build.send(build.payment("100.00", currency="USD", wallet="w"))
    settle()

    row = Transaction.objects.get()
    assert (row.reporting_amount, row.rate) == (None, None)
    assert row.waiting_for == "rate:USD:2026-11-21"
    enter("32")
    settle()
    row.refresh_from_db()
    assert row.reporting_amount == Decimal("3200.0000")


def test_rates_into_two_currencies_stand_side_by_side() -> None:
    build.programme()
    mine = enter("7.8")
    build.programme(currency="TWD")
    other = enter("32")

    in_taiwan = rates_on([("USD", NOON.date())])
    build.programme(currency="HKD")
    in_hong_kong = rates_on([("USD", NOON.date())])

    assert in_taiwan == {("USD", NOON.date()): other}
    assert in_hong_kong == {("USD", NOON.date()): mine}
    assert (mine.quote_currency, other.quote_currency) == ("HKD", "TWD")


def test_files_and_fetched_rates_go_by_the_programme_of_now() -> None:
    build.programme()
    enter("7.8")
    enter("8.5", currency="EUR")
    build.programme(currency="TWD")

    sheet = upload(RateSheet, csv_file(["currency", "date", "rate"], ["USD", "2026-11-01", "32"]))
    fetched = enter_reference_rates(
        {DAY: {"TWD": Decimal("36.8"), "USD": Decimal("1.15")}}, into="TWD", now=NOON
    )

    assert problems(sheet) == {}
    assert (fetched.entered, fetched.kept) == (1, 1)
    rows = Rate.objects.filter(quote_currency="TWD").order_by("currency")
    assert [(row.currency, row.rate) for row in rows] == [
        ("EUR", Decimal("36.8")),
        ("USD", Decimal(32)),
    ]


def test_prices_at_home_are_not_told_by_rates_of_before() -> None:
    build.programme()
    enter("0.24", currency="TWD")
    shopper = build.member(region=build.region("TW", currency="TWD", zone="Asia/Taipei"))
    build.programme(currency="USD")
    enter("0.128", currency="HKD")

    found = checkout_options(region=build.region(), store=None, member=shopper, now=NOON)

    assert found.home is None


def test_what_waited_for_a_rate_that_is_needed_no_more_goes_on() -> None:
    build.programme()
    build.earning_rule(rates={"TWD": ("1", 1), "USD": ("1", 1)})
    mei = build.member(wallet="w")
    for currency in ("TWD", "USD"):
        build.send(build.payment("100.00", currency=currency, wallet="w"))
    settle()
    before = set(Transaction.objects.values_list("waiting_for", flat=True))

    build.programme(currency="TWD")
    match_waiting()
    settle()

    assert before == {"rate:TWD:2026-11-21", "rate:USD:2026-11-21"}
    assert build.balance_of(mei) == 100
    assert Transaction.objects.get(currency="USD").waiting_for == "rate:USD:2026-11-21"
    assert resume_rated() == 0


def test_the_form_refuses_a_second_rate_of_one_day_and_says_so(admin_client: Client) -> None:
    build.programme(language="en")
    enter("7.8")
    typed = {"currency": "usd", "valid_from": "2026-11-01", "rate": "7.9"}

    page = admin_client.post(
        reverse("admin:payments_rate_add"), typed, headers={"accept-language": "en"}
    )

    assert page.context["adminform"].form.errors == {
        "valid_from": ["USD has a rate from 2026-11-01 on already. Enter one for another day."]
    }
    assert Rate.objects.get().rate == Decimal("7.8")


def test_a_rate_that_somebody_enters_in_this_moment_is_refused_in_words(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.programme(language="en")
    monkeypatch.setattr("payments.admin.rates.standing_rates", lambda _days: Rate.objects.none())
    enter("7.8")
    typed = {"currency": "usd", "valid_from": "2026-11-01", "rate": "7.9"}

    page = admin_client.post(
        reverse("admin:payments_rate_add"),
        typed,
        follow=True,
        headers={"accept-language": "en"},
    )

    assert [str(message) for message in page.context["messages"]] == [
        "USD has a rate from 2026-11-01 on already. Enter one for another day."
    ]
    assert Rate.objects.get().rate == Decimal("7.8")


def test_the_list_says_into_what_each_rate_was_entered(admin_client: Client) -> None:
    build.programme(language="en")
    enter("7.8")
    build.programme(currency="TWD")
    enter("32")

    page = admin_client.get(reverse("admin:payments_rate_changelist")).content.decode()

    assert "1 USD = 7.8 HKD" in page
    assert "1 USD = 32 TWD" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"currency": "TWD"}, "Money came in already, and all of it was counted in this."),
        ({"zone": "America/Los_Angeles"}, DAYS_COUNTED),
    ],
)
def test_once_money_came_in_neither_currency_nor_time_zone_change(
    admin_client: Client, change: dict[str, str], words: str
) -> None:
    build.programme(language="en")
    build.earning_rule()
    build.member(wallet="w")
    before = save(admin_client, name="Others", **change).status_code
    build.programme(currency="HKD", zone="Asia/Hong_Kong")
    build.send(build.payment("100.00", wallet="w"))
    settle()

    page = save(admin_client, name="Again", **change)

    assert before == 302
    assert page.context["adminform"].form.errors == {next(iter(change)): [words]}
    now = Programme.current()
    assert (now.currency, now.zone) == ("HKD", "Asia/Hong_Kong")
    assert save(admin_client, name="Again").status_code == 302
    assert Programme.current().name == "Again"


def test_both_refusals_are_said_at_once() -> None:
    programme = build.programme()
    build.earning_rule()
    build.member(wallet="w")
    build.send(build.payment("100.00", wallet="w"))
    settle()
    programme.currency, programme.zone = "TWD", "Asia/Taipei"

    with pytest.raises(ValidationError) as refused:
        programme.full_clean()

    assert set(refused.value.message_dict) == {"currency", "zone"}
