"""The admin of what we offer."""

from campaigns.admin import campaigns, messages

__all__ = ["campaigns", "messages"]
