"""Reconciliation: settlement files are taken in, compared, and what we lack is booked."""
