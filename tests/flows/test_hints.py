"""From a hint to points: the platform is asked, and nothing but its answer is money."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from config import pipeline
from kit.switchboard import Exchange, Switchboard
from loyalty.services.books import verify_books
from payments.models import Account, Callback, Query, Rejection, RejectionCount, Transaction
from payments.providers import linepay
from payments.providers.base import Trouble
from payments.services import hints, queries
from payments.services.accounts import forget_accounts, set_secrets
from payments.services.linking import link_transactions
from tests import build
from tests.flows.linepay_server import CHANNEL_ID, SECRET, LinePay, serve

pytestmark = pytest.mark.django_db
NOW = build.NOON
ID = "2026112100708765432"
FOREIGN = "2026112100700000001"


@pytest.fixture
def platform(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[LinePay]:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
    with serve(LinePay()) as served, time_machine.travel(NOW, tick=False):
        monkeypatch.setitem(linepay.HOSTS, "sandbox", served.url)
        yield served


@pytest.fixture(autouse=True)
def _books_are_right() -> Iterator[None]:
    yield
    assert [finding for finding in verify_books() if not finding.is_clean] == []


def account(**changes: Any) -> Account:
    settings = {"channel_id": CHANNEL_ID, "environment": "sandbox"}
    return build.account("linepay", secrets=[SECRET], settings=settings, **changes)


def hint(to: Account, reference: str = ID) -> int:
    """LINE Pay calls the account's URL; returns the status of our answer."""
    url = f"/callbacks/linepay/{to.token}/"
    response = Client().get(url, {"orderId": f"order-{reference}", "transactionId": reference})
    return int(response.status_code)


def ask(after: timedelta = timedelta(0)) -> None:
    while queries.query_platforms(now=NOW + after, limit=20):
        pass


def test_a_hint_becomes_points_once_the_platform_confirms_it(platform: LinePay) -> None:
    build.earning_rule(rates={"TWD": ("1", 1)})
    build.programme(currency="TWD")
    mei = build.member()
    platform.pay(ID, 1280)

    status = hint(account())
    pipeline.run(now=NOW)
    link_transactions(Transaction.objects.all(), mei, now=NOW)
    pipeline.run(now=NOW)

    booked, query = Transaction.objects.get(), Query.objects.get()
    assert status == 200
    assert (booked.payment_ref, booked.amount, booked.currency) == (ID, Decimal(1280), "TWD")
    assert booked.order_ref == f"order-{ID}"
    assert build.balance_of(mei) == 1280
    assert platform.asked == [f"GET /v3/payments?transactionId={ID}"]
    assert (query.outcome, query.is_done) == ("answered", True)
    assert query.callback_id == booked.callback_id


def test_hints_later_hints_and_staff_book_a_payment_once(platform: LinePay) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.pay(ID, 1280)

    for minutes in range(3):
        with time_machine.travel(NOW + timedelta(minutes=2 * minutes), tick=False):
            hint(row)
            hint(row)
        pipeline.run(now=NOW + timedelta(minutes=2 * minutes))
    queries.ask_platform(row, ID, now=NOW + timedelta(hours=1))
    pipeline.run(now=NOW + timedelta(hours=1))

    assert Transaction.objects.count() == 1
    assert Callback.objects.count() == 1
    assert Query.objects.get().hints == 6
    assert len(platform.asked) == 4


def test_a_refund_is_learnt_by_asking_again(platform: LinePay) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.pay(ID, 1280)
    hint(row)
    pipeline.run(now=NOW)
    refund = {"refundAmount": -280, "refundTransactionDate": "2026-11-22T04:00:00Z"}
    platform.pay(ID, 1280, refundList=[refund])

    queries.ask_platform(row, ID, now=NOW)
    pipeline.run(now=NOW)

    told = Transaction.objects.order_by("kind").values_list("kind", "amount", "is_total")
    assert list(told) == [("payment", Decimal(1280), False), ("refund", Decimal(280), True)]


def test_a_forged_hint_at_somebody_elses_payment_leads_to_no_money(platform: LinePay) -> None:
    row = account()

    status = hint(row, FOREIGN)
    ask()

    assert status == 200
    assert Transaction.objects.count() == 0
    assert Callback.objects.count() == 0
    assert Query.objects.count() == 0
    assert Rejection.objects.get().reason == "unknown_payment"


