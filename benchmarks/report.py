"""Results: a small table, and JSON for who keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    figures: Mapping[str, float]
    wanted: str
    is_met: bool

    def lines(self) -> list[str]:
        verdict = "met" if self.is_met else "NOT met"
        figures = [f"    {name:28}{value:12,.2f}" for name, value in self.figures.items()]
        return [f"{self.name}   ({self.wanted}: {verdict})", *figures]


def as_json(results: Sequence[Result]) -> list[dict[str, object]]:
    return [
        {"name": r.name, "figures": dict(r.figures), "wanted": r.wanted, "is_met": r.is_met}
        for r in results
    ]
