"""Which addresses we call: those of the internet at large, and what the merchant lists of its own.

OUTWARD_PRIVATE_HOSTS lists what of the own network may be called after all (a shop's server in
the LAN): names, addresses and networks. A name or address that is listed may be called by http and
at any port.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy as _

Address = IPv4Address | IPv6Address

LONGEST_URL: Final = 2000
PORTS: Final = {"http": 80, "https": 443}
_READABLE: Final = "%/:=&?~#+!$,;'@()*[]"  # Of a path or query, what is not quoted again.

# IANA's special-purpose registry, and one public address that is not: Azure's own host agent.
_CLOSED_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Of IPv6 only what is handed out as unicast, less tunnels to IPv4, documentation and benchmarks.
_OPEN_6: Final = IPv6Network("2000::/3")
_CLOSED_6: Final = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Trouble(StrEnum):
    """Why a call came to nothing; kept with what was tried, said in words by `in_words`."""

    BAD_ADDRESS = "bad_address"
    NOT_HTTPS = "not_https"
    USER_INFO = "user_info"
    PORT = "port"
    PRIVATE = "private"
    BAD_HEADER = "bad_header"
    UNKNOWN_NAME = "unknown_name"
    NO_CONNECTION = "no_connection"
    TIME_OUT = "time_out"
    CERTIFICATE = "certificate"
    BROKEN = "broken"
    TOO_LONG = "too_long"


_WORDS: Final = {
    Trouble.BAD_ADDRESS: _("This is not a web address. Write it like https://shop.example.com/x."),
    Trouble.NOT_HTTPS: _("The address must begin with https://."),
    Trouble.USER_INFO: _("The address must hold no user name or password."),
    Trouble.PORT: _("This port is not open. Use port 443, or let the operator allow it."),
    Trouble.PRIVATE: _(
        "This address leads into a private network. The operator may allow it in the settings."
    ),
    Trouble.BAD_HEADER: _("A header cannot be sent as it stands."),
    Trouble.UNKNOWN_NAME: _("There is no server of this name."),
    Trouble.NO_CONNECTION: _("The server does not take the connection."),
    Trouble.TIME_OUT: _("The server took too long."),
    Trouble.CERTIFICATE: _("The server's certificate does not hold for this name."),
    Trouble.BROKEN: _("The answer broke off or is no HTTP."),
    Trouble.TOO_LONG: _("The answer is too long."),
}


def in_words(trouble: str) -> str:
    try:
        return str(_WORDS[Trouble(trouble)])
    except ValueError:
        return trouble


class CallFailed(Exception):
    """There is no answer to use; `trouble` says why, `detail` what the network said."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(f"{trouble}: {detail}" if detail else str(trouble))
        self.trouble = trouble
        self.detail = detail


class Refused(CallFailed):
    """An address that we do not call. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart."""

    is_encrypted: bool
    host: str
    port: int
    path: str


def check_url(url: str) -> Target:
    """The address taken apart, if it may be called as far as can be told without looking its
    name up; raises Refused. Forms ask this before they keep an address."""
    parts, host, port = _taken_apart(url)
    is_encrypted, is_ours = parts.scheme == "https", _is_listed_host(host)
    if not (is_encrypted or is_ours):
        raise Refused(Trouble.NOT_HTTPS)
    port = port or PORTS[parts.scheme]
    if not (is_ours or port in settings.OUTWARD_PORTS):
        raise Refused(Trouble.PORT, str(port))
    literal = literal_address(host)
    if literal is not None:
        check_address(host, literal)
    path = quote(parts.path or "/", safe=_READABLE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_READABLE)
    return Target(is_encrypted, host, port, path)


def _taken_apart(url: str) -> tuple[SplitResult, str, int | None]:
    if len(url) > LONGEST_URL or any(c <= " " or c in "\x7f\\" for c in url):
        raise Refused(Trouble.BAD_ADDRESS)
    try:
        parts = urlsplit(url)
        host, port = _ascii_host(parts.hostname or ""), parts.port
    except ValueError as problem:  # Among them UnicodeError, of names that cannot be.
        raise Refused(Trouble.BAD_ADDRESS) from problem
    if parts.scheme not in PORTS or not host:
        raise Refused(Trouble.BAD_ADDRESS)
    if "@" in parts.netloc:
        raise Refused(Trouble.USER_INFO)
    return parts, host, port


def is_public(address: Address) -> bool:
    """Whether the address belongs to the internet at large, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        return address in _OPEN_6 and not any(address in closed for closed in _CLOSED_6)
    return not any(address in closed for closed in _CLOSED_4)


def _ascii_host(host: str) -> str:
    if literal_address(host) is not None:
        return host
    return host.encode("idna").decode().lower() if host else ""


def literal_address(host: str) -> Address | None:
    try:
        return unwrapped(ip_address(host))
    except ValueError:
        return None


def unwrapped(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes (::ffff:10.0.0.1) is connected to as what it is."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _listed() -> Iterator[str | IPv4Network | IPv6Network]:
    for entry in settings.OUTWARD_PRIVATE_HOSTS:
        try:
            yield ip_network(entry.strip(), strict=False)
        except ValueError:
            yield entry.strip().lower()


def _is_listed_host(host: str) -> bool:
    literal = literal_address(host)
    if literal is not None:
        return _is_listed(literal)
    return any(entry == host for entry in _listed())


def _is_listed(address: Address) -> bool:
    networks = (entry for entry in _listed() if not isinstance(entry, str))
    return any(address in network for network in networks)


def check_address(host: str, address: Address) -> None:
    if is_public(address) or _is_listed(address):
        return
    if _is_listed_host(host) and not (address.is_link_local or address.is_multicast):
        return  # A listed name may stand for any host of the own network, not for its metadata.
    raise Refused(Trouble.PRIVATE, str(address))
