"""Which fields the condition of a campaign may use: what its trigger knows."""

from kit.conditions import Registry
from loyalty.conditions import PAYMENT
from members.conditions import MEMBER

# By Campaign.Trigger: only a payment has an amount, a basket and a till.
_KNOWN_BY_TRIGGER = {"large_ticket": PAYMENT}


def registry_for(trigger: str) -> Registry:
    return _KNOWN_BY_TRIGGER.get(trigger, MEMBER)
