"""Somebody else's server, played in threads on loopback: it notes what comes and says what it is
told to, also slowly, endlessly or wrongly."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]  # Names in lower case.
    body: bytes


@dataclass(frozen=True)
class Said:
    """`pieces`: the answer byte for byte instead of status and body, each after its pause."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    pieces: tuple[tuple[float, bytes], ...] = ()


@dataclass
class Outside:
    url: str
    port: int
    seen: list[Seen]
    say: Callable[[Seen], Said]


@contextmanager
def outside(
    say: Callable[[Seen], Said] | Said | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[Outside]:
    """A server that answers as `say` says (200 unless told); it may be changed while it runs."""
    answer = say or Said()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler())
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    scheme = "https" if tls else "http"
    played = Outside(
        url=f"{scheme}://127.0.0.1:{port}",
        port=port,
        seen=[],
        say=answer if callable(answer) else lambda _seen: answer,
    )
    server.played = played  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for `name`, and the file of the authority that vouches for it."""
    authority_key, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    authority = _signed("Test authority", authority_key, by="Test authority", with_=authority_key)
    leaf = _signed(name, key, by="Test authority", with_=authority_key)
    chain, ca_file = folder / f"{name}.pem", folder / f"{name}-authority.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, ca_file


def _signed(name: str, key: Any, *, by: str, with_: Any) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251 - TLS asks the real clock.
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=name == by, path_length=None), critical=True)
    )
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    with suppress(ValueError):
        names = [x509.IPAddress(IPv4Address(name))]
    if name != by:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(with_, hashes.SHA256())


def _handler() -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            played: Outside = self.server.played  # type: ignore[attr-defined]
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            played.seen.append(seen)
            said = played.say(seen)
            self.close_connection = True
            with suppress(OSError):
                self._answer(said)

        def _answer(self, said: Said) -> None:
            time.sleep(said.wait)
            for pause, piece in said.pieces:
                time.sleep(pause)
                self.wfile.write(piece)
                self.wfile.flush()
            if said.pieces:
                return
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815 - the library's names.

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler
