"""The admin of money in. Importing a module registers its classes."""

from payments.admin import (
    accounts,
    alarms,
    callbacks,
    catalogue,
    conflicts,
    disclosures,
    methods,
    orders,
    queries,
    rates,
    relay,
    settlement_rows,
    settlements,
    unmatched,
)

__all__ = [
    "accounts",
    "alarms",
    "callbacks",
    "catalogue",
    "conflicts",
    "disclosures",
    "methods",
    "orders",
    "queries",
    "rates",
    "relay",
    "settlement_rows",
    "settlements",
    "unmatched",
]
