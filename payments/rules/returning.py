"""What of a basket came back, and what is given back for it.

Refunds name goods and how many of them, but not the line on which they were bought: where the
same goods stand on several lines, they came back from the line whose price is nearest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Goods:
    """So many of a product, and what was paid, or given back, for all of them."""

    product: int
    quantity: Decimal
    amount: Decimal

    @property
    def price(self) -> Decimal:
        return self.amount / self.quantity if self.quantity else self.amount


def came_back(bought: Sequence[Goods], returned: Iterable[Goods]) -> list[Decimal]:
    """How many of each line bought came back; never more than were on it."""
    back = [Decimal(0)] * len(bought)
    for goods in returned:
        rest = goods.quantity
        places = [at for at, line in enumerate(bought) if line.product == goods.product]
        for at in sorted(places, key=lambda at: abs(bought[at].price - goods.price)):
            taken = min(rest, bought[at].quantity - back[at])
            back[at] += taken
            rest -= taken
    return back


def worth(line: Goods, *, back: Decimal, quantity: Decimal, places: int) -> Decimal:
    """What `quantity` more of the line come to after `back`, to so many decimal places: all parts
    of a line add up to the whole of it."""
    if not line.quantity:
        return Decimal(0)

    def until(much: Decimal) -> Decimal:
        exact = line.amount * much / line.quantity
        return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)

    return until(back + quantity) - until(back)
