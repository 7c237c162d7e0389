"""Calls side by side: what they came to is kept, whatever the database does meanwhile."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError

from kit.drain import StageBroken
from kit.switchboard import Exchange, Switchboard
from tests.build import NOON

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Parcel:
    number: int
    lane: str = "a"


@dataclass
class Stage:
    """Hands out `parcels` once, answers with ten times the number, keeps what came of it."""

    parcels: list[Parcel]
    kept: list[int] = field(default_factory=list)
    busy: list[dict[Any, int]] = field(default_factory=list)
    problem: Exception | None = None

    def claim(self, busy: Any, room: int, _now: datetime) -> list[Parcel]:
        self.busy.append(dict(busy))
        handed, self.parcels = self.parcels[:room], self.parcels[room:]
        return handed

    def call(self, parcel: Parcel) -> int:
        return parcel.number * 10

    def record(self, ended: Sequence[tuple[Parcel, int]], _now: datetime) -> None:
        if self.problem is not None:
            raise self.problem
        self.kept += [outcome for _parcel, outcome in ended]

    def board(self, **changes: Any) -> Switchboard[Parcel, int]:
        exchange = Exchange(
            name="test", claim=self.claim, call=changes.get("call", self.call), record=self.record
        )
        return Switchboard(exchange, threads=3)


def drain(board: Switchboard[Parcel, int]) -> None:
    while board.turn(now=NOON, limit=48):
        pass


def test_every_call_is_made_and_kept_once_and_never_more_than_there_are_threads() -> None:
    stage = Stage([Parcel(number) for number in range(20)])

    drain(stage.board())

    assert sorted(stage.kept) == [number * 10 for number in range(20)]
    assert max(each.get("a", 0) for each in stage.busy) <= 3


def test_what_the_database_cannot_take_now_is_kept_when_it_can() -> None:
    stage = Stage([Parcel(1), Parcel(2)], problem=OperationalError("gone"))
    board = stage.board()

    with pytest.raises(OperationalError):
        drain(board)
    before = list(stage.kept)
    stage.problem = None
    drain(board)

    assert before == []
    assert sorted(stage.kept) == [10, 20]


def test_a_call_that_breaks_stops_the_stage_and_loses_no_other_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _args: None)
    stage = Stage([Parcel(1), Parcel(2), Parcel(3)])

    def call(parcel: Parcel) -> int:
        if parcel.number == 2:
            raise RuntimeError("our bug")
        return parcel.number * 10

    board = stage.board(call=call)
    with pytest.raises(StageBroken):
        drain(board)
    drain(board)

    assert sorted(stage.kept) == [10, 30]
