"""A rush: ten seconds of as much as the server accepts, and how long its points take to follow."""

from benchmarks.latency import drive
from benchmarks.merchant import Merchant
from benchmarks.place import road, web
from benchmarks.report import Result
from config.simulation.load import Plan

_SECONDS = 10.0
_LONGEST_S = 30.0
# More than any server of ours accepts, so that the senders never run out.
_RATE = 3000.0


def measure(merchant: Merchant, *, seconds: float = _SECONDS) -> Result:
    codes = [member.code for member in merchant.members]
    with web() as url, road():
        drive(url, codes, Plan(rate=50, seconds=min(5.0, seconds), seed=98))  # First imports.
        plan = Plan(rate=_RATE, seconds=seconds, seed=3, is_a_rush=True, patience=60)
        outcome = drive(url, codes, plan)
    last_answer = max(sale.answered_at for sale in outcome.accepted)
    behind = max(sale.seen_at for sale in outcome.accepted) - last_answer
    is_whole = not (outcome.lost or outcome.doubled or outcome.refused)
    return Result(
        f"rush: {seconds:.0f} s of all that is accepted",
        {
            "accepted_per_s": len(outcome.accepted) / seconds,
            "points behind, s": behind,
            "refused": float(len(outcome.refused)),
            "lost": float(len(outcome.lost)),
            "doubled": float(len(outcome.doubled)),
        },
        f"none refused, lost or doubled; points < {_LONGEST_S:.0f} s behind",
        is_met=is_whole and behind < _LONGEST_S,
    )
