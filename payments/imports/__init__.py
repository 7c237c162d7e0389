"""Spreadsheets that staff import: sales, products, rates, and links of payments to members."""
