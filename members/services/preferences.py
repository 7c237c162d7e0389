"""What members decide for themselves: their language, and whether offers may reach them."""

from datetime import datetime

from members.models import LANGUAGES, Consent, Member
from members.selectors import newest_consent
from members.services.consents import set_consent


class UnknownLanguage(ValueError):
    """A language that the house does not speak."""


def change_language(member: Member, *, language: str) -> None:
    """Page and messages speak `language` from now on; raises UnknownLanguage."""
    if language not in dict(LANGUAGES):
        raise UnknownLanguage(language)
    member.language = language
    member.save(update_fields=["language"])


def choose_offers(
    member: Member,
    *,
    is_granted: bool,
    source: str,
    now: datetime,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> bool:
    """Record the choice unless it is the member's last word already; whether it was news.

    A mail program may post a one-click unsubscribe several times: the first one is the fact. A
    "no" of somebody who was never asked is kept too.
    """
    last = newest_consent(member, channel=channel, purpose=purpose)
    if last is not None and last.is_granted == is_granted:
        return False
    set_consent(
        member,
        is_granted=is_granted,
        source=source,
        now=now,
        channel=channel,
        purpose=purpose,
    )
    return True