def test_the_answer_itself_cannot_be_posted(platform: LinePay) -> None:
    row = account()
    url = f"/callbacks/linepay/{row.token}/"

    for method in ("POST", "PUT", "ANSWER", "HEAD"):
        response = Client().generic(method, url, b'{"returnCode": "0000"}')
        assert response.status_code == 405

    assert Query.objects.count() == 0
    assert Rejection.objects.count() == 0


def test_a_platform_that_signs_is_not_called_by_get() -> None:
    row = build.account("standard")

    assert Client().get(f"/callbacks/standard/{row.token}/").status_code == 405
    assert Client().get("/callbacks/nobody/token/").status_code == 405
    assert Client().get("/callbacks/linepay/token/").status_code == 404


def test_an_unpaid_payment_is_asked_about_until_the_shop_confirms_it(platform: LinePay) -> None:
    build.programme(currency="TWD")
    platform.checks[ID] = "0110"
    hint(account())
    ask()
    waiting = Query.objects.get()
    platform.pay(ID, 1280)

    ask(timedelta(seconds=4))
    early = Transaction.objects.count()
    pipeline.run(now=NOW + timedelta(seconds=5))

    assert waiting.due_at == NOW + timedelta(seconds=5)
    assert (waiting.outcome, waiting.error) == ("trouble:not_final", "not_captured_yet")
    assert early == 0
    assert Transaction.objects.get().amount == Decimal(1280)


def test_an_abandoned_payment_moves_no_money_and_bothers_nobody(platform: LinePay) -> None:
    platform.checks[ID] = "0121"
    hint(account())

    ask()

    query = Query.objects.get()
    assert (query.outcome, query.is_done, query.waiting_for) == ("ignored:closed_unpaid", True, "")
    assert Callback.objects.count() == 0


def test_what_never_becomes_final_is_left_to_staff(platform: LinePay) -> None:
    platform.checks[ID] = "0110"
    hint(account())

    at = timedelta(0)
    for pause in (*queries.PAUSES, timedelta(0)):
        ask(at)
        at += pause

    query = Query.objects.get()
    assert query.waiting_for == "platform:not_final"
    assert query.attempts == len(queries.PAUSES) + 1
    assert len(platform.asked) == 2 * query.attempts
    assert at == timedelta(days=1, seconds=1280)


def test_a_platform_that_is_down_is_asked_again_when_it_is_up(platform: LinePay) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.is_down = True
    for number in range(1, 9):
        platform.pay(str(number), 100 * number)
        hint(row, str(number))

    while queries._BOARD.turn(now=NOW, limit=queries.MOST_AT_ONCE):
        pass
    asked_while_down = len(platform.asked)
    platform.is_down = False
    pipeline.run(now=NOW + timedelta(seconds=31))

    assert asked_while_down == queries.MOST_AT_ONCE, "The others wait while the platform is down."
    amounts = Transaction.objects.order_by("amount").values_list("amount", flat=True)
    assert list(amounts) == [Decimal(100 * number) for number in range(1, 9)]


