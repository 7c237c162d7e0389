"""Finding members by what staff type: their number, or a whole phone number or address."""

from uuid import UUID

from django.db.models import Q

from kit.ids import normal_code
from kit.scope import NOTHING
from members.identity_kinds import PHONE, all_kinds
from members.models import Identity
from members.selectors import phone_countries
from members.services.identities import BadIdentity, hash_of, normalise_identity


def members_matching(term: str) -> Q:
    """Encrypted values are found whole or not at all; member numbers also by their beginning."""
    text = term.strip()
    if not text:
        return NOTHING
    return Q(code__startswith=normal_code(text)) | Q(pk__in=_known_by(text))


def _known_by(text: str) -> list[UUID]:
    hashes = {hash_of(kind, normal) for kind, normal in _readings(text)}
    return list(Identity.objects.filter(hash__in=hashes).values_list("member_id", flat=True)[:20])


def _readings(text: str) -> list[tuple[str, str]]:
    """The text as any kind of identity that it could be."""
    readings = []
    countries = phone_countries() or [""]
    for kind in all_kinds():
        for country in countries if kind == PHONE else [""]:
            try:
                readings.append((kind, normalise_identity(kind, text, country=country)))
            except BadIdentity:
                continue
    return readings
