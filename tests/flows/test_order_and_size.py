"""The books do not depend on the size of batches or on how many processes drain them."""

import gc
import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from config.pipeline import STAGES, run
from loyalty.services.books import verify_books
from loyalty.services.settle import settle_members
from payments.services.translate import translate_callbacks
from tests import build
from tests.flows import scenario

INWARD = tuple(stage for stage in STAGES if stage.part != "post")


def drain_with(processes: int, *, limit: int, now: datetime) -> None:
    """As many roads at once as `processes`, each with its own connection, until all is done."""

    def road() -> None:
        try:
            while run(now=now, limit=limit, stages=INWARD):
                pass
        finally:
            connection.close()

    for _ in range(2):  # A road may find everything locked by others and go home early.
        threads = [threading.Thread(target=road) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_any_batch_size_and_any_number_of_roads_give_the_same_books(
    limit: int, processes: int
) -> None:
    scenario.lay_down_rules()
    members = [build.member().code for _ in range(6)]
    sent = scenario.story(members, payments=60, seed=7)
    now = scenario.store(sent, build.account())

    drain_with(processes, limit=limit, now=now)

    found, wanted = scenario.books(), scenario.expected(sent)
    assert found["points"] == wanted["points"]
    assert found["balance"] == wanted["balance"]
    assert found["spend"] == wanted["spend"]
    assert found["moves"] == wanted["moves"]
    assert [finding for finding in verify_books() if not finding.is_clean] == []


@pytest.mark.django_db
def test_what_a_batch_made_goes_with_it_and_waits_for_no_collector() -> None:
    """Rows that hold each other stay until Python looks for rings, which the road seldom does."""
    scenario.lay_down_rules()
    members = [build.member().code for _ in range(6)]
    now = scenario.store(scenario.story(members, payments=60, seed=7), build.account())
    points = tuple(stage for stage in STAGES if stage.part == "points")
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)

    run(now=now, stages=points)
    gc.collect()

    gc.set_debug(0)
    left = [type(found).__name__ for found in gc.garbage if isinstance(found, Model)]
    gc.garbage.clear()
    assert left == []


@pytest.mark.django_db
def test_who_has_very_many_payments_does_not_keep_the_others_waiting() -> None:
    build.earning_rule()
    busy, other = build.member(wallet="busy"), build.member(wallet="other")
    for number in range(40):
        build.send(build.payment("1.00", ref=f"busy-{number}", wallet="busy"))
    build.send(build.payment("100.00", ref="other", wallet="other"))
    now = timezone.now() + timedelta(minutes=1)
    translate_callbacks(now=now, limit=500)

    settle_members(now=now, limit=8)

    assert build.balance_of(other) == 100
    assert build.balance_of(busy) > 0