def test_a_server_that_cannot_be_reached_is_named_in_words(
    platform: LinePay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(linepay.HOSTS, "sandbox", "http://127.0.0.1:9")
    hint(account())

    ask()

    query = Query.objects.get()
    assert query.outcome == f"trouble:{Trouble.UNREACHABLE}"
    assert query.error == "The server does not take the connection."
    assert query.due_at == NOW + timedelta(seconds=5)


def test_a_refused_key_is_said_and_mended(platform: LinePay) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.pay(ID, 1280)
    set_secrets(row, ["f" * 32])
    row.save()
    forget_accounts()
    hint(row)
    ask()
    refused = Query.objects.get().outcome
    set_secrets(row, [SECRET])
    row.save()
    forget_accounts()

    queries.ask_again(Query.objects.all(), now=NOW)
    pipeline.run(now=NOW)

    assert refused == "trouble:key_refused"
    assert Transaction.objects.get().amount == Decimal(1280)


def test_a_process_that_dies_between_asking_and_noting_costs_nothing(platform: LinePay) -> None:
    build.programme(currency="TWD")
    platform.pay(ID, 1280)
    hint(account())
    with pytest.raises(SystemExit):
        _ask_until_it_dies()

    ask(queries.LEASE - timedelta(seconds=1))
    too_early = Callback.objects.count()
    pipeline.run(now=NOW + queries.LEASE)

    assert too_early == 0
    assert Transaction.objects.get().amount == Decimal(1280)
    assert len(platform.asked) == 2


@pytest.mark.parametrize("answer", ["paid", "closed", "pending"])
def test_a_hint_that_comes_while_the_platform_is_asked_is_asked_about_once_more(
    platform: LinePay, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.checks[ID] = {"closed": "0121"}.get(answer, "0110")
    if answer == "paid":
        platform.pay(ID, 1280)
    monkeypatch.setattr(queries, "PAUSES", (timedelta(hours=8),))
    hint(row)

    _ask_while(lambda: hint(row))
    refund = {"refundAmount": -280, "refundTransactionDate": "2026-11-22T04:00:00Z"}
    platform.pay(ID, 1280, refundList=[refund])
    ask(timedelta(seconds=59))
    too_early = Callback.objects.filter(received_at__gt=NOW).count()
    pipeline.run(now=NOW + timedelta(minutes=1))
    pipeline.run(now=NOW + timedelta(hours=1))

    assert too_early == 0
    told = Transaction.objects.order_by("kind").values_list("kind", "amount")
    assert list(told) == [("payment", Decimal(1280)), ("refund", Decimal(280))]
    assert Query.objects.get().is_done


def test_a_hint_at_what_the_platform_does_not_know_is_dropped_however_often_it_comes(
    platform: LinePay,
) -> None:
    row = account()
    hint(row, FOREIGN)

    _ask_while(lambda: hint(row, FOREIGN))

    assert Query.objects.count() == 0
    assert Rejection.objects.get().reason == "unknown_payment"


def _ask_while(meanwhile: Callable[[], object]) -> None:
    """Something happens after the platform has answered, and before that is noted."""

    def record(ended: Any, now: datetime) -> None:
        meanwhile()
        queries._record(ended, now)

    board = Switchboard(Exchange("query", queries._claim, queries._call, record))
    while board.turn(now=NOW, limit=20):
        pass


def _ask_until_it_dies() -> None:
    board = Switchboard(Exchange("query", queries._claim, queries._call, _die))
    while board.turn(now=NOW, limit=20):
        pass


def _die(*_args: object) -> None:
    raise SystemExit


def test_a_flood_of_hints_is_refused_and_counted(
    platform: LinePay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "MOST_A_MINUTE", 3)
    row = account()
    other = account()

    statuses = [hint(row, str(number)) for number in range(1, 7)]
    again = hint(row, "1")
    elsewhere = hint(other, "1")
    with time_machine.travel(NOW + timedelta(seconds=61), tick=False):
        later = hint(row, "99")

    assert statuses == [200, 200, 200, 400, 400, 400]
    assert (again, elsewhere, later) == (200, 200, 200)
    assert Query.objects.filter(account=row).count() == 4
    assert RejectionCount.objects.get(account=row).posts == 3
    assert {row.reason for row in Rejection.objects.all()} == {"too_many"}


def test_only_so_many_payments_wait_for_an_answer(
    platform: LinePay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "MOST_OPEN", 2)
    row = account()
    platform.is_down = True

    with time_machine.travel(NOW, tick=False):
        first = [hint(row, "1"), hint(row, "2")]
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        beyond = hint(row, "3")
    platform.is_down = False
    ask(timedelta(hours=1))
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        afterwards = hint(row, "3")

    assert first == [200, 200]
    assert beyond == 400
    assert afterwards == 200


def test_a_disabled_account_asks_nothing(platform: LinePay) -> None:
    row = account()
    hint(row)
    Account.objects.update(is_enabled=False)

    ask()

    assert platform.asked == []
    assert Query.objects.get().attempts == 0


def test_what_told_of_no_money_is_forgotten_after_a_month(platform: LinePay) -> None:
    build.programme(currency="TWD")
    row = account()
    platform.checks["1"] = "0121"
    platform.pay(ID, 1280)
    hint(row, "1")
    hint(row)
    pipeline.run(now=NOW)

    kept = queries.forget_queries(now=NOW + queries.KEPT)
    gone = queries.forget_queries(now=NOW + queries.KEPT + timedelta(seconds=1))

    assert (kept, gone) == (0, 1)
    assert Query.objects.get().reference == ID


def test_a_platform_without_queries_says_so() -> None:
    with pytest.raises(queries.CannotBeAsked):
        queries.ask_platform(build.account("standard"), "pay-1", now=NOW)

    assert Query.objects.count() == 0
