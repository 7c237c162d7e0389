"""Tills that do not exist: signed payments sent to a running server, and what becomes of them."""
