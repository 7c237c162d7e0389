"""Reading settlement files: how many rows of each verdict, and what they come to."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db.models import Case, Count, F, Q, Sum, When

from payments.models import Settlement, SettlementRow

_GIVES: Final = Q(kind__in=("payment", "reversal"))
_TAKES: Final = Q(kind__in=("refund", "chargeback"))


@dataclass(frozen=True, slots=True)
class Balance:
    """What the file comes to in a currency, what we have for it, and the fees in it."""

    currency: str
    theirs: Decimal
    ours: Decimal

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours

    @property
    def sums(self) -> tuple[Decimal, Decimal, Decimal]:
        return self.theirs, self.ours, self.difference


def counts_of(settlement: Settlement) -> dict[str, int]:
    """Rows by verdict, in the order in which staff want to see them."""
    found = dict(
        SettlementRow.objects.filter(settlement=settlement)
        .values_list("verdict")
        .annotate(rows=Count("pk"))
    )
    return {
        verdict: found[verdict] for verdict in SettlementRow.Verdict.values if verdict in found
    }


def balances_of(settlement: Settlement) -> list[Balance]:
    """Payments and reversals less refunds and chargebacks, by currency."""
    rows = SettlementRow.objects.filter(_GIVES | _TAKES, settlement=settlement)
    theirs = rows.filter(number__gt=0).values_list("currency").annotate(sum=_signed("amount"))
    counted = rows.filter(our_amount__isnull=False).exclude(
        verdict=SettlementRow.Verdict.ELSEWHERE
    )
    ours = counted.values_list("transaction__currency").annotate(sum=_signed("our_amount"))
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for place, found in enumerate((theirs, ours)):
        for currency, amount in found:
            sums[currency][place] = amount
    return [Balance(currency, *pair) for currency, pair in sorted(sums.items())]


def fees_of(settlement: Settlement) -> list[tuple[str, Decimal]]:
    """Fees as the file states them, by the currency of the payout."""
    rows = SettlementRow.objects.filter(settlement=settlement, fee__isnull=False)
    return list(
        rows.annotate(
            paid_in=Case(When(settled_currency="", then="currency"), default=F("settled_currency"))
        )
        .order_by("paid_in")
        .values_list("paid_in")
        .annotate(sum=Sum("fee"))
    )


def _signed(column: str) -> Sum:
    return Sum(Case(When(_GIVES, then=F(column)), default=-F(column)))
