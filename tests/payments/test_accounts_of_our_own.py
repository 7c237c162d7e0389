"""Tills and spreadsheets have accounts as platforms have: found again, and made once."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from payments.models import Account
from payments.services.own_accounts import sheet_account, till_account
from tests import build

pytestmark = pytest.mark.django_db(transaction=True)


def asked_by_six(ask: Callable[[], Account]) -> set[int]:
    """Whom they find who ask at the same moment, each on a connection of its own."""
    barrier, found = threading.Barrier(6), set[int]()

    def run() -> None:
        connection.ensure_connection()
        barrier.wait()
        found.add(ask().pk)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_sheets_that_are_uploaded_at_once_share_one_account() -> None:
    found = asked_by_six(sheet_account)

    assert found == {Account.objects.get(provider="sheet").pk}


def test_tills_of_a_store_that_sell_at_once_share_one_account() -> None:
    store = build.store("CENTRAL")

    found = asked_by_six(lambda: till_account(store))

    account = Account.objects.get(provider="till")
    assert found == {account.pk}
    assert (account.store, account.name) == (store, "API CENTRAL")


def test_each_store_has_an_account_for_its_tills_and_sheets_have_one_in_all() -> None:
    central, peak = build.store("CENTRAL"), build.store("PEAK")

    tills = [till_account(store) for store in (central, peak, None)]
    sheets = sheet_account()

    assert [till_account(store) for store in (central, peak, None)] == tills
    assert [account.store for account in tills] == [central, peak, None]
    assert sheet_account() == sheets
    assert Account.objects.count() == 4


def test_sheets_keep_their_account_when_staff_give_it_to_a_store() -> None:
    account = sheet_account()
    Account.objects.filter(pk=account.pk).update(store=build.store("CENTRAL"))

    assert sheet_account() == account
    assert Account.objects.count() == 1
