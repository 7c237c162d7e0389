"""One amount over several, by what is left of each: exact, and never more than is left of any."""

from collections.abc import Sequence


def spread(amount: int, lefts: Sequence[int]) -> list[int]:
    """Shares of `amount`, in minor units, that come to it; the largest remainders are rounded up.

    `amount` is at most the sum of `lefts`.
    """
    whole = sum(lefts)
    shares = [amount * left // whole for left in lefts]
    by_remainder = sorted(range(len(lefts)), key=lambda place: -(amount * lefts[place] % whole))
    for place in by_remainder[: amount - sum(shares)]:
        shares[place] += 1
    return shares
