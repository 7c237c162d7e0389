"""The client that calls others: what it refuses, what it gives up, what it hands back."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.outward import (
    Outgoing,
    Patience,
    Refused,
    TooLong,
    Trouble,
    Unreachable,
    fetch,
)
from tests.outside import Said, Seen, certificate, outside

SOON = Patience(connect=1.0, total=1.0)
Resolver = Callable[..., None]


@pytest.fixture
def loopback(settings: Any) -> Any:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
    return settings


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """`resolves("shop.test", ["1.2.3.4"], ["127.0.0.1"])`: the answers to one look-up each."""
    answers: dict[str, list[list[str]]] = {}

    def look_up(host: str, port: int, **_kwargs: Any) -> list[Any]:
        rounds = answers[host]
        found = rounds.pop(0) if len(rounds) > 1 else rounds[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return lambda host, *rounds: answers.update({host: list(rounds)})


def trouble_of(call: Callable[[], object], kind: type[Any]) -> Trouble:
    with pytest.raises(kind) as caught:
        call()
    found: Trouble = caught.value.trouble
    return found


@pytest.mark.parametrize(
    "spelling", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"]
)
def test_other_spellings_of_loopback_are_refused_once_they_are_looked_up(spelling: str) -> None:
    refused = trouble_of(lambda: fetch(Outgoing("GET", f"https://{spelling}/")), Refused)

    assert refused is Trouble.PRIVATE


def test_one_private_address_among_public_ones_refuses_them_all(resolves: Resolver) -> None:
    resolves("shop.test", ["1.1.1.1", "10.0.0.5"])

    refused = trouble_of(lambda: fetch(Outgoing("GET", "https://shop.test/")), Refused)

    assert refused is Trouble.PRIVATE


def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(
    loopback: Any, resolves: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _sock, where: called.append(where))
    loopback.OUTWARD_PRIVATE_HOSTS = []
    resolves("shop.test", ["1.1.1.1"], ["127.0.0.1"])

    with pytest.raises(Unreachable):
        fetch(Outgoing("GET", "https://shop.test/"), patience=SOON)

    assert called == [("1.1.1.1", 443)]


def test_a_listed_name_still_does_not_lead_to_the_metadata_service(
    settings: Any, resolves: Resolver
) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = ["shop.lan"]
    resolves("shop.lan", ["169.254.169.254"])

    refused = trouble_of(lambda: fetch(Outgoing("GET", "http://shop.lan/")), Refused)

    assert refused is Trouble.PRIVATE


def test_a_listed_name_is_called_by_http_at_its_port(settings: Any, resolves: Resolver) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = ["shop.lan"]
    resolves("shop.lan", ["127.0.0.1"])

    with outside(Said(201, b"made")) as shop:
        answer = fetch(
            Outgoing("POST", f"http://shop.lan:{shop.port}/in?a=b", {"X-A": "1"}, b"body")
        )

    assert (answer.status, answer.body, answer.is_good) == (201, b"made", True)
    (seen,) = shop.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/in?a=b", b"body")
    assert seen.headers["host"] == f"shop.lan:{shop.port}"
    assert seen.headers["x-a"] == "1"


def test_a_redirect_is_an_answer_and_is_not_followed(loopback: Any) -> None:
    with outside() as inner, outside(Said(302, headers={"Location": inner.url})) as outer:
        answer = fetch(Outgoing("GET", f"{outer.url}/"))

    assert answer.status == 302
    assert answer.headers["location"] == inner.url
    assert inner.seen == []


def test_a_proxy_of_the_environment_is_not_asked(
    loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with outside() as proxy, outside(Said(body=b"direct")) as shop:
        monkeypatch.setenv("http_proxy", proxy.url)
        answer = fetch(Outgoing("GET", f"{shop.url}/"))

    assert answer.body == b"direct"
    assert proxy.seen == []


def test_a_header_with_a_line_break_sends_nothing(loopback: Any) -> None:
    with outside() as shop:
        refused = trouble_of(
            lambda: fetch(Outgoing("GET", f"{shop.url}/", {"X-A": "1\r\nX-B: 2"})), Refused
        )

    assert refused is Trouble.BAD_HEADER
    assert shop.seen == []


@pytest.mark.parametrize(
    "pieces",
    [
        ((0.0, b"HTTP/1.1 200 OK\r\n"), *((0.05, b"X-Drip: 1\r\n"),) * 60),
        ((0.0, b"HTTP/1.1 200 OK\r\n\r\n"), *((0.05, b"."),) * 60),
        ((0.0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),)
        + ((0.05, b"1\r\n.\r\n"),) * 60,
        ((0.0, b"HTTP/1.1 100 Continue\r\n\r\n"),)
        + ((0.05, b"HTTP/1.1 100 Continue\r\n\r\n"),) * 60,
        ((2.0, b"HTTP/1.1 200 OK\r\n\r\n"),),
    ],
    ids=["headers", "body", "chunks", "continues", "silence"],
)
def test_an_answer_that_trickles_is_given_up_when_the_whole_time_is_over(
    loopback: Any, pieces: tuple[tuple[float, bytes], ...]
) -> None:
    with outside(Said(pieces=pieces)) as shop:
        began = time.monotonic()
        trouble = trouble_of(
            lambda: fetch(Outgoing("GET", f"{shop.url}/"), patience=Patience(1.0, 0.4)),
            Unreachable,
        )
        took = time.monotonic() - began

    assert trouble is Trouble.TIME_OUT
    assert 0.35 < took < 0.9


def test_a_resolver_that_hangs_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: time.sleep(2))

    began = time.monotonic()
    trouble = trouble_of(
        lambda: fetch(Outgoing("GET", "https://shop.test/"), patience=Patience(1.0, 0.3)),
        Unreachable,
    )

    assert trouble is Trouble.TIME_OUT
    assert time.monotonic() - began < 0.8


@pytest.mark.parametrize(
    "said",
    [
        Said(body=b"x" * 5000),
        Said(pieces=((0, b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 5000),)),
        Said(
            pieces=(
                (0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                *((0, b"400\r\n" + b"x" * 1024 + b"\r\n"),) * 2000,
            )
        ),
    ],
    ids=["plain", "boasting", "endless"],
)
def test_a_huge_answer_is_read_so_far_and_no_further(loopback: Any, said: Said) -> None:
    with outside(said) as shop, pytest.raises(TooLong) as caught:
        fetch(Outgoing("GET", f"{shop.url}/"), largest=4000)

    assert caught.value.answer.status == 200
    assert caught.value.answer.body == b"x" * 4000


@pytest.mark.parametrize(
    "pieces",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"",
    ],
    ids=["length", "chunks", "no size", "no http", "long header", "many headers", "nothing"],
)
def test_an_answer_that_is_none_is_broken(loopback: Any, pieces: bytes) -> None:
    with outside(Said(pieces=((0.0, pieces),))) as shop:
        trouble = trouble_of(lambda: fetch(Outgoing("GET", f"{shop.url}/")), Unreachable)

    assert trouble is Trouble.BROKEN


def test_a_port_where_nobody_listens_is_no_connection(loopback: Any) -> None:
    with outside() as shop:
        url = shop.url

    trouble = trouble_of(lambda: fetch(Outgoing("GET", f"{url}/"), patience=SOON), Unreachable)

    assert trouble is Trouble.NO_CONNECTION


def test_the_next_address_is_tried_when_the_first_takes_no_connection(
    settings: Any, resolves: Resolver
) -> None:
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.0/8", "shop.lan"]
    resolves("shop.lan", ["127.0.0.9", "127.0.0.1"])

    with outside(Said(body=b"second")) as shop:
        answer = fetch(Outgoing("GET", f"http://shop.lan:{shop.port}/"))

    assert answer.body == b"second"


def called_over_tls(settings: Any, tls: ssl.SSLContext, ca_file: Path | str) -> list[Seen]:
    with outside(tls=tls) as shop:
        settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
        settings.OUTWARD_PORTS = [shop.port]
        settings.OUTWARD_CA_FILE = str(ca_file)
        fetch(Outgoing("GET", f"https://shop.test:{shop.port}/"), patience=SOON)
        return shop.seen


def test_a_certificate_of_the_name_is_taken_though_an_address_is_called(
    settings: Any, resolves: Resolver, tmp_path: Path
) -> None:
    resolves("shop.test", ["127.0.0.1"])
    tls, ca_file = certificate(tmp_path, "shop.test")

    (seen,) = called_over_tls(settings, tls, ca_file)

    assert seen.headers["host"].startswith("shop.test:")


@pytest.mark.parametrize("named", ["other.test", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(
    named: str, settings: Any, resolves: Resolver, tmp_path: Path
) -> None:
    resolves("shop.test", ["127.0.0.1"])
    tls, ca_file = certificate(tmp_path, named)

    trouble = trouble_of(lambda: called_over_tls(settings, tls, ca_file), Unreachable)

    assert trouble is Trouble.CERTIFICATE


def test_a_certificate_that_nobody_vouches_for_is_refused(
    settings: Any, resolves: Resolver, tmp_path: Path
) -> None:
    resolves("shop.test", ["127.0.0.1"])
    tls, _ca_file = certificate(tmp_path, "shop.test")

    trouble = trouble_of(lambda: called_over_tls(settings, tls, ""), Unreachable)

    assert trouble is Trouble.CERTIFICATE


def test_a_trickle_over_tls_is_given_up_too(
    settings: Any, resolves: Resolver, tmp_path: Path
) -> None:
    resolves("shop.test", ["127.0.0.1"])
    tls, ca_file = certificate(tmp_path, "shop.test")
    drip = Said(pieces=((0.0, b"HTTP/1.1 200 OK\r\n\r\n"), *((0.05, b"."),) * 60))

    with outside(drip, tls=tls) as shop:
        settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]
        settings.OUTWARD_PORTS = [shop.port]
        settings.OUTWARD_CA_FILE = str(ca_file)
        began = time.monotonic()
        trouble = trouble_of(
            lambda: fetch(
                Outgoing("GET", f"https://shop.test:{shop.port}/"), patience=Patience(1.0, 0.5)
            ),
            Unreachable,
        )

    assert trouble is Trouble.TIME_OUT
    assert time.monotonic() - began < 1.2


def test_a_server_that_never_shakes_hands_is_given_up(settings: Any, resolves: Resolver) -> None:
    resolves("shop.test", ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        settings.OUTWARD_PRIVATE_HOSTS, settings.OUTWARD_PORTS = ["127.0.0.1"], [port]
        trouble = trouble_of(
            lambda: fetch(
                Outgoing("GET", f"https://shop.test:{port}/"), patience=Patience(1.0, 0.3)
            ),
            Unreachable,
        )

    assert trouble is Trouble.TIME_OUT
