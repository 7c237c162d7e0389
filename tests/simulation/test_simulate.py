"""The simulated tills, against a live server and a road in this process."""

import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.management.commands.road import travel
from config.pipeline import STAGES
from config.simulation.load import Outcome, Sale
from config.simulation.report import Spread, lines
from loyalty.models import Award
from payments.models import Callback, Transaction
from tests import build


@pytest.fixture
def running_road(transactional_db: None) -> Iterator[None]:
    stop = threading.Event()
    stages = tuple(stage for stage in STAGES if stage.part != "post")
    road = threading.Thread(target=travel, args=(stages, stop))
    road.start()
    yield
    stop.set()
    road.join()


def simulate(server: Any, **options: Any) -> str:
    out = StringIO()
    call_command("simulate", url=server.url, stdout=out, **options)
    return out.getvalue()


def test_every_payment_becomes_points_once_though_some_come_twice(
    live_server: Any, running_road: None
) -> None:
    build.account()
    build.earning_rule()
    members = [build.member() for _ in range(3)]

    told = simulate(live_server, rate=20, seconds=1, resent=0.5, hot=0.3)

    assert "sent 20, refused 0, lost 0, doubled 0" in told
    assert Award.objects.count() == Transaction.objects.count() == 20
    assert Callback.objects.count() > 20
    assert sum(map(build.balance_of, members)) == sum(
        Award.objects.values_list("points", flat=True)
    )


def test_one_payment_tells_what_it_did_and_where_to_look(
    live_server: Any, running_road: None
) -> None:
    build.account()
    build.earning_rule()
    mei = build.member()

    told = simulate(live_server, one=True, member=mei.code)

    assert "+8,800 points" in told
    assert "Balance 0 → 8,800" in told
    assert f"/admin/members/member/{mei.pk}/change/" in told
    assert build.balance_of(mei) == 8800


@pytest.mark.django_db
def test_without_an_account_for_tills_it_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="Add one under Payment accounts"):
        call_command("simulate", url="http://127.0.0.1:1", one=True)


def test_what_is_acknowledged_but_never_seen_is_lost_and_a_refusal_is_not() -> None:
    seen = sale(status=200, seen_at=1.05)
    lost = sale(status=200)
    refused = sale(status=400)

    outcome = Outcome([seen, lost, refused])

    assert (outcome.lost, outcome.refused) == ([lost], [refused])
    assert lines(outcome)[-1] == "sent 3, refused 1, lost 1, doubled 0"


def test_a_spread_names_percentiles_in_milliseconds() -> None:
    spread = Spread.of(number / 1000 for number in range(1, 101))

    assert (spread.p50, spread.p95, spread.p99, spread.longest) == (51, 96, 100, 100)


def sale(*, status: int, seen_at: float = 0.0) -> Sale:
    return Sale("ref", b"{}", 1.0, "id", 1.01, 1.02, seen_at=seen_at, status=status)
