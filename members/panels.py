"""Who the member is, and what they decide: the first and the last part of their page."""

from dataclasses import dataclass
from datetime import datetime

from kit.masking import mask_email
from kit.panels import Panel, Place, register
from members.models import Member, Store
from members.selectors import newest_consent
from members.services.consents import agreed_emails_of, emails_of


@dataclass(frozen=True, slots=True)
class Card:
    code: str
    home_store: Store | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Offers:
    """Whether offers come by e-mail, and to which address."""

    address: str
    is_granted: bool
    since: datetime | None


def read_card(member: Member, _now: datetime) -> Card:
    return Card(member.code, member.home_store, member.joined_at)


def read_offers(member: Member, _now: datetime) -> Offers:
    consent = newest_consent(member)
    # Masked: enough to know one's own, too little for whoever found the link.
    says_yes = consent is not None and consent.is_granted
    agreed = agreed_emails_of([member.pk]).get(member.pk, "") if says_yes else ""
    # A yes that is for no address of theirs reaches nobody: they may say it again, for this one.
    address = agreed or emails_of([member.pk]).get(member.pk, "")
    return Offers(
        address=mask_email(address) if address else "",
        is_granted=bool(agreed),
        since=consent.given_at if consent else None,
    )


register(Panel("card", Place.ASIDE, 20, "member/panels/card.html", read_card))
register(Panel("offers", Place.FOOT, 90, "member/panels/offers.html", read_offers))
