"""Spreadsheets that staff import: members."""
