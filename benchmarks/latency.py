"""How long a payment takes to become points that can be read, on top of a year of trade."""

from collections.abc import Sequence

from django.db import connection

from benchmarks.merchant import Merchant
from benchmarks.place import road, web
from benchmarks.report import Result
from config.simulation.load import Outcome, Plan, plan_sales, run
from config.simulation.report import Spread, spreads
from config.simulation.till import door_of

_P50, _P99, _P99_OF_A_RUSH = 60.0, 300.0, 1000.0


def measure(merchant: Merchant, *, earlier: int, seconds: float) -> list[Result]:
    members = sorted(merchant.members, key=lambda member: member.pk)
    codes = [member.code for member in members]
    with web() as url, road():
        drive(url, codes, Plan(rate=50, seconds=min(5.0, seconds), seed=99))  # First imports.
        day = drive(url, codes, Plan(rate=100, seconds=seconds, seed=1))
        rush = drive(url, codes, Plan(rate=250, seconds=seconds, seed=2))
    wanted = f"p50 < {_P50:.0f} ms, p99 < {_P99:.0f} ms, none lost or doubled"
    rushed = f"p99 < {_P99_OF_A_RUSH:.0f} ms, none lost or doubled"
    spread, rush_spread = _points(day), _points(rush)
    is_day_met = spread.p50 < _P50 and spread.p99 < _P99
    is_rush_met = rush_spread.p99 < _P99_OF_A_RUSH
    title = f"with {earlier:,} earlier payments"
    return [
        Result(f"100/s {title}", _figures(day), wanted, is_met=is_day_met and _is_whole(day)),
        Result(f"250/s {title}", _figures(rush), rushed, is_met=is_rush_met and _is_whole(rush)),
    ]


def drive(url: str, codes: Sequence[str], plan: Plan) -> Outcome:
    given = connection.settings_dict
    database = {"host": given["HOST"], "dbname": given["NAME"], "user": given["USER"]}
    return run(plan, plan_sales(plan, codes, currency="HKD"), door_of(url), database)


def _points(outcome: Outcome) -> Spread:
    return spreads(outcome)["points, from planned time"]


def _is_whole(outcome: Outcome) -> bool:
    return not (outcome.lost or outcome.doubled or outcome.refused)


def _figures(outcome: Outcome) -> dict[str, float]:
    spread = _points(outcome)
    answered = spreads(outcome)["acknowledged"]
    return {
        "p50 ms": spread.p50,
        "p95 ms": spread.p95,
        "p99 ms": spread.p99,
        "longest ms": spread.longest,
        "acknowledged p99 ms": answered.p99,
        "sent": float(len(outcome.sales)),
        "refused": float(len(outcome.refused)),
        "lost": float(len(outcome.lost)),
        "doubled": float(len(outcome.doubled)),
    }
