"""Pure arithmetic and definitions of money in: no database, no clock, no settings."""
