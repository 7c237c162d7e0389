"""/api/v1/ of money and goods: sales, orders, refunds, products."""
