"""Content of posts is kept for months and no longer; the role that runs us owns none of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from kit.ids import uuid7
from members.models import Programme
from payments.models import (
    Account,
    Callback,
    CallbackBody,
    Conflict,
    Rejection,
    RejectionCount,
)
from payments.providers.base import Inbound
from payments.services.bodies import make_partitions, seal
from payments.services.replay import replay_callbacks
from payments.services.retention import kept_since, prune
from tests import build
from tests.build import NOON

SEALED = seal(Inbound("POST", "/callbacks/", {}, b'{"name": "Mei"}'))


def months_ago(number: int, *, of: datetime = NOON) -> datetime:
    month = of.year * 12 + of.month - 1 - number
    return datetime(month // 12, month % 12 + 1, 15, tzinfo=UTC)


def tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relispartition"
            " AND relname LIKE 'payments_callbackbody_2%' AND relkind = 'r' ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


def make_table(at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_callback_body_partition(%s)", [at.date()])


def post(at: datetime, *, account: Account | None = None) -> Callback:
    callback = Callback(
        id=uuid7(),
        account=account or build.account(),
        delivery_key=f"{at}",
        body_hash=b"0" * 32,
        received_at=at,
        outcome="booked",
    )
    Callback.record([callback])
    CallbackBody.objects.create(callback_id=callback.pk, received_at=at, sealed=SEALED)
    return callback


@pytest.fixture
def programme(db: None) -> Programme:
    return build.programme(bodies_kept_months=3)


def test_whole_months_before_the_kept_ones_are_dropped(
    programme: Programme, runtime_role: str
) -> None:
    for number in (6, 5, 4, 3, 2):
        make_table(months_ago(number))
        post(months_ago(number))
    before = tables()

    pruned = prune(now=NOON)

    assert pruned.tables == [
        f"payments_callbackbody_{months_ago(number):%Y_%m}" for number in (6, 5, 4)
    ]
    assert tables() == [name for name in before if name not in pruned.tables]
    assert CallbackBody.objects.count() == 2
    assert Callback.objects.count() == 5
    assert prune(now=NOON).tables == []


def test_what_lies_in_no_month_of_its_own_is_deleted_too(programme: Programme) -> None:
    post(datetime(2019, 5, 1, tzinfo=UTC))
    kept = post(NOON)

    prune(now=NOON)

    assert list(CallbackBody.objects.values_list("callback_id", flat=True)) == [kept.pk]


def test_the_database_itself_refuses_the_last_two_months(
    programme: Programme, runtime_role: str
) -> None:
    for number in (2, 1):
        month = months_ago(number, of=timezone.now())  # The database goes by its own clock.
        make_table(month)
        post(month)
    before = tables()

    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_drop_callback_bodies('2999-01-01')")
        (dropped,) = cursor.fetchone()

    assert dropped is None
    assert tables() == before
    assert CallbackBody.objects.count() == 2


def test_the_kept_months_are_whole_months() -> None:
    assert kept_since(now=NOON, months=3) == datetime(2026, 8, 1, tzinfo=UTC)
    assert kept_since(now=NOON, months=13) == datetime(2025, 10, 1, tzinfo=UTC)


def test_refused_posts_and_bytes_of_conflicts_go_with_them(
    programme: Programme, runtime_role: str
) -> None:
    account = build.account()
    for slot, at in enumerate((months_ago(9), NOON)):
        Rejection.objects.create(
            account=account, slot=slot, received_at=at, reason="too_old", sealed=SEALED
        )
        RejectionCount.objects.create(account=account, minute=at, reason="too_old", posts=1)
        Conflict.record([
            Conflict(
                callback=post(at), body_hash=b"1" * 32, sealed=SEALED, received_at=at
            )
        ])  # fmt: skip

    pruned = prune(now=NOON)

    assert (pruned.conflicts, pruned.refusals) == (1, 1)
    assert [row.received_at for row in Rejection.objects.all()] == [NOON]
    assert [row.minute for row in RejectionCount.objects.all()] == [NOON]
    old, new = Conflict.objects.order_by("received_at")
    assert (old.sealed, old.pruned_at) == (None, NOON)
    assert bytes(old.body_hash) == b"1" * 32
    assert new.sealed is not None


def test_a_pruned_callback_says_so_and_is_not_replayed(
    programme: Programme, admin_client: Client
) -> None:
    make_table(months_ago(6))
    old, new = post(months_ago(6)), post(NOON)
    prune(now=NOON)

    replayed = replay_callbacks(Callback.objects.all(), now=NOON)
    page = admin_client.get(f"/admin/payments/callback/{old.pk}/change/").content.decode()

    assert replayed == (1, 1)
    assert "the programme keeps it for 3 months" in page
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.due_at, new.due_at) == (None, NOON)


def test_conflicts_of_one_callback_keep_no_endless_bytes(
    programme: Programme, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Conflict, "MOST_KEPT", 2)
    build.account()

    for number in range(5):
        build.send(build.payment(f"{number + 1}.00", ref="p"), message_id="one")

    kept = [row.sealed is not None for row in Conflict.objects.order_by("pk")]
    assert kept == [True, True, False, False]


def test_next_months_are_made_ahead(programme: Programme) -> None:
    make_partitions(today=(NOON + timedelta(days=400)).date())

    assert "payments_callbackbody_2028_03" in tables()
