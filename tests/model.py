"""A second bookkeeper: what the books must come to, worked out with nothing of the product.

It reads the payloads that were sent, in the order in which they were received, one by one, with
plain numbers. Rules here: full blocks of HKD 10 earn a point, at most CAP points a member and day
before the tier's multiplier; tiers by spend, counted at once; a refund leaves what the rest earns.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any


@dataclass
class Paid:
    member: str
    amount: Decimal
    day: str
    multiplier: Fraction
    cap_left: int
    taken: Decimal = Decimal(0)
    back: Decimal = Decimal(0)

    def left(self) -> Decimal:
        return min(max(self.amount - self.taken + self.back, Decimal(0)), self.amount)


@dataclass
class Bookkeeper:
    tiers: list[tuple[str, Decimal, Fraction]]  # Name, threshold, multiplier; lowest first.
    cap: int = 10**9
    paid: dict[str, Paid] = field(default_factory=dict)
    early: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    seen: set[tuple[str, str]] = field(default_factory=set)
    points: dict[tuple[str, str], int] = field(default_factory=dict)
    balance: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    spend: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    tier: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    used: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    moves: list[tuple[str, str]] = field(default_factory=list)

    def read(self, payload: dict[str, Any]) -> None:
        data = payload["data"]
        effect = data.get("refund_ref") or data.get("chargeback_ref") or data["payment_ref"]
        key = (payload["type"], effect)
        if key in self.seen:
            return
        self.seen.add(key)
        if payload["type"] == "payment.succeeded":
            self._pay(data)
            for waiting in self.early.pop(data["payment_ref"], []):
                self._take(waiting)
        elif data["payment_ref"] in self.paid:
            self._take(payload)
        else:
            self.early[data["payment_ref"]].append(payload)

    def _pay(self, data: dict[str, Any]) -> None:
        member, day = data["member"], data["paid_at"][:10]
        paid = Paid(
            member=member,
            amount=Decimal(data["amount"]),
            day=day,
            multiplier=self.tiers[self.tier[member]][2],
            cap_left=max(self.cap - self.used[member, day], 0),
        )
        self.paid[data["payment_ref"]] = paid
        self._book(data["payment_ref"], paid)

    def _take(self, payload: dict[str, Any]) -> None:
        data = payload["data"]
        paid = self.paid[data["payment_ref"]]
        base, total, left = self._base(paid), self._total(paid), paid.left()
        if payload["type"] == "chargeback.reversed":
            paid.back += Decimal(data["amount"])
        else:
            paid.taken += Decimal(data["amount"])
        effect = data.get("refund_ref") or data["chargeback_ref"]
        if payload["type"] == "chargeback.reversed":
            effect = f"reversed {effect}"
        self._book(effect, paid, base=base, total=total, left=left)

    def _base(self, paid: Paid) -> int:
        return min(int(paid.left() // 10), paid.cap_left)

    def _total(self, paid: Paid) -> int:
        return int(self._base(paid) * paid.multiplier)

    def _book(
        self, ref: str, paid: Paid, *, base: int = 0, total: int = 0, left: Decimal = Decimal(0)
    ) -> None:
        change = self._total(paid) - total
        self.points[paid.member, ref] = change
        self.balance[paid.member] += change
        self.used[paid.member, paid.day] += self._base(paid) - base
        self.spend[paid.member] += paid.left() - left
        reached = [n for n, tier in enumerate(self.tiers) if self.spend[paid.member] >= tier[1]]
        if max(reached, default=0) > self.tier[paid.member]:
            self.tier[paid.member] = max(reached)
            self.moves.append((paid.member, self.tiers[max(reached)][0]))
