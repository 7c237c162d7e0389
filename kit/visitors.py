"""Who is at the other end of a request."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's address: in production the one that our reverse proxy vouches for, which is
    the last of X-Forwarded-For; what stands before it is the visitor's own claim."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.IS_PRODUCTION:
        return peer
    return request.META.get("HTTP_X_FORWARDED_FOR", peer).rpartition(",")[2].strip() or peer


def by_own_links(act: Callable[..., Any]) -> Callable[..., Any]:
    """An action of the admin that refuses to be the aim of somebody else's link: browsers say of a
    request whether a page of another site made them send it."""

    @wraps(act)
    def guarded(desk: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if is_lured(request):
            raise PermissionDenied
        return act(desk, request, *args, **kwargs)

    return guarded


def is_lured(request: HttpRequest) -> bool:
    """Whether a page of another site led here; what is posted carries a token of ours."""
    site = request.headers.get("Sec-Fetch-Site")
    return request.method != "POST" and site in {"cross-site", "same-site"}
