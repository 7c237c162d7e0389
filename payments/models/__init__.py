"""Money in: accounts at payment platforms, what they send us, and the transactions in it."""

from payments.models.accounts import Account, new_token
from payments.models.alarms import AccountHour, Alarm
from payments.models.callbacks import Callback, CallbackBody, Conflict, Rejection, RejectionCount
from payments.models.catalogue import Category, Product
from payments.models.corrections import AmountConflict, HandEntry
from payments.models.disclosures import Disclosure
from payments.models.matching import Disagreement, Sighting, UnmatchedPayment
from payments.models.methods import PaymentMethod
from payments.models.orders import Order, OrderLine
from payments.models.queries import Query
from payments.models.rates import Rate
from payments.models.relay import Relay, RelayAttempt, RelayedPost
from payments.models.settlements import (
    Proposal,
    Settlement,
    SettlementRow,
    StatementMapping,
)
from payments.models.transactions import Line, Transaction

__all__ = [
    "Account",
    "AccountHour",
    "Alarm",
    "AmountConflict",
    "Callback",
    "CallbackBody",
    "Category",
    "Conflict",
    "Disagreement",
    "Disclosure",
    "HandEntry",
    "Line",
    "Order",
    "OrderLine",
    "PaymentMethod",
    "Product",
    "Proposal",
    "Query",
    "Rate",
    "Rejection",
    "RejectionCount",
    "Relay",
    "RelayAttempt",
    "RelayedPost",
    "Settlement",
    "SettlementRow",
    "Sighting",
    "StatementMapping",
    "Transaction",
    "UnmatchedPayment",
    "new_token",
]
