"""Signed links: who holds one is the member, without an account or a password.

A token says whom it is for and is signed with SECRET_KEY; nothing is stored. Letters and digits
only, so that no mail program cuts the end off a link.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db.models import F
from django.urls import reverse

from members.models import Consent, Member
from members.persons import own_rows, person_of

_VERSION_BITS: Final = 16


class _LinkSigner(signing.Signer):
    """Django's signer, with a signature of letters and digits and a dot before it."""

    def __init__(self, salt: str) -> None:
        super().__init__(sep=".", salt=f"regulars.links.{salt}")

    def signature(self, value: str | bytes, key: Any = None) -> str:
        plain = signing.b64_decode(super().signature(value, key).encode())
        return signing.b62_encode(int.from_bytes(plain, "big"))


# Made at each use: a signer takes its keys from the settings once.
_pages: Final = partial(_LinkSigner, "page")
_unsubscribes: Final = partial(_LinkSigner, "unsubscribe")


def page_url(member: Member) -> str:
    """The absolute address of the member's own page."""
    return _absolute(reverse("member-page", args=[page_token(member)]))


def page_token(member: Member) -> str:
    return _pages().sign(signing.b62_encode(member.pk.int << _VERSION_BITS | member.page_version))


def member_of_page_token(token: str) -> Member | None:
    """The member whose page this is, or whoever stands for them; None if the token is forged or
    was revoked."""
    try:
        number = signing.b62_decode(_pages().unsign(token))
    except signing.BadSignature:
        return None
    member_id, version = number >> _VERSION_BITS, number % (1 << _VERSION_BITS)
    found = Member.objects.filter(pk=UUID(int=member_id), page_version=version).select_related(
        "region", "home_store", "merged_into__region", "merged_into__home_store"
    )
    return next((person_of(member) for member in found), None)


def revoke_page(member: Member) -> None:
    """Every page link given out so far stops working, also those of merged members, which lead to
    the same page; unsubscribe links go on working."""
    Member.objects.filter(pk__in=own_rows(member)).update(page_version=F("page_version") + 1)
    member.refresh_from_db(fields=["page_version"])


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """What an unsubscribe link is about: this member, channel and purpose, out of this message."""

    member: Member
    message_id: UUID
    channel: str
    purpose: str


def unsubscribe_url(
    member: Member,
    message_id: UUID,
    *,
    channel: str = Consent.Channel.EMAIL,
    purpose: str = Consent.Purpose.MARKETING,
) -> str:
    """The absolute address for List-Unsubscribe (RFC 8058). It never ends: the law gives it 30
    days at least, and a stop that fails costs more than one that comes late."""
    ids = (signing.b62_encode(member.pk.int), signing.b62_encode(message_id.int))
    token = _unsubscribes().sign(".".join((*ids, channel, purpose)))
    return _absolute(reverse("unsubscribe", args=[token]))


def unsubscribe_of_token(token: str) -> Unsubscribe | None:
    """What the token stands for; None if it is forged."""
    try:
        member_id, message_id, channel, purpose = _unsubscribes().unsign(token).split(".")
    except signing.BadSignature:
        return None
    member = Member.objects.filter(pk=_uuid(member_id)).select_related("merged_into").first()
    if member is None:
        return None
    return Unsubscribe(person_of(member), _uuid(message_id), channel, purpose)


def _uuid(text: str) -> UUID:
    return UUID(int=signing.b62_decode(text))


def _absolute(path: str) -> str:
    return str(settings.PUBLIC_URL).rstrip("/") + path
