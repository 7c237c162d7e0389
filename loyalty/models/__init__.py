"""What a payment earns, and what a member holds."""

from loyalty.models.coupons import Coupon, CouponType, CouponUse
from loyalty.models.ledger import (
    CapUse,
    Lot,
    LotUse,
    PointAccount,
    Standing,
    Transfer,
    system_account,
)
from loyalty.models.rules import Award, Rule, RuleRate, RuleVersion, Tier, TierChange

__all__ = [
    "Award",
    "CapUse",
    "Coupon",
    "CouponType",
    "CouponUse",
    "Lot",
    "LotUse",
    "PointAccount",
    "Rule",
    "RuleRate",
    "RuleVersion",
    "Standing",
    "Tier",
    "TierChange",
    "Transfer",
    "system_account",
]
