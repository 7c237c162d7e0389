"""Which addresses may be called at all."""

from collections.abc import Callable
from typing import Any

import pytest

from kit.addresses import is_public, literal_address
from kit.outward import (
    Patience,
    Refused,
    Trouble,
    check_url,
)

SOON = Patience(connect=1.0, total=1.0)
Resolver = Callable[..., None]


def trouble_of(call: Callable[[], object], kind: type[Any]) -> Trouble:
    with pytest.raises(kind) as caught:
        call()
    found: Trouble = caught.value.trouble
    return found


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104 - it is refused.
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
    ],
)
def test_no_address_of_a_private_network_is_public(text: str) -> None:
    address = literal_address(text)

    assert address is not None
    assert not is_public(address)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"]
)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    address = literal_address(text)

    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "trouble"),
    [
        ("http://shop.example.com/", Trouble.NOT_HTTPS),
        ("ftp://shop.example.com/", Trouble.BAD_ADDRESS),
        ("file:///etc/passwd", Trouble.BAD_ADDRESS),
        ("gopher://127.0.0.1:6379/_x", Trouble.BAD_ADDRESS),
        ("https:///x", Trouble.BAD_ADDRESS),
        ("shop.example.com", Trouble.BAD_ADDRESS),
        ("https://shop.example.com /x", Trouble.BAD_ADDRESS),
        ("https://shop.example.com/\r\nHost: x", Trouble.BAD_ADDRESS),
        ("https://shop.example.com\\@127.0.0.1/", Trouble.BAD_ADDRESS),
        ("https://user:secret@shop.example.com/", Trouble.USER_INFO),
        ("https://shop.example.com@127.0.0.1/", Trouble.USER_INFO),
        ("https://shop.example.com:22/", Trouble.PORT),
        ("https://shop.example.com:99999/", Trouble.BAD_ADDRESS),
        ("https://" + "a" * 70 + ".example.com/", Trouble.BAD_ADDRESS),
        ("https://127.0.0.1/", Trouble.PRIVATE),
        ("https://[::1]/", Trouble.PRIVATE),
        ("https://[::ffff:169.254.169.254]/latest/meta-data/", Trouble.PRIVATE),
        ("https://169.254.169.254/latest/meta-data/", Trouble.PRIVATE),
    ],
)
def test_an_address_is_refused_before_anything_is_looked_up(url: str, trouble: Trouble) -> None:
    refused = trouble_of(lambda: check_url(url), Refused)

    assert refused is trouble
