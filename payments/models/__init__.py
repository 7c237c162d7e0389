"""Money in: accounts at payment platforms, what they send us, and the transactions in it."""

from payments.models.accounts import Account, new_token
from payments.models.callbacks import Callback, CallbackBody, Conflict, Rejection, RejectionCount
from payments.models.catalogue import Category, Product
from payments.models.queries import Query
from payments.models.orders import Order, OrderLine
from payments.models.rates import Rate
from payments.models.transactions import Line, Transaction

__all__ = [
    "Account",
    "Callback",
    "CallbackBody",
    "Category",
    "Conflict",
    "Line",
    "Order",
    "OrderLine",
    "Product",
    "Query",
    "Rate",
    "Rejection",
    "RejectionCount",
    "Transaction",
    "new_token",
]
