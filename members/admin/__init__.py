"""The admin of who. Importing a module registers its classes."""

from members.admin import keys, members, webhooks

__all__ = ["keys", "members", "webhooks"]
