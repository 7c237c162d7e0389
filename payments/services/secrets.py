"""What staff may know of a secret: its kind, and until when it holds; never the key."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificate
from django.utils.translation import gettext as _

from kit.masking import DOTS
from payments.providers.base import Provider

_SHORTEST_WITH_TAIL = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """One secret as staff may see it. `problem`: why it cannot verify anything, if so."""

    words: str
    expires_at: datetime | None = None
    problem: str = ""


def look_at(provider: Provider, secret: str) -> Seen:
    """The kind, the name and the end of a secret."""
    certificate = _certificate(secret)
    words = [_kind(provider, secret, certificate)]
    if provider.describe_secret is not None:
        words.append(provider.describe_secret(secret))
    try:
        provider.check_secret(secret)
        problem = ""
    except ValueError as refusal:
        problem = str(refusal)
    ends = certificate.not_valid_after_utc if certificate else None
    return Seen(" · ".join(filter(None, words)), ends, problem)


def _kind(provider: Provider, secret: str, certificate: Certificate | None) -> str:
    if certificate is not None:
        digest = certificate.fingerprint(SHA256()).hex()[:16]
        return _("Certificate, SHA-256 %(digest)s…") % {"digest": digest}
    key = _public_key(secret)
    if key is not None:
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _("RSA public key of %(bits)d bits, SHA-256 %(digest)s…") % {
            "bits": key.key_size,
            "digest": hashlib.sha256(der).hexdigest()[:16],
        }
    if provider.secret_parts:
        return _("Set of keys %(tail)s") % {"tail": secret_tail(_last_part(provider, secret))}
    return _("Secret %(tail)s") % {"tail": secret_tail(secret)}


def secret_tail(secret: str) -> str:
    """The last four characters of a secret that is long enough to lose them."""
    text = secret.strip()
    return f"{DOTS}{text[-4:]}" if len(text) >= _SHORTEST_WITH_TAIL else DOTS


def _last_part(provider: Provider, secret: str) -> str:
    try:
        parts: Any = json.loads(secret)
        return str(parts[provider.secret_parts[0].name])
    except (ValueError, TypeError, KeyError):
        return ""


def _certificate(secret: str) -> Certificate | None:
    start = secret.find("-----BEGIN CERTIFICATE")
    if start < 0:
        return None
    try:
        return load_pem_x509_certificate(secret[start:].strip().encode())
    except ValueError:
        return None


def _public_key(secret: str) -> RSAPublicKey | None:
    start = secret.find("-----BEGIN PUBLIC KEY")
    try:
        if start >= 0:
            key = load_pem_public_key(secret[start:].strip().encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(secret.split()), validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None
