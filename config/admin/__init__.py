"""Admin classes that join several apps, and those of other people's apps, on our base."""

from config.admin import foreign, members, timeline, transactions

__all__ = ["foreign", "members", "timeline", "transactions"]
