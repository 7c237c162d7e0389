"""In 10,000 rows of each format exactly the faults that were put there are found."""

import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from time import perf_counter
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Account, Settlement, SettlementRow
from payments.services.reconcile.comparing import compare_again
from tests import build
from tests.build import NOON
from tests.reconciliation.files import KINDS, Sale, book, sales, take

ROWS = 10_000
FAULTS = 37
_FIVE = ("missing_here", "missing_there", "amount_differs", "duplicate", "fee_differs")


def seeded(
    truth: list[Sale], *, seed: int, places: int
) -> tuple[list[Sale], list[Sale], dict[Sale, str]]:
    """Our books, their file, and what is wrong with which sale."""
    dice = random.Random(seed)
    payments = [sale for sale in truth if not sale.of]
    refunds = [sale for sale in truth if sale.of]
    spoilt = dice.sample(payments, FAULTS - 8) + dice.sample(refunds, 8)
    faults = {sale: _FIVE[n % 5] for n, sale in enumerate(spoilt)}
    ours, theirs = [], []
    more = Decimal(1).scaleb(-places)
    for sale in truth:
        fault = faults.get(sale)
        if fault != "missing_here":
            own_fee = sale.fee + more if fault == "fee_differs" else sale.fee
            ours.append(replace(sale, fee=own_fee))
        if fault == "missing_there":
            continue
        told = replace(sale, amount=sale.amount + more) if fault == "amount_differs" else sale
        theirs += [told, told] if fault == "duplicate" else [told]
    return ours, theirs, faults


@pytest.mark.parametrize("form", KINDS)
def test_exactly_the_seeded_faults_are_found(db: None, form: str) -> None:
    kind = KINDS[form]
    places = 0 if form == "ecpay" else 2
    build.programme()
    account = Account.objects.create(provider=kind.provider, name=form)
    ours, theirs, faults = seeded(sales(ROWS, places=places), seed=37, places=places)
    booked = book(account, kind, ours)
    know_your_transactions()
    content = kind.write(theirs)

    began = perf_counter()
    settlement = take(account, content)
    took = perf_counter() - began

    rows = SettlementRow.objects.filter(settlement=settlement).exclude(
        verdict__in=("matched", "not_sales")
    )
    refs = {row.pk: ref for ref, row in booked.items()}
    found = Counter((_named(row, refs), row.verdict) for row in rows)
    wanted = Counter((_name(sale, fault, form), fault) for sale, fault in faults.items())
    assert len(faults) == FAULTS
    assert set(faults.values()) == set(_FIVE)
    assert found == wanted
    assert settlement.wrong_footings == []
    assert settlement.problems == []
    assert settlement.compared_at == NOON
    assert took < 60  # Seconds; about two on an idle machine.


def know_your_transactions() -> None:
    """A server learns by itself how many it holds, but not of what is not committed yet: it took
    the table for empty and read it once for each row of the file."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_transaction")


def _named(row: SettlementRow, refs: dict[UUID, str]) -> str:
    ours = refs.get(row.transaction_id) if row.transaction_id else ""
    return ours or row.effect_ref or row.payment_ref


def _name(sale: Sale, fault: str, form: str) -> str:
    """ECPay numbers no refunds: a row that has no effect of ours goes by its payment."""
    is_nameless = form == "ecpay" and fault in {"missing_here", "duplicate"}
    return sale.payment if is_nameless else sale.ref


def test_comparing_asks_a_fixed_number_of_queries(db: None) -> None:
    kind = KINDS["wechat"]
    build.programme()
    asked = []
    for number in (21, 420):
        account = Account.objects.create(provider=kind.provider, name=f"{number} rows")
        rows = sales(number, seed=number)
        book(account, kind, rows)
        settlement = take(account, kind.write(rows))
        with CaptureQueriesContext(connection) as queries:
            compare_again(Settlement.objects.get(pk=settlement.pk), now=NOON)
        asked.append(len(queries))

    assert asked[0] == asked[1] <= 25
