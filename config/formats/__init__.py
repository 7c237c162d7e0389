"""How dates are written, per language: days before months, 24 hours, the same everywhere."""
