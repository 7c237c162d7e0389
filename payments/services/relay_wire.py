"""What of a post goes on to the shop: its method, its query, its bytes, and its own headers."""

import json
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from kit.crypto import decrypt, encrypt
from kit.outward import Outgoing
from payments.providers.base import Inbound

_CONTEXT: Final = "payments.relay"
# Between two neighbours only (RFC 9110, 7.6.1), or made anew for the next connection.
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What our own reverse proxy or CDN wrote, and what asks for an answer that we would not read.
_OF_OUR_PROXY: Final = frozenset(
    {
        "accept-encoding",
        "cdn-loop",
        "cookie",
        "forwarded",
        "true-client-ip",
        "via",
        "x-amzn-trace-id",
        "x-client-ip",
        "x-cloud-trace-context",
        "x-original-url",
        "x-real-ip",
        "x-request-start",
        "x-rewrite-url",
        "x-scheme",
    }
)
_FAMILIES_OF_OUR_PROXY: Final = ("x-forwarded-", "cf-", "fastly-", "x-envoy-")


def passed_headers(headers: dict[str, str]) -> dict[str, str]:
    """The platform's own: what signs, what names the content, and whatever else it wrote."""
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {
        name: value
        for name, value in headers.items()
        if name not in _HOP_BY_HOP | _OF_OUR_PROXY | named
        and not name.startswith(_FAMILIES_OF_OUR_PROXY)
    }


def sealed_post(inbound: Inbound) -> bytes:
    """A copy of its own: that of the callback is pruned by rules of its own."""
    query = urlsplit(inbound.url).query
    head = json.dumps([inbound.method, query, passed_headers(dict(inbound.headers))]).encode()
    return encrypt(len(head).to_bytes(4) + head + inbound.body, context=_CONTEXT)


def outgoing_post(sealed: bytes | memoryview, *, url: str) -> Outgoing:
    """The post as it goes on to `url`; raises CannotDecrypt."""
    plain = decrypt(bytes(sealed), context=_CONTEXT)
    size = int.from_bytes(plain[:4])
    method, query, headers = json.loads(plain[4 : 4 + size])
    return Outgoing(method, _with_query(url, query), headers, plain[4 + size :])


def _with_query(url: str, query: str) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, query]))))
