"""Reading about members."""

from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.lookups import Exact

from members.models import Consent, Member, Region, Store


def newest_consent(
    member: Member,
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> Consent | None:
    """The member's last word on the purpose and channel; None if they were never asked."""
    return (
        Consent.objects.filter(member=member, channel=channel, purpose=purpose)
        .newest_first()
        .first()
    )


def newest_consents(member: Member) -> list[Consent]:
    """The member's last word on each channel and purpose."""
    return list(Consent.objects.filter(member=member).newest_of_each("channel", "purpose"))


def last_consent(
    is_granted: bool | None,  # noqa: FBT001
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> Q:
    """The members whose last word it is; None: those who were never asked."""
    asked = Consent.objects.filter(member=OuterRef("pk"), channel=channel, purpose=purpose)
    if is_granted is None:
        return Q(~Exists(asked))
    newest = asked.newest_first().values("is_granted")[:1]
    return Q(Exact(Subquery(newest), Value(is_granted)))


def phone_countries() -> list[str]:
    """Whose numbers our people may write without a country, of all regions."""
    return sorted({region.phone_country for region in Region.objects.all()})


def phone_country_of(store: Store | None) -> str:
    """Whose phone numbers people write without a country: those of the store's region. Without a
    store those that all regions share; else blank, for a guess would name somebody else."""
    if store is not None:
        return store.region.phone_country
    countries = phone_countries()
    return countries[0] if len(countries) == 1 else ""
