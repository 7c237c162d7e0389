"""Two who have one file compared at the same moment: it lacks each payment once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from kit.ids import uuid7
from payments.models import Account, Settlement, SettlementRow
from payments.services.reconcile import comparing
from payments.services.reconcile.comparing import compare_again, compare_due
from tests import build
from tests.build import NOON
from tests.reconciliation.files import DAY, KINDS, book, sales

pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOON + timedelta(minutes=1)
LATER = NOON + timedelta(minutes=2)


@pytest.fixture
def account() -> Account:
    build.programme()
    return Account.objects.create(provider="alipay", name="Alipay")


def empty_file(account: Account, name: str = "a.csv") -> Settlement:
    """A file of that day without rows: it lacks whatever we booked."""
    row = Settlement(
        account=account,
        format="alipay",
        file_name=name,
        file_hash=name.encode(),
        starts_on=DAY.date(),
        ends_on=DAY.date(),
        rows_read=0,
        uploaded_at=NOON,
        due_at=NOON,
    )
    return Settlement.record([row])[0]


def in_another_process(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("second", [compare_again, lambda _file, now: compare_due(now=now)])
def test_what_a_file_lacks_is_noted_once_by_two_at_a_time(
    account: Account, monkeypatch: pytest.MonkeyPatch, second: Callable[..., Any]
) -> None:
    file, (sale, *_others) = empty_file(account), sales(21)
    book(account, KINDS["alipay"], [sale])
    others: list[threading.Thread] = []
    note = comparing._note_missing_there

    def note_while_another_compares(*given: Any) -> None:
        if not others:
            others.append(in_another_process(lambda: second(file, now=LATER)))
            others[0].join(timeout=1)
        note(*given)

    monkeypatch.setattr(comparing, "_note_missing_there", note_while_another_compares)
    compare_again(file, now=SOON)
    others[0].join()

    rows = SettlementRow.objects.values_list("number", "verdict", "payment_ref")
    assert list(rows) == [(0, "missing_there", sale.ref)]
    file.refresh_from_db()
    assert (file.due_at, file.error) == (None, "")


def test_the_database_takes_no_second_note_of_one_payment(account: Account) -> None:
    file, (sale, *_others) = empty_file(account), sales(21)
    book(account, KINDS["alipay"], [sale])
    compare_again(file, now=SOON)
    again = SettlementRow.objects.get()
    again.pk = uuid7()

    with pytest.raises(IntegrityError, match="settlementrow_lacking_once"):
        SettlementRow.record([again])

    assert SettlementRow.objects.count() == 1


def test_two_files_of_one_account_are_compared_one_after_the_other(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = empty_file(account), empty_file(account, "b.csv")
    others: list[threading.Thread] = []
    still_waits: list[bool] = []
    note = comparing._note_missing_there

    def note_while_another_compares(*given: Any) -> None:
        if not others:
            others.append(in_another_process(lambda: compare_again(second, now=LATER)))
            others[0].join(timeout=0.5)
            still_waits.append(others[0].is_alive())
        note(*given)

    monkeypatch.setattr(comparing, "_note_missing_there", note_while_another_compares)
    compare_again(first, now=SOON)
    others[0].join()

    assert still_waits == [True]
    assert not Settlement.objects.exclude(due_at=None).exists()
