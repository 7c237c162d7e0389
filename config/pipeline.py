"""The road: rows wait in tables; each stage claims what is due and leaves one fact behind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from campaigns.services.deliver import deliver_messages
from campaigns.services.react import react_to_events
from loyalty.services.settle import settle_members
from members.services.webhooks import announce_events
from payments.services.queries import query_platforms
from payments.services.relay import pass_on
from payments.services.translate import translate_callbacks


class StageWork(Protocol):
    def __call__(self, *, now: datetime, limit: int) -> int:
        """Do up to `limit` due rows (or members); returns how many facts were done."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`part`: which process of the road does it. Points are waited for at the till: nothing else
    stands in their way; a slow mail server holds up neither them nor coupons."""

    name: str
    work: StageWork
    limit: int
    part: str


STAGES: Final = (
    Stage("translate", translate_callbacks, limit=500, part="points"),  # Callback → Transaction
    Stage("settle", settle_members, limit=500, part="points"),  # → Award, Transfer, Event …
    Stage("react", react_to_events, limit=500, part="offers"),  # Event → Decision, Coupon, Message
    Stage("deliver", deliver_messages, limit=20, part="post"),  # Message → sent, or why not
    Stage("query", query_platforms, limit=24, part="calls"),  # Query → what the platform says
    Stage("relay", pass_on, limit=48, part="calls"),  # RelayedPost → taken, or given up
    Stage("announce", announce_events, limit=48, part="calls"),  # Delivery → taken, or given up
)


def run(*, now: datetime, limit: int | None = None, stages: tuple[Stage, ...] = STAGES) -> int:
    """Drain every stage until nothing is due (tests, imports, the demo); returns facts done."""
    total = 0
    while done := sum(stage.work(now=now, limit=limit or stage.limit) for stage in stages):
        total += done
    return total
