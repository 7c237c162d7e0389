"""The one way out: every HTTP call that this product makes to somebody else.

Addresses are typed by staff and partners, or come with a platform's own messages. So none of them
may be turned against the network that we stand in (SSRF):

* https only, no user info, the usual ports, no redirect followed, no proxy of the environment;
* the name is looked up here, every address behind it must be public, and the connection is made
  to that very address: a name that changes its mind between look and call gains nothing;
* the certificate is checked against the name, not the address;
* one deadline holds for all of it, however slowly the other side trickles, and an answer is read
  up to a size and no further.

`http.client` speaks the protocol; what is ours is which address (kit/addresses.py), and for how
long.
"""

import contextlib
import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings

from kit.addresses import (
    PORTS,
    Address,
    CallFailed,
    Refused,
    Target,
    Trouble,
    check_address,
    check_url,
    in_words,
    literal_address,
    unwrapped,
)

_CHUNK: Final = 16 * 1024
_AGENT: Final = "Regulars"


class Unreachable(CallFailed):
    """No connection, trust or time, or an answer that broke off. Something may have arrived."""


class TooLong(CallFailed):
    """The other side answered; `answer` holds the beginning of the body."""

    def __init__(self, answer: "Answer") -> None:
        super().__init__(Trouble.TOO_LONG)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Outgoing:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whatever status it has: a redirect is an answer too. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for each address until it takes the connection, and for everything together."""

    connect: float = 5.0
    total: float = 15.0


def fetch(
    outgoing: Outgoing, *, patience: Patience = Patience(), largest: int = 64 * 1024
) -> Answer:
    """What the other side answers; raises Refused, Unreachable or TooLong.

    It reads the setting, the network and nothing else, so threads may call it at once.
    """
    target = check_url(outgoing.url)
    deadline = time.monotonic() + patience.total
    with _as_unreachable():
        sock = _connect(target, _addresses(target, deadline), patience, deadline)
        try:
            return _converse(target, outgoing, sock, largest)
        finally:
            sock.close()


# Which address


def _addresses(target: Target, deadline: float) -> list[Address]:
    """Every address behind the name; one that we do not call refuses them all."""
    literal = literal_address(target.host)
    found = [literal] if literal is not None else _looked_up(target, deadline)
    for address in found:
        check_address(target.host, address)
    return found


def _looked_up(target: Target, deadline: float) -> list[Address]:
    """A resolver knows no time limit of ours: it is asked on a thread that may be left behind."""
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as problem:
            answers.put(OSError(str(problem)))

    threading.Thread(target=ask, name=f"look up {target.host}", daemon=True).start()
    try:
        answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
    except queue.Empty:
        raise Unreachable(Trouble.TIME_OUT) from None
    if isinstance(answer, OSError):
        raise Unreachable(Trouble.UNKNOWN_NAME, str(answer))
    rows = [unwrapped(ip_address(row[4][0])) for row in answer]
    return list(dict.fromkeys(rows))


# For how long


class _Timed:
    """A socket that gives each read and write only what is left until the deadline."""

    deadline: float

    def _hurry(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The time for the whole call is over.")
        self.settimeout(left)  # type: ignore[attr-defined]

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)  # type: ignore[misc,no-any-return]

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)  # type: ignore[misc,no-any-return]

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._hurry()
        super().sendall(*args, **kwargs)  # type: ignore[misc]


class _PlainSocket(_Timed, socket.socket):
    pass


class _TlsSocket(_Timed, ssl.SSLSocket):
    pass


def _connect(
    target: Target, addresses: list[Address], patience: Patience, deadline: float
) -> _PlainSocket | _TlsSocket:
    """A connection to the first address that takes one, within the time for all of them."""
    for place, address in enumerate(addresses):
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        sock = _PlainSocket(family, socket.SOCK_STREAM)
        sock.deadline = deadline
        try:
            sock.settimeout(min(patience.connect, max(deadline - time.monotonic(), 0.001)))
            sock.connect((str(address), target.port))
            return _encrypted(target, sock) if target.is_encrypted else sock
        except ssl.SSLError:
            sock.close()
            raise
        except OSError:
            sock.close()
            if place + 1 == len(addresses) or time.monotonic() >= deadline:
                raise
    raise Unreachable(Trouble.UNKNOWN_NAME)


def _encrypted(target: Target, sock: _PlainSocket) -> _TlsSocket:
    sock._hurry()
    wrapped = _trust(settings.OUTWARD_CA_FILE).wrap_socket(sock, server_hostname=target.host)
    assert isinstance(wrapped, _TlsSocket)
    wrapped.deadline = sock.deadline
    return wrapped


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    """The system's authorities, and the merchant's own if it has one."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.sslsocket_class = _TlsSocket
    return context


# What is said


def _converse(target: Target, outgoing: Outgoing, sock: Any, largest: int) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.default_port = PORTS["https" if target.is_encrypted else "http"]
    connection.sock = sock
    headers = {"User-Agent": _AGENT, "Connection": "close", **outgoing.headers}
    try:
        connection.request(outgoing.method, target.path, outgoing.body or None, headers)
    except ValueError as problem:  # A line break, or letters beyond Latin-1: nothing was sent.
        raise Refused(Trouble.BAD_HEADER, str(problem)) from problem
    with connection.getresponse() as response:
        body = _read(response, largest + 1)
        named: dict[str, str] = {}
        for name, value in response.getheaders():
            known = named.get(name.lower())
            named[name.lower()] = value if known is None else f"{known}, {value}"
        answer = Answer(response.status, named, body[:largest])
    if len(body) > largest:
        raise TooLong(answer)
    return answer


def _read(response: http.client.HTTPResponse, most: int) -> bytes:
    body = bytearray()
    while len(body) < most:
        chunk = response.read(min(_CHUNK, most - len(body)))
        if not chunk:
            break
        body += chunk
    # A body that ends before its announced length is passed over in silence when read in parts.
    if len(body) < most and response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)


@contextlib.contextmanager
def _as_unreachable() -> Iterator[None]:
    """Whatever sockets, TLS and HTTP raise, as one of ours."""
    try:
        yield
    except ssl.SSLCertVerificationError as problem:
        raise Unreachable(Trouble.CERTIFICATE, problem.verify_message) from problem
    except TimeoutError as problem:
        raise Unreachable(Trouble.TIME_OUT) from problem
    except ssl.SSLError as problem:
        raise Unreachable(Trouble.NO_CONNECTION, problem.reason or str(problem)) from problem
    except http.client.HTTPException as problem:
        raise Unreachable(Trouble.BROKEN) from problem
    except ConnectionResetError as problem:
        raise Unreachable(Trouble.BROKEN, problem.strerror or "") from problem
    except OSError as problem:
        raise Unreachable(Trouble.NO_CONNECTION, problem.strerror or str(problem)) from problem


__all__ = [
    "Answer",
    "CallFailed",
    "Outgoing",
    "Patience",
    "Refused",
    "TooLong",
    "Trouble",
    "Unreachable",
    "check_url",
    "fetch",
    "in_words",
]
