"""Account health tells how long points took us, not how long others let us wait."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config import pipeline
from config.account_health import health_of
from loyalty.models import Award
from members.identity_kinds import WALLET
from payments.models import Transaction
from payments.services.linking import link_identity, link_transactions, match_all_waiting
from payments.services.rates import enter_rate
from tests import build
from tests.build import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.time_machine(NOON, tick=False)]
SECOND = timedelta(seconds=1)
LATER = NOON + timedelta(minutes=50)


def lags() -> tuple[float | None, float | None]:
    account = build.account().pk
    health = health_of([account], now=NOON + timedelta(hours=1))[account]
    return health.median_lag, health.p95_lag


def earn_at_once() -> None:
    build.programme()
    build.earning_rule(rates={"HKD": ("1", 1), "GBP": ("1", 10)})
    build.send(build.payment(member=build.member().code))
    pipeline.run(now=NOON + 2 * SECOND)


def link_by_hand() -> None:
    link_transactions(Transaction.objects.filter(member=None), build.member(), now=LATER)


def link_by_wallet() -> None:
    link_identity(build.member(), kind=WALLET, value="late", now=LATER)


def import_wallets() -> None:
    build.member(wallet="late", now=LATER)
    match_all_waiting()


@pytest.mark.parametrize(
    ("wallet", "link"),
    [
        ("", link_by_hand),
        ("late", link_by_hand),
        ("late", link_by_wallet),
        ("late", import_wallets),
    ],
)
def test_payments_that_waited_for_their_member_are_left_out(
    wallet: str, link: Callable[[], None]
) -> None:
    earn_at_once()
    build.send(build.payment(wallet=wallet))
    pipeline.run(now=NOON + SECOND)

    link()
    pipeline.run(now=LATER + SECOND)

    assert Award.objects.count() == 2
    assert lags() == (2.0, 2.0)


def test_payments_that_waited_for_a_rate_are_left_out() -> None:
    earn_at_once()
    build.send(build.payment(currency="GBP", member=build.member().code))
    pipeline.run(now=NOON + SECOND)

    day = NOON.date() - timedelta(days=1)
    enter_rate(currency="GBP", valid_from=day, rate=Decimal(10), source="staff", now=LATER)
    pipeline.run(now=LATER + SECOND)

    assert Award.objects.count() == 2
    assert lags() == (2.0, 2.0)


def test_payments_that_waited_for_their_order_are_left_out() -> None:
    build.account(order_wait_seconds=600)
    earn_at_once()
    build.send(build.payment(order_ref="1001", member=build.member().code))

    pipeline.run(now=NOON + SECOND)
    assert Award.objects.count() == 1
    pipeline.run(now=NOON + timedelta(seconds=601))

    assert Award.objects.count() == 2
    assert lags() == (2.0, 2.0)


def test_refunds_are_left_out_for_they_give_no_points() -> None:
    earn_at_once()
    build.send(build.refund(Transaction.objects.get().payment_ref, "10.00"))

    pipeline.run(now=LATER)

    assert Award.objects.count() == 2
    assert lags() == (2.0, 2.0)


def test_what_was_slow_without_a_reason_is_counted_in_one_query() -> None:
    earn_at_once()
    build.send(build.payment(member=build.member().code))
    pipeline.run(now=LATER)

    with CaptureQueriesContext(connection) as queries:
        found = lags()

    assert [round(lag, 1) for lag in found if lag is not None] == [1501.0, 2850.1]
    assert len([query for query in queries if "percentile_cont" in query["sql"]]) == 1
