"""What a simulation found, in figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.simulation.load import Outcome


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Spread":
        ordered = sorted(seconds)
        if not ordered:
            return cls(0.0, 0.0, 0.0, 0.0)
        last = len(ordered) - 1
        p50, p95, p99 = (ordered[min(last, int(len(ordered) * q))] for q in (0.5, 0.95, 0.99))
        return cls(p50 * 1000, p95 * 1000, p99 * 1000, ordered[-1] * 1000)

    def __str__(self) -> str:
        return f"{self.p50:9.1f}{self.p95:9.1f}{self.p99:9.1f}{self.longest:9.1f}"


def spreads(outcome: Outcome) -> Mapping[str, Spread]:
    seen = [sale for sale in outcome.accepted if sale.seen_at]
    return {
        "acknowledged": Spread.of(sale.answered_at - sale.sent_at for sale in outcome.accepted),
        "points, from last byte": Spread.of(sale.seen_at - sale.sent_at for sale in seen),
        "points, from planned time": Spread.of(sale.seen_at - sale.planned_at for sale in seen),
    }


def lines(outcome: Outcome) -> list[str]:
    head = f"{'milliseconds':28}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"
    table = [f"{name:28}{spread}" for name, spread in spreads(outcome).items()]
    counts = (
        f"sent {len(outcome.sales)}, refused {len(outcome.refused)}, lost {len(outcome.lost)},"
        f" doubled {len(outcome.doubled)}"
    )
    return [head, *table, counts]
