"""What a channel is given, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Letter:
    """A message, ready to be handed over."""

    message_id: UUID
    channel: str
    address: str
    language: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str


class Fate(StrEnum):
    SENT = "sent"
    REFUSED = "refused"  # For good: trying again would change nothing.
    DELAYED = "delayed"  # It surely did not go out, and may do so later.
    IN_DOUBT = "in_doubt"  # It may have gone out: nobody but staff may try again.


@dataclass(frozen=True, slots=True)
class Outcome:
    """`note` is for staff and holds no personal data; servers like to quote the address."""

    fate: Fate
    reason: str = ""
    note: str = ""
