"""Every operation of the API: method, address, and the scope that its key needs."""

from typing import Final

OPERATIONS: Final = [
    ("get", "coupons/{code}", "coupons:read"),
    ("post", "coupons/{code}/redeem", "coupons:redeem"),
    ("post", "coupon-uses/{use_id}/cancel", "coupons:redeem"),
    ("post", "sales", "sales:write"),
    ("post", "orders", "orders:write"),
    ("get", "orders/{order_ref}", "transactions:read"),
    ("post", "orders/{order_ref}/returns", "refunds:write"),
    ("get", "transactions", "transactions:read"),
    ("get", "transactions/{transaction_id}", "transactions:read"),
    ("post", "transactions/{transaction_id}/refunds", "refunds:write"),
    ("get", "checkout-options", "checkout:read"),
    ("get", "products", "products:read"),
    ("post", "products", "products:write"),
    ("get", "products/{sku}", "products:read"),
    ("get", "categories", "products:read"),
    ("post", "categories", "products:write"),
    ("post", "members", "members:write"),
    ("post", "members/look-up", "members:read"),
    ("get", "members/{code}", "members:read"),
    ("patch", "members/{code}", "members:write"),
    ("get", "members/{code}/balance", "members:read"),
    ("get", "members/{code}/points", "members:read"),
    ("get", "members/{code}/consents", "members:read"),
    ("post", "members/{code}/consents", "members:write"),
    ("get", "members/{code}/identities", "members:read"),
    ("post", "members/{code}/identities", "members:write"),
    ("delete", "members/{code}/identities/{identity_id}", "members:write"),
]
