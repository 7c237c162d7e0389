"""Who is at the other end of a request."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's address: in production the one that our reverse proxy vouches for, which is
    the last of X-Forwarded-For; what stands before it is the visitor's own claim."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.IS_PRODUCTION:
        return peer
    return request.META.get("HTTP_X_FORWARDED_FOR", peer).rpartition(",")[2].strip() or peer
