"""Balances, points and transactions, as the road left them; and pages that hold still."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from config import pipeline
from loyalty.services.points import adjust_points
from payments.models import Transaction
from tests import build
from tests.api import till
from tests.api.conftest import Call, caller
from tests.build import NOON

pytestmark = pytest.mark.django_db


def sell(call: Call, number: int, **given: Any) -> str:
    body = {
        "kind": "payment",
        "order_ref": f"A-{number}",
        "amount": "100.00",
        "currency": "HKD",
        "occurred_at": (NOON - timedelta(hours=number)).isoformat(),
    }
    answer = call("post", "sales", body | given, once=f"sale-{number}")
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def pages(call: Call, path: str, **query: Any) -> list[list[Any]]:
    found, cursor = [], ""
    while True:
        page = call("get", path, query | ({"cursor": cursor} if cursor else {})).json()
        found.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_the_balance_tells_what_lapses_and_what_the_next_tier_wants(call: Call) -> None:
    build.tiers(basic="0", gold="1000")
    build.earning_rule()
    mei = build.member()
    sell(call, 1, member=mei.code, amount="250.00")
    pipeline.run(now=timezone.now())

    answer = call("get", f"members/{mei.code}/balance").json()

    assert answer["tier_since"] is None
    assert answer | {"tier_since": None} == {
        "member": mei.code,
        "points": 250,
        "expiring": [],
        "tier": {"code": "basic", "name": "Basic"},
        "tier_since": None,
        "spend": "250.00",
        "next_tier": {
            "code": "gold",
            "name": "Gold",
            "threshold": "1000.00",
            "missing": "750.00",
            "percent": 25,
        },
        "currency": "HKD",
    }


def test_points_come_with_their_reasons_and_a_store_key_sees_its_own_sales() -> None:
    build.earning_rule(name="Points")
    mei = build.member()
    tst = till.store("TST")
    own, other = caller(store=tst), caller(store=till.store("CWB"))
    paid = sell(own, 1, member=mei.code)
    pipeline.run(now=timezone.now())
    adjust_points(mei, points=5, reason="Sorry", actor=None, now=timezone.now())

    (rows,) = pages(own, f"members/{mei.code}/points")
    ((_adjusted, hidden),) = pages(other, f"members/{mei.code}/points")

    assert [(row["points"], row["kind"]) for row in rows] == [(5, "adjust"), (100, "earn")]
    assert rows[1]["transaction"]["id"] == paid
    assert rows[1]["transaction"]["order_ref"] == "A-1"
    assert rows[1]["why"] == [
        {"rule": "Points", "points": 100, "words": "Counted.", "counted": True}
    ]
    assert (hidden["points"], hidden["transaction"]) == (100, None)


def test_what_staff_wrote_of_an_adjustment_leaves_by_no_key() -> None:
    mei = build.member()
    own = caller(store=till.store("TST"))
    adjust_points(mei, points=5, reason="Her son is ill", actor=None, now=timezone.now())

    answer = own("get", f"members/{mei.code}/points")

    assert [row["points"] for row in answer.json()["items"]] == [5]
    assert "Her son is ill" not in answer.content.decode()


def test_pages_neither_repeat_nor_skip_while_rows_come_in(call: Call) -> None:
    there = [sell(call, number) for number in range(1, 6)]
    same_time = sell(call, 6, occurred_at=(NOON - timedelta(hours=3)).isoformat())
    first = call("get", "transactions", {"limit": 2}).json()

    sell(call, 7, occurred_at=NOON.isoformat())
    sell(call, 8, occurred_at=(NOON - timedelta(minutes=90)).isoformat())
    rest = pages(call, "transactions", limit=2, cursor=first["next_cursor"])

    seen = [row["id"] for page in [first["items"], *rest] for row in page]
    assert sorted(seen) == sorted([*there, same_time])
    assert [len(page) for page in rest] == [2, 2]


def test_a_cursor_is_good_for_the_same_question_only(call: Call) -> None:
    for number in (1, 2):
        sell(call, number)
    cursor = call("get", "transactions", {"limit": 1}).json()["next_cursor"]

    for query in (
        {"cursor": cursor, "kind": "refund"},
        {"cursor": cursor[:-4] + "AAAA"},
        {"cursor": "W10"},
        {"cursor": "💥"},
    ):
        answer = call("get", "transactions", query)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/cursor"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"order_ref": "A-1"}, ["A-1"]),
        ({"store": "TST"}, ["A-2"]),
        ({"kind": "refund"}, []),
        ({"since": (NOON - timedelta(hours=2)).isoformat()}, ["A-1", "A-2"]),
        ({"until": (NOON - timedelta(hours=2)).isoformat()}, ["A-3"]),
    ],
)
def test_transactions_are_filtered(call: Call, query: Any, found: list[str]) -> None:
    till.store("TST")
    sell(call, 1)
    sell(call, 2, store="TST")
    sell(call, 3)

    (rows,) = pages(call, "transactions", **query)

    assert [row["order_ref"] for row in rows] == found


def test_a_members_transactions_are_those_of_whom_they_were_merged_with_too(call: Call) -> None:
    mei, twin, bo = build.member(), build.member(), build.member()
    for number, member in enumerate((mei, twin, bo), start=1):
        sell(call, number, member=member.code)
    twin.merged_into = mei
    twin.save()

    (rows,) = pages(call, "transactions", member=twin.code)

    assert [row["order_ref"] for row in rows] == ["A-1", "A-2"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "#/limit"),
        ({"limit": "201"}, "#/limit"),
        ({"limit": "x"}, "#/limit"),
        ({"kind": "gift"}, "#/kind"),
        ({"since": "2026-11-21"}, "#/since"),
        ({"store": "NOWHERE"}, "#/store"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_a_question_that_cannot_be_is_refused(call: Call, query: Any, pointer: str) -> None:
    answer = call("get", "transactions", query)

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_transaction_shows_its_lines_its_points_and_what_is_left(call: Call) -> None:
    build.earning_rule()
    mei = build.member()
    lines = [{"sku": "TEA", "quantity": "2", "amount": "60.00", "name": "Tea"}]
    paid = sell(call, 2, member=mei.code, lines=lines)
    sell(call, 1, kind="refund", order_ref="A-2", refund_ref="R-1", amount="10.00")
    pipeline.run(now=timezone.now())

    answer = call("get", f"transactions/{paid}").json()

    assert (answer["points"], answer["state"], answer["left"]) == (100, "Done", "90.00")
    assert answer["lines"] == [{"sku": "TEA", "name": "Tea", "quantity": "2", "amount": "60.00"}]
    refund = Transaction.objects.get(kind="refund")
    taken = call("get", f"transactions/{refund.pk}").json()
    assert (taken["original"], taken["points"], taken["left"]) == (paid, -10, None)
    assert refund.amount == Decimal(10)


def test_a_store_key_sees_no_other_store() -> None:
    own, other = caller(store=till.store("TST")), caller(store=till.store("CWB"))
    paid = sell(own, 1)

    read = other("get", f"transactions/{paid}")
    listed = other("get", "transactions")
    asked = other("get", "transactions", {"store": "TST"})

    assert (read.status_code, read.json()["code"]) == (404, "transaction_unknown")
    assert listed.json() == {"items": [], "next_cursor": None}
    assert (asked.status_code, asked.json()["code"]) == (403, "store_not_allowed")
