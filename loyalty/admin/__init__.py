"""The admin of what payments earn and what members hold."""

from loyalty.admin import coupons, ledger, rules

__all__ = ["coupons", "ledger", "rules"]
