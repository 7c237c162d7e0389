"""Reading about members."""

from members.models import Consent, Member


def newest_consent(
    member: Member,
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> Consent | None:
    """The member's last word on the purpose and channel; None if they were never asked."""
    return (
        Consent.objects.filter(member=member, channel=channel, purpose=purpose)
        .order_by("-given_at", "-id")
        .first()
    )
