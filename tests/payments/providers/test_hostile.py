"""Whatever comes in, a provider answers: no exception, and no forgery taken for genuine."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from payments.providers import all_providers, standard
from payments.providers.base import (
    Ignored,
    Inbound,
    Keys,
    MalformedPayload,
    Notice,
    Provider,
    Rejected,
    Verified,
)

PAYLOADS = Path(__file__).parents[2] / "payloads"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HMAC_SECRET = "whsec_" + base64.b64encode(b"a test secret, nothing else").decode()
KEYS = {
    "alipay": Keys(((PAYLOADS / "alipay" / "test-only-public-key.pem").read_text(),)),
    "standard": Keys((HMAC_SECRET,)),
    "stripe": Keys((HMAC_SECRET,)),
}


def alipay_request() -> Inbound:
    pem = (PAYLOADS / "alipay" / "test-only-private-key.pem").read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey)
    fields = json.loads((PAYLOADS / "alipay" / "trade_success.json").read_text())
    content = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if k != "sign_type")
    sign = base64.b64encode(key.sign(content.encode(), PKCS1v15(), SHA256())).decode()
    return Inbound(
        "POST", "https://shop.example/", {}, urlencode(fields | {"sign": sign}).encode()
    )


def standard_request() -> Inbound:
    body = (PAYLOADS / "standard" / "payment.json").read_bytes()
    headers = standard.sign(body, secret=HMAC_SECRET, message_id="msg_1", at=NOON)
    return Inbound("POST", "https://shop.example/", headers, body)


def stripe_request() -> Inbound:
    body = (PAYLOADS / "stripe" / "payment_intent.succeeded.json").read_bytes()
    stamp = str(int(NOON.timestamp()))
    mac = hmac.new(HMAC_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    headers = {"stripe-signature": f"t={stamp},v1={mac.hexdigest()}"}
    return Inbound("POST", "https://shop.example/", headers, body)


GENUINE: dict[str, Inbound] = {
    "alipay": alipay_request(),
    "standard": standard_request(),
    "stripe": stripe_request(),
}
SIGNED_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature")
HEADER_TEXT = st.text(max_size=80) | st.text("tv01=,. whsec", max_size=80)
BODIES = (
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from(["sign", "charset", "trade_status", "refund_fee", "gmt_refund"]),
        st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    ).map(lambda fields: urlencode(fields).encode())
)


every_provider = pytest.mark.parametrize(
    "provider", [pytest.param(provider, id=code) for code, provider in all_providers().items()]
)


def what_is_signed(provider: Provider, request: Inbound) -> object:
    """What a signature vouches for: spellings of the same form are the same notice."""
    if provider.code == "alipay":
        text = request.body.decode("latin-1")
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1")
        return sorted(pair for pair in pairs if pair[0] != "sign_type")
    return request.body, request.headers


@every_provider
def test_every_provider_has_a_genuine_request_here(provider: Provider) -> None:
    request = GENUINE[provider.code]

    assert isinstance(provider.verify(request, KEYS[provider.code], NOON), Verified)
    assert isinstance(provider.read(request, KEYS[provider.code]), list)


@every_provider
@given(headers=st.dictionaries(st.sampled_from(SIGNED_HEADERS), HEADER_TEXT), body=BODIES)
def test_no_bytes_are_too_odd(provider: Provider, headers: dict[str, str], body: bytes) -> None:
    request = Inbound("POST", "https://shop.example/", headers, body)

    assert isinstance(provider.verify(request, KEYS[provider.code], NOON), Rejected)
    try:
        found = provider.read(request, KEYS[provider.code])
    except MalformedPayload:
        return
    assert isinstance(found, Ignored)


@every_provider
@given(data=st.data())
def test_one_changed_byte_is_one_forgery(provider: Provider, data: st.DataObject) -> None:
    genuine = GENUINE[provider.code]
    body = bytearray(genuine.body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    forged = Inbound(genuine.method, genuine.url, genuine.headers, bytes(body))

    verdict = provider.verify(forged, KEYS[provider.code], NOON)

    is_same = what_is_signed(provider, forged) == what_is_signed(provider, genuine)
    assert isinstance(verdict, Verified) <= is_same


@every_provider
@given(data=st.data())
def test_a_body_cut_short_or_drawn_out_is_a_forgery(
    provider: Provider, data: st.DataObject
) -> None:
    genuine = GENUINE[provider.code]
    end = data.draw(st.integers(0, len(genuine.body) - 1))
    tail = data.draw(st.binary(min_size=1, max_size=20))
    bodies = (genuine.body[:end], genuine.body + tail, tail + genuine.body)

    for body in bodies:
        forged = Inbound(genuine.method, genuine.url, genuine.headers, body)
        verdict = provider.verify(forged, KEYS[provider.code], NOON)
        is_same = what_is_signed(provider, forged) == what_is_signed(provider, genuine)
        assert isinstance(verdict, Verified) <= is_same


@pytest.mark.parametrize("code", ["standard", "stripe"])
@given(data=st.data())
def test_one_changed_character_of_a_header_is_a_forgery(code: str, data: st.DataObject) -> None:
    genuine = GENUINE[code]
    name = data.draw(st.sampled_from(sorted(genuine.headers)))
    value = genuine.headers[name]
    place = data.draw(st.integers(0, len(value) - 1))
    changed = value[:place] + data.draw(st.characters()) + value[place + 1 :]
    forged = Inbound(
        genuine.method, genuine.url, dict(genuine.headers) | {name: changed}, genuine.body
    )

    verdict = all_providers()[code].verify(forged, KEYS[code], NOON)

    assert isinstance(verdict, Verified) <= (changed.split() == value.split())


@pytest.mark.parametrize("code", ["standard", "stripe"])
@given(data=st.data())
def test_any_value_in_a_genuine_event_is_read_or_malformed(code: str, data: st.DataObject) -> None:
    event = json.loads(GENUINE[code].body)
    inner = event["data"] if code == "standard" else event["data"]["object"]
    anything = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=120)
        | st.lists(st.text(max_size=5) | st.none(), max_size=3)
        | st.dictionaries(st.text(max_size=10), st.text(max_size=10) | st.integers(), max_size=3)
    )
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(anything)
    request = Inbound("POST", "https://shop.example/", {}, json.dumps(event).encode())

    try:
        found = all_providers()[code].read(request, KEYS[code])
    except MalformedPayload:
        return
    assert isinstance(found, Ignored) or all(isinstance(item, Notice) for item in found)
    if isinstance(found, list):
        assert all(item.amount.amount > 0 for item in found)
