"""Standard Webhooks' signature (https://www.standardwebhooks.com), as we make and as we check it:
base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.signatures import UnusableSecret, decoded_base64, hmac_sha256

_SECRET_BYTES: Final = 32


def make_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The 24 to 64 bytes that the specification asks for; raises UnusableSecret."""
    key = decoded_base64(secret.strip().removeprefix("whsec_"))
    if key is None or not 24 <= len(key) <= 64:
        raise UnusableSecret(_("The secret must be 24 to 64 random bytes in base64."))
    return key


def signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    digest = hmac_sha256(key, message_id.encode(), stamp.encode(), body)
    return "v1," + base64.b64encode(digest).decode()


def signed_headers(
    body: bytes, *, secrets: Sequence[str], message_id: str, at: datetime
) -> dict[str, str]:
    """The three headers of a genuine post, signed by each of `secrets` (several while one is
    being replaced); raises UnusableSecret."""
    stamp = str(int(at.timestamp()))
    signatures = [signature(key_of(secret), message_id, stamp, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signatures),
    }
