"""What each campaign said to an event, in words for staff: yes, or no and why not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from campaigns.conditions import registry_for
from campaigns.models import Campaign, Decision, Reaction
from campaigns.rules.reasons import Decline
from campaigns.wording import reason_in_words
from kit.conditions import ConditionError, Leaf, Registry, explain

# A campaign for another tier was never about this event: every one of them would be listed.
_BESIDE_THE_POINT: Final = frozenset({Decline.OTHER_TIER, Decline.NOT_UPWARD})


def answers_to(events: Sequence[UUID]) -> Mapping[UUID, list[str]]:
    """A line for each campaign that said yes or no; a fixed number of queries."""
    lines: defaultdict[UUID, list[str]] = defaultdict(list)
    for decision in Decision.objects.filter(event__in=events).select_related("campaign", "coupon"):
        lines[decision.event_id].append(_yes(decision))
    reactions = Reaction.objects.filter(event__in=events)
    told = [(reaction.event_id, entry) for reaction in reactions for entry in reaction.declined]
    told = [(event, entry) for event, entry in told if entry["reason"] not in _BESIDE_THE_POINT]
    campaigns = Campaign.objects.in_bulk({entry["campaign"] for _event, entry in told})
    known = cache(lambda trigger: registry_for(trigger).remembering())
    for event, entry in told:
        campaign = campaigns.get(entry["campaign"])
        registry = known(campaign.trigger if campaign else "")
        named = {"campaign": campaign or _("A deleted campaign")}
        lines[event].append(
            _("%(campaign)s: no. %(reason)s") % (named | {"reason": _why(entry, registry)})
        )
    return lines


def _yes(decision: Decision) -> str:
    named = {"campaign": decision.campaign, "coupon": decision.coupon}
    if decision.coupon is None:
        return _("%(campaign)s: yes.") % named
    return _("%(campaign)s: yes, with the coupon %(coupon)s.") % named


def _why(entry: Mapping[str, Any], registry: Registry) -> str:
    failed = entry.get("failed")
    if not failed:
        return reason_in_words(entry["reason"])
    return _("Not fulfilled: %(conditions)s") % {"conditions": _explained(failed, registry)}


def _explained(leaves: Iterable[Mapping[str, Any]], registry: Registry) -> str:
    said = []
    for leaf in leaves:
        try:
            said.append(explain(Leaf(**leaf), registry))
        except ConditionError:  # A field of then that no longer exists.
            said.append(str(leaf["field"]))
    return "; ".join(said)
