"""The admin of money in. Importing a module registers its classes."""

from payments.admin import (
    accounts,
    alarms,
    callbacks,
    catalogue,
    disclosures,
    queries,
    rates,
    settlement_rows,
    settlements,
)

__all__ = [
    "accounts",
    "alarms",
    "callbacks",
    "catalogue",
    "disclosures",
    "queries",
    "rates",
    "settlement_rows",
    "settlements",
]
