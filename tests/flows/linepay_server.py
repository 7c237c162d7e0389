"""A LINE Pay of our own on the loopback: it checks our signature and knows what it is told."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "0123456789abcdef0123456789abcdef"
CHANNEL_ID = "1650000000"


@dataclass
class LinePay:
    """payments: transaction id → the row of its details; checks: id → code of its check."""

    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_down: bool = False
    url: str = ""

    def pay(self, reference: str, amount: int, **more: Any) -> None:
        self.payments[reference] = {
            "transactionId": int(reference),
            "transactionDate": "2026-11-21T04:00:00Z",
            "transactionType": "PAYMENT",
            "currency": "TWD",
            "orderId": f"order-{reference}",
            "payInfo": [{"method": "BALANCE", "amount": amount}],
            **more,
        }

    def answer(self, method: str, target: str, headers: Any) -> tuple[int, dict[str, Any]]:
        self.asked.append(f"{method} {target}")
        if self.is_down:
            return 503, {}
        parts = urlsplit(target)
        nonce = headers["X-LINE-Authorization-Nonce"]
        message = f"{SECRET}{parts.path}{parts.query}{nonce}".encode()
        mac = base64.b64encode(hmac.digest(SECRET.encode(), message, hashlib.sha256)).decode()
        if (headers["X-LINE-ChannelId"], headers["X-LINE-Authorization"]) != (CHANNEL_ID, mac):
            return 200, {"returnCode": "1106", "returnMessage": "Header information error"}
        if parts.path == "/v3/payments":
            reference = parse_qs(parts.query)["transactionId"][0]
            if reference not in self.payments:
                return 200, {"returnCode": "1150", "returnMessage": "Not found"}
            return 200, {"returnCode": "0000", "info": [self.payments[reference]]}
        reference = parts.path.split("/")[-2]
        return 200, {"returnCode": self.checks.get(reference, "1150")}


@contextmanager
def serve(platform: LinePay) -> Iterator[LinePay]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, answer = platform.answer("GET", self.path, self.headers)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base has it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    platform.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
