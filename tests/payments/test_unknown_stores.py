"""A post may name a store that nobody knows: it is booked, earns, and says so."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config import pipeline
from members.models import Store
from payments.models import Callback, Transaction
from payments.services.translate import translate_callbacks
from payments.wording import outcome_in_words
from tests import build
from tests.build import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.time_machine(NOON, tick=False)]
STRANGE = "booked:unknown_store"
IN_WORDS = (
    "Booked without a store: none had the code that the post names. Add that store, or mend the "
    "code at the till."
)


def outcomes() -> list[str]:
    return sorted(Callback.objects.values_list("outcome", flat=True))


def test_a_payment_of_an_unknown_store_earns_and_its_callback_says_so() -> None:
    build.programme()
    build.earning_rule()
    mei = build.member()

    build.send(build.payment(store="ALIEN", member=mei.code))
    pipeline.run(now=NOON)

    callback = Callback.objects.get()
    assert (callback.outcome, callback.waiting_for, callback.due_at) == (STRANGE, "", None)
    assert outcome_in_words(callback.outcome) == IN_WORDS
    assert Transaction.objects.get().store is None
    assert build.balance_of(mei) == 100


def test_only_what_is_booked_without_a_store_says_so() -> None:
    build.store("CENTRAL")
    anywhere = build.account()
    of_store = build.account(token="of-north", store=build.store("NORTH"))

    build.send(build.payment(ref="known", store="CENTRAL"), to=anywhere)
    build.send(build.payment(ref="silent"), to=anywhere)
    build.send(build.payment(ref="own", store="ALIEN"), to=of_store)
    pipeline.run(now=NOON)

    assert outcomes() == ["booked", "booked", "booked"]
    stores = dict(Transaction.objects.values_list("payment_ref", "store__code"))
    assert stores == {"known": "CENTRAL", "silent": None, "own": "NORTH"}


def test_a_post_that_is_read_again_still_says_so() -> None:
    again = build.payment(store="ALIEN")
    for _ in range(2):
        build.send(again, message_id="msg-1")
    pipeline.run(now=NOON)

    Callback.objects.update(due_at=NOON)
    pipeline.run(now=NOON)

    assert outcomes() == [STRANGE]
    assert Transaction.objects.count() == 1


def test_however_many_strange_codes_come_a_batch_takes_two_updates() -> None:
    build.store("CENTRAL")
    for code in ("CENTRAL", "ALIEN", "ODD", "STRANGE"):
        build.send(build.payment(ref=code, store=code))

    with CaptureQueriesContext(connection) as queries:
        translate_callbacks(now=NOON, limit=10)

    asked = [query["sql"] for query in queries]
    assert outcomes() == ["booked", STRANGE, STRANGE, STRANGE]
    assert len([sql for sql in asked if f'FROM "{Store._meta.db_table}"' in sql]) == 1
    assert len([sql for sql in asked if 'UPDATE "payments_callback"' in sql]) == 2


def test_account_health_counts_them(admin_client: Client) -> None:
    for code in ("ALIEN", "ODD", ""):
        build.send(build.payment(store=code))
    pipeline.run(now=NOON)

    page = admin_client.get("/admin/health/").content.decode()

    assert "2 posts named stores that nobody knows." in page
