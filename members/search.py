"""Finding members by what staff type: their number, or a whole phone number or address."""

from uuid import UUID

from django.db.models import Q

from kit.ids import normal_code
from kit.scope import NOTHING
from members.identity_kinds import all_kinds
from members.models import Identity
from members.services import BadIdentity, hash_of, normalise_identity


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
    for kind in all_kinds():
        try:
            readings.append((kind, normalise_identity(kind, text)))
        except BadIdentity:
            continue
    return readings
