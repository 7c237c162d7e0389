"""A second bookkeeper: what each member has, as if nobody had ever been merged.

It knows nothing of accounts and transfers. Each member has lots and debts of its own, whoever
stands for it; who stands for whom matters only where points are given or taken by hand, and where
somebody says yes or no. So whatever is merged and parted, in whatever order, the product must come
to this.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass
class Held:
    """Points that came in together. `ref`: the payment that brought them."""

    left: int
    start: datetime
    end: datetime | None
    ref: str = ""

    @property
    def age(self) -> tuple[Any, ...]:
        end = self.end.timestamp() if self.end else float("inf")
        return (end, self.start.timestamp())


@dataclass
class Paid:
    owner: str
    amount: Decimal
    at: datetime
    back: Decimal = Decimal(0)
    points: int = 0
    lapsed: int = 0
    forgiven: int = 0


@dataclass
class Bookkeeper:
    lots: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    debts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    paid: dict[str, Paid] = field(default_factory=dict)
    spends: list[tuple[str, datetime, Decimal]] = field(default_factory=list)
    words: dict[str, list[tuple[datetime, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    into: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def person(self, member: str) -> str:
        while member in self.into:
            member = self.into[member][0]
        return member

    def members(self, person: str, known: str = "abc") -> list[str]:
        return [member for member in known if self.person(member) == person]

    def balance(self, person: str) -> int:
        if self.person(person) != person:
            return 0
        own = self.members(person)
        return sum(lot.left for m in own for lot in self.lots[m]) - sum(self.debts[m] for m in own)

    def pay(self, ref: str, paid: Paid, *, now: datetime, end: datetime) -> None:
        self.paid[ref] = paid
        owner, paid.points = paid.owner, int(paid.amount)
        self.spends.append((owner, paid.at, paid.amount))
        self._give(owner, Held(paid.points, now, end, ref))

    def take(self, ref: str, amount: Decimal) -> None:
        paid = self.paid[ref]
        left = max(paid.amount - paid.back, Decimal(0))
        paid.back += amount
        remains = max(paid.amount - paid.back, Decimal(0))
        self.spends.append((paid.owner, paid.at, remains - left))
        gone = paid.points - int(remains)
        forgiven = min(gone, max(paid.lapsed - paid.forgiven, 0))
        paid.points -= gone
        paid.forgiven += forgiven
        mine = sorted(self.lots[paid.owner], key=lambda lot: lot.age)
        first = [lot for lot in mine if lot.ref == ref]
        rest = [lot for lot in mine if lot.ref != ref]
        self.debts[paid.owner] += self._use([*first, *rest], gone - forgiven)

    def adjust(self, member: str, points: int, now: datetime, end: datetime) -> bool:
        """False if there is not so much to take."""
        person = self.person(member)
        if points > 0:
            self._give(person, Held(points, now, end))
            return True
        if self.balance(person) + points < 0:
            return False
        lots = [lot for each in self.members(person) for lot in self.lots[each]]
        assert self._use(sorted(lots, key=lambda lot: lot.age), -points) == 0
        return True

    def lapse(self, now: datetime, members: Iterable[str] = "abc") -> None:
        for member in members:
            for lot in self.lots[member]:
                if lot.end is not None and lot.end <= now:
                    if lot.ref:
                        self.paid[lot.ref].lapsed += lot.left
                    lot.left = 0

    def say(self, member: str, word: bool, now: datetime) -> None:
        self.words[self.person(member)].append((now, word))

    def merge(self, member: str, survivor: str, now: datetime) -> None:
        if self.word(member) is False and self.word(survivor) is not False:
            self.words[survivor].append((now, False))
        self.into[member] = (survivor, now)

    def unmerge(self, member: str, now: datetime) -> None:
        person, (_survivor, since) = self.person(member), self.into[member]
        joint = self.word(person)
        del self.into[member]
        for side in (member, person):
            before = [word for at, word in self.words[side] if at < since]
            is_no = joint is False or before[-1:] == [False]
            if is_no and self.word(side) is not False:
                self.words[side].append((now, False))

    def word(self, member: str) -> bool | None:
        return self.words[member][-1][1] if self.words[member] else None

    def spend(self, person: str, since: datetime) -> Decimal:
        own = self.members(person) if self.person(person) == person else []
        return sum((s for who, at, s in self.spends if who in own and at > since), Decimal(0))

    def payments(self, person: str) -> int:
        own = self.members(person) if self.person(person) == person else []
        return sum(paid.owner in own for paid in self.paid.values())

    def _give(self, owner: str, lot: Held) -> None:
        repaid = min(lot.left, self.debts[owner])
        self.debts[owner] -= repaid
        lot.left -= repaid
        self.lots[owner].append(lot)

    def _use(self, lots: list[Held], points: int) -> int:
        """Returns what no lot covers."""
        for lot in lots:
            part = min(lot.left, points)
            lot.left -= part
            points -= part
        return points
