"""API keys: made, rotated, recognised, limited to their scopes, addresses and a rate."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from kit.ids import ALPHABET
from kit.visitors import client_address
from members.models import ApiKey, Store
from members.throttling import Allowance, take

_SHAPE: Final = re.compile(rb"rk_([0-9A-Z]{8})_([A-Za-z0-9_-]{43})")
_NOBODY: Final = hashlib.sha256(b"").hexdigest()

if TYPE_CHECKING:
    from rest_framework.views import APIView  # At run time it would import us in turn.


def make_key(
    name: str, *, scopes: Sequence[str], store: Store | None = None, **limits: Any
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which is shown once and kept nowhere.

    `limits` are the columns `expires_at`, `addresses` and `requests_per_minute`.
    """
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    plain = _new_plain(prefix)
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        hash=hash_of_key(plain),
        scopes=list(scopes),
        store=store,
        **limits,
    )
    return key, plain


def rotate_key(key: ApiKey, *, overlap: timedelta, now: datetime) -> str:
    """A new secret for `key`; the present one works for `overlap` longer and then ends by itself.

    A third one never works: what an earlier rotation left over ends now.
    """
    plain = _new_plain(key.prefix)
    key.old_hash, key.old_until = key.hash, now + overlap
    key.hash = hash_of_key(plain)
    key.save(update_fields=["hash", "old_hash", "old_until"])
    return plain


def _new_plain(prefix: str) -> str:
    return f"rk_{prefix}_{secrets.token_urlsafe(32)}"


def hash_of_key(plain: str) -> str:
    """A plain SHA-256: the secret has 256 random bits, so there is nothing to guess, and a slow
    password hash would only slow down each request of every till."""
    return hashlib.sha256(plain.encode()).hexdigest()


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer rk_…`. The key is `request.auth`; a key is no person, so no user."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        kind, _space, given = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        now = timezone.now()
        key = find_key(given.strip(), now=now)
        address = client_address(request)
        if key is None:
            _count_failure(address, now=now)
            raise AuthenticationFailed(_("This API key does not exist or was switched off."))
        if key.expires_at is not None and key.expires_at <= now:
            raise AuthenticationFailed(
                _("This API key has expired. Ask for a new one."), "key_expired"
            )
        if not may_come_from(key, address):
            raise PermissionDenied(
                _("This API key may not be used from your address."), "address_not_allowed"
            )
        _note_use(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def find_key(given: bytes, *, now: datetime) -> ApiKey | None:
    """The enabled key with this plain text. Takes as long for a wrong one as for a right one."""
    shape = _SHAPE.fullmatch(given)
    if shape is None:
        return None
    prefix = shape[1].decode()
    key = ApiKey.objects.select_related("store__region").filter(prefix=prefix).first()
    digest = hash_of_key(given.decode())
    is_right = hmac.compare_digest(key.hash if key else _NOBODY, digest)
    is_old = hmac.compare_digest((key.old_hash if key else "") or _NOBODY, digest)
    if key is None or not key.is_enabled:
        return None
    works_still = key.old_until is not None and now < key.old_until
    return key if is_right or (is_old and works_still) else None


def may_come_from(key: ApiKey, address: str) -> bool:
    """Whether the key's list of addresses, if it has one, names the caller's."""
    if not key.addresses:
        return True
    try:
        caller = ip_address(address)
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return any(caller in ip_network(allowed, strict=False) for allowed in key.addresses)


def _count_failure(address: str, *, now: datetime) -> None:
    """Who tries many keys is told to wait; good keys of the same address go on working."""
    try:
        caller = ip_address(address)
    except ValueError:
        name = "unknown"
    else:
        is_wide = isinstance(caller, IPv6Address) and not caller.ipv4_mapped
        # One visitor has a whole network of them.
        name = str(ip_network((caller, 64), strict=False) if is_wide else caller)
    allowance = take(f"address:{name}", limit=settings.API_FAILURES_PER_MINUTE, now=now)
    if not allowance.is_allowed:
        raise Throttled(allowance.resets_in)


def _note_use(key: ApiKey) -> None:
    """Once a day: a till must not rewrite its key's row with every sale."""
    today = timezone.localdate()
    if key.last_used_on != today:
        ApiKey.objects.filter(pk=key.pk).update(last_used_on=today)
        key.last_used_on = today


class HasScope(BasePermission):
    """The key has the scope that the view asks of this method. A view that names none is closed
    to everybody."""

    message = _("This API key may not do that. Ask for a key with the scope that is needed.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope = scope_of_call(view, str(request.method))
        return isinstance(request.auth, ApiKey) and bool(scope) and scope in request.auth.scopes


def scope_of_call(view: Any, method: str) -> str:
    """A view may ask for another scope to write than to read (`write_scope`)."""
    is_reading = method in ("GET", "HEAD", "OPTIONS")
    written = "" if is_reading else getattr(view, "write_scope", "")
    return str(written or getattr(view, "required_scope", ""))


class KeyRate(BaseThrottle):
    """So many requests a minute for each key, counted over all web processes."""

    def __init__(self) -> None:
        self._allowance: Allowance | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        limit = key.requests_per_minute or settings.API_REQUESTS_PER_MINUTE
        self._allowance = take(f"key:{key.pk}", limit=limit, now=timezone.now())
        request.allowance = self._allowance  # type: ignore[attr-defined]
        return self._allowance.is_allowed

    def wait(self) -> float | None:
        return self._allowance.resets_in if self._allowance else None


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names our authentication."""

    target_class = "members.keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key from the admin, `rk_…`; it is shown once.",
        }
