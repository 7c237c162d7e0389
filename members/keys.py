"""API keys: made, recognised, limited to their scopes and to a rate."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from kit.ids import ALPHABET
from members.models import ApiKey, Store

_SHAPE: Final = re.compile(rb"rk_([0-9A-Z]{8})_([A-Za-z0-9_-]{43})")
_NOBODY: Final = hashlib.sha256(b"").hexdigest()

if TYPE_CHECKING:
    from rest_framework.views import APIView  # At run time it would import us in turn.


def make_key(
    name: str, *, scopes: Sequence[str], store: Store | None = None
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which is shown once and kept nowhere."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    plain = f"rk_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name, prefix=prefix, hash=hash_of_key(plain), scopes=list(scopes), store=store
    )
    return key, plain


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
        key = find_key(given.strip())
        if key is None:
            raise AuthenticationFailed(_("This API key does not exist or was switched off."))
        _note_use(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def find_key(given: bytes) -> ApiKey | None:
    """The enabled key with this plain text. Takes as long for a wrong one as for a right one."""
    shape = _SHAPE.fullmatch(given)
    if shape is None:
        return None
    prefix = shape[1].decode()
    key = ApiKey.objects.select_related("store").filter(prefix=prefix).first()
    is_right = hmac.compare_digest(key.hash if key else _NOBODY, hash_of_key(given.decode()))
    return key if key is not None and is_right and key.is_enabled else None


def _note_use(key: ApiKey) -> None:
    """Once a day: a till must not rewrite its key's row with every sale."""
    today = timezone.localdate()
    if key.last_used_on != today:
        ApiKey.objects.filter(pk=key.pk).update(last_used_on=today)
        key.last_used_on = today


class HasScope(BasePermission):
    """The key has the view's `required_scope`. A view that names none is closed to everybody."""

    message = _("This API key may not do that. Ask for a key with the scope that is needed.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "required_scope", "")
        return isinstance(request.auth, ApiKey) and bool(scope) and scope in request.auth.scopes


class KeyRate(SimpleRateThrottle):
    """So many requests for each key, counted in each web process."""

    scope = "api_key"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        key = request.auth
        return f"rate:{key.pk}" if isinstance(key, ApiKey) else None


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
