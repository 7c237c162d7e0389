"""Exchange rates by spreadsheet."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from loyalty.services.settle import settle_members
from payments.imports.rates import RateSheet
from payments.models import Rate, Transaction
from payments.services.rates import enter_rate
from payments.services.translate import translate_callbacks
from tests import build
from tests.build import NOON
from tests.imports.sheets import csv_file, problems, totals, upload

pytestmark = pytest.mark.django_db
FAR = datetime(2099, 1, 1, tzinfo=UTC)
HEADER = ["貨幣", "日期", "匯率", "來源"]


def test_rates_come_with_their_day_and_source() -> None:
    build.programme()

    result = upload(
        RateSheet,
        csv_file(
            HEADER, ["usd", "2026-11-20", "7.785", "HSBC"], ["TWD", "2026-11-20", "0.244", ""]
        ),
    )

    assert totals(result) == {"new": 2}
    rows = list(Rate.objects.order_by("currency").values_list("currency", "rate", "source"))
    assert rows == [
        ("TWD", Decimal("0.244"), "spreadsheet"),
        ("USD", Decimal("7.785"), "HSBC"),
    ]


def test_a_payment_that_waited_goes_on() -> None:
    build.programme()
    build.earning_rule()
    mei = build.member(wallet="w")
    build.send(build.payment("10.00", wallet="w", currency="GBP"))
    later = NOON + timedelta(days=3000)
    translate_callbacks(now=later, limit=10)
    settle_members(now=later, limit=10)
    assert Transaction.objects.get().waiting_for == "rate:GBP:2026-11-21"

    upload(RateSheet, csv_file(HEADER, ["GBP", "2026-11-01", "9.9", ""]))
    settle_members(now=later, limit=10)

    assert build.balance_of(mei) == 99


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["", "2026-11-20", "7.8", ""], "empty but needed"),
        (["HKD", "2026-11-20", "1", ""], "own currency"),
        (["XYZ", "2026-11-20", "1", ""], "not a currency"),
        (["USD", "2026-11-20", "0", ""], "above zero"),
        (["USD", "2026-11-20", "-7", ""], "above zero"),
        (["USD", "2026-11-20", "7.12345678901", ""], "10 decimals"),
        (["USD", "2026-11-01", "7.9", ""], "stands for that day already"),
        (["USD", "2027-11-23", "7.8", ""], "more than a year ahead"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(row: list[str], words: str) -> None:
    build.programme()
    enter_rate(
        currency="USD",
        valid_from=date(2026, 11, 1),
        rate=Decimal("7.8"),
        source="staff",
        now=NOON,
    )

    result = upload(RateSheet, csv_file(HEADER, row))

    assert words in str(problems(result))
    assert Rate.objects.count() == 1


@pytest.mark.parametrize(
    ("currency", "day", "rate", "words"),
    [
        ("HKD", NOON, "2", "This is the programme's own currency, which needs no rate."),
        ("USD", NOON, "0", "A rate is above zero and has at most 10 decimals."),
        ("USD", NOON, "-7.8", "A rate is above zero and has at most 10 decimals."),
        ("USD", FAR, "7.8", "This day is more than a year ahead. Check the year."),
    ],
)
def test_a_rate_that_cannot_be_is_refused_by_the_form_too(
    admin_client: Client, *, currency: str, day: datetime, rate: str, words: str
) -> None:
    build.programme(language="en")
    typed = {"currency": currency, "valid_from": day.date().isoformat(), "rate": rate}

    page = admin_client.post(
        reverse("admin:payments_rate_add"), typed, headers={"accept-language": "en"}
    )

    said = page.context["adminform"].form.errors
    assert [sentence for found in said.values() for sentence in found] == [words]
    assert not Rate.objects.exists()


def test_the_same_file_twice_changes_nothing() -> None:
    build.programme()
    content = csv_file(HEADER, ["USD", "2026-11-20", "7.785", "HSBC"])
    upload(RateSheet, content)

    again = upload(RateSheet, content)

    assert totals(again) == {"skip": 1}
    assert Rate.objects.count() == 1
