"""Ctrl+K and the list of transactions: what a payment's or an order's number finds."""

import json
import re
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from config import pipeline
from payments.models import AmountConflict, Order, Transaction
from payments.search import by_number, transactions_matching
from payments.services.conflicts import accept_second
from tests import build
from tests.admin.conftest import World
from tests.build import NOON


def correct(world: World, ref: str = "N-1") -> Transaction:
    """20.00 was told first, 25.00 was right: a payment of 5.00 beside it."""
    for amount in ("20.00", "25.00"):
        build.send(build.payment(amount, ref=ref, order_ref="O-7"), to=world.near.account)
    pipeline.run(now=NOON)
    row = accept_second(AmountConflict.objects.get(), reason="Asked", by=world.boss, now=NOON)
    assert row is not None
    return row


def found_by_palette(client: Client, term: str) -> list[str]:
    """The titles of what Ctrl+K shows beside pages of the admin."""
    page = client.get(reverse("admin:search"), {"s": term, "extended": "1"})
    return [row.title for row in page.context["results"] if re.search(r"\d", row.title)]


def found_by_list(client: Client, term: str) -> set[str]:
    page = client.get(reverse("admin:payments_transaction_changelist"), {"q": term})
    return {row.payment_ref for row in page.context["cl"].result_list}


def test_a_payments_number_finds_what_was_booked_to_correct_it(
    world: World, as_boss: Client, as_manager: Client
) -> None:
    correction = correct(world)
    assert re.fullmatch(r"N-1:correction-[0-9a-f]{12}", correction.payment_ref)

    both = {"N-1", correction.payment_ref}
    assert set(found_by_palette(as_boss, "N-1")) == both
    assert set(found_by_palette(as_manager, "N-1")) == both
    assert found_by_list(as_boss, "N-1") == both
    assert found_by_list(as_boss, correction.payment_ref) == {correction.payment_ref}


def test_so_does_a_number_too_long_to_stand_in_the_corrections(
    world: World, as_boss: Client
) -> None:
    long = "N-" + "9" * 90
    correction = correct(world, ref=long)
    assert not correction.payment_ref.startswith(long)

    assert set(found_by_palette(as_boss, long)) == {long, correction.payment_ref}


def test_an_orders_number_finds_its_payments_and_the_order(world: World, as_boss: Client) -> None:
    correction = correct(world)
    Order.objects.create(
        order_ref="O-7",
        store=world.near.store,
        amount=25,
        currency="HKD",
        ordered_at=NOON,
        received_at=NOON,
    )

    assert set(found_by_palette(as_boss, "O-7")) == {"N-1", correction.payment_ref, "O-7"}
    assert found_by_list(as_boss, "O-7") == {"N-1", correction.payment_ref}


def test_who_does_not_see_the_store_finds_nothing(world: World, as_nobody: Client) -> None:
    correct(world)

    assert found_by_palette(as_nobody, "N-1") == []
    assert found_by_palette(as_nobody, "O-7") == []


def test_every_look_up_stands_on_an_index(world: World) -> None:
    correct(world)

    plans = {
        (search.__name__, term): _tables_read_whole(Transaction.objects.filter(search(term)))
        for search in (by_number, transactions_matching)
        for term in ("N-1", "O-7", "nothing")
    }

    assert {at: tables for at, tables in plans.items() if tables} == {}


def _tables_read_whole(rows: Any) -> list[str]:
    """Where the server reads all rows although it was told to rather not."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        (plan,) = json.loads(rows.order_by().explain(format="json"))
        cursor.execute("SET LOCAL enable_seqscan = on")
    text = json.dumps(plan)
    return re.findall(r'"Node Type": "Seq Scan".*?"Relation Name": "(\w+)"', text)
