"""The admin of money in. Importing a module registers its classes."""

from payments.admin import accounts, callbacks, catalogue, rates

__all__ = ["accounts", "callbacks", "catalogue", "rates"]
