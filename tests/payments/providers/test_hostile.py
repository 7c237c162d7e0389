"""Whatever comes in, a provider answers: no exception, and no forgery taken for genuine."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.money import Money
from payments.providers import all_providers
from payments.providers.base import (
    Hint,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    Provider,
    Rejected,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, all_examples, all_formats
from tests.payments.providers.mutation import places_in

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PLAYED = all_formats()
EXAMPLES = {code: example for code, example in PLAYED.items() if example.answer is None}
HINTING = {code: example for code, example in PLAYED.items() if example.answer is not None}
SIGNED_HEADERS = sorted({name for example in EXAMPLES.values() for name in example.signed_headers})
HEADER_TEXT = st.text(max_size=80) | st.text("tv01=,. whsec", max_size=80)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=120)
    | st.lists(st.text(max_size=5) | st.none(), max_size=3)
    | st.dictionaries(st.text(max_size=10), st.text(max_size=10) | st.integers(), max_size=3)
)
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

_genuine: dict[str, Inbound] = {}

every_example = pytest.mark.parametrize(
    "example", [pytest.param(example, id=code) for code, example in EXAMPLES.items()]
)


every_hinting_example = pytest.mark.parametrize(
    "example", [pytest.param(example, id=code) for code, example in HINTING.items()]
)


def sale_of(example: Example) -> Sale:
    money = Money.parse(Decimal(100), example.currencies[0])
    return Sale("hostile-1", money, NOON, member_code="M4K7Q2Z9P", order_ref="ORDER-1")


def genuine(example: Example) -> Inbound:
    """Its payment, signed once: RSA is slow."""
    if example.name not in _genuine:
        _genuine[example.name] = example.payment(sale_of(example))
    return _genuine[example.name]


def provider_of(example: Example) -> Provider:
    return all_providers()[example.code]


def forgery_passes(example: Example, forged: Inbound) -> bool:
    """Whether what says something else than the genuine post is taken for genuine."""
    verdict = provider_of(example).verify(forged, example.keys, NOON)
    if isinstance(verdict, Rejected):
        return False
    return example.what_is_vouched_for(forged) != example.what_is_vouched_for(genuine(example))


def read_or_none(example: Example, request: Inbound) -> object:
    """What is read, if it is in order; None where the post is malformed."""
    try:
        found = provider_of(example).read(request, example.keys)
    except MalformedPayload:
        return None
    if isinstance(found, list):
        assert all(isinstance(item, Notice) and item.amount.amount > 0 for item in found)
    return found


@pytest.mark.parametrize("code", list(all_providers()))
def test_every_platform_can_be_played(code: str) -> None:
    assert code in all_examples(), (
        f"payments/providers/{code}.py has no example: end the setting-up of "
        f"tests/payments/providers/test_{code}.py with EXAMPLE = Example(...)."
    )


@every_example
def test_an_example_is_genuine_and_tells_of_its_payment(example: Example) -> None:
    sale = sale_of(example)

    found = provider_of(example).read(example.payment(sale), example.keys)

    verdict = provider_of(example).verify(genuine(example), example.keys, NOON)
    assert isinstance(verdict, Verified)
    assert isinstance(found, list)
    assert [(n.kind, n.payment_ref, n.amount) for n in found] == [
        (Kind.PAYMENT, example.known_as(sale.ref), sale.money)
    ]


@every_example
def test_an_example_is_genuine_in_each_of_its_corrections(example: Example) -> None:
    later = NOON + timedelta(days=1)
    told = Correction(sale_of(example), "hostile-2", Decimal(30), Decimal(30), later)
    posts = {
        kind: make(told)
        for kind, make in (
            (Kind.REFUND, example.refund),
            (Kind.CHARGEBACK, example.chargeback),
            (Kind.REVERSAL, example.reversal),
        )
        if make
    }

    for kind, post in posts.items():
        assert isinstance(provider_of(example).verify(post, example.keys, later), Verified)
        found = provider_of(example).read(post, example.keys)
        assert isinstance(found, list)
        assert found[-1].kind is kind
        assert {(n.payment_ref, n.amount.amount) for n in found} == {
            (example.known_as(told.sale.ref), told.amount)
        }


@every_example
@settings(deadline=None)
@given(headers=st.dictionaries(st.sampled_from(SIGNED_HEADERS), HEADER_TEXT), body=BODIES)
def test_no_bytes_are_too_odd(example: Example, headers: dict[str, str], body: bytes) -> None:
    request = Inbound("POST", "https://shop.example/", headers, body)

    assert isinstance(provider_of(example).verify(request, example.keys, NOON), Rejected)
    assert not isinstance(read_or_none(example, request), list)


@every_example
@settings(deadline=None)
@given(data=st.data())
def test_one_changed_byte_is_one_forgery(example: Example, data: st.DataObject) -> None:
    body = bytearray(genuine(example).body)
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    assert not forgery_passes(example, replace(genuine(example), body=bytes(body)))


@every_example
@settings(deadline=None)
@given(data=st.data())
def test_a_body_cut_short_or_drawn_out_is_a_forgery(example: Example, data: st.DataObject) -> None:
    body = genuine(example).body
    end = data.draw(st.integers(0, len(body) - 1))
    tail = data.draw(st.binary(min_size=1, max_size=20))

    for forged in (body[:end], body + tail, tail + body):
        assert not forgery_passes(example, replace(genuine(example), body=forged))


@every_example
@settings(deadline=None)
@given(data=st.data())
def test_one_changed_character_of_a_header_is_a_forgery(
    example: Example, data: st.DataObject
) -> None:
    headers = dict(genuine(example).headers)
    for name in [name for name in example.signed_headers if headers.get(name)]:
        value = headers[name]
        place = data.draw(st.integers(0, len(value) - 1))
        changed = value[:place] + data.draw(st.characters()) + value[place + 1 :]
        forged = replace(genuine(example), headers=headers | {name: changed})

        assert not forgery_passes(example, forged)


@every_example
def test_a_post_of_another_account_is_refused(example: Example) -> None:
    others = [other for other in EXAMPLES.values() if other.code != example.code]
    strangers = Keys(tuple(key for other in others for key in other.keys.secrets))

    for keys in (example.other_keys, strangers, Keys(settings=example.keys.settings)):
        if keys is not None:
            assert isinstance(provider_of(example).verify(genuine(example), keys, NOON), Rejected)


@every_example
@settings(deadline=None)
@given(data=st.data())
def test_any_value_in_a_genuine_post_is_read_or_malformed(
    example: Example, data: st.DataObject
) -> None:
    request = genuine(example)

    read_or_none(example, replace(request, body=with_one_value_changed(request.body, data)))


def with_one_value_changed(body: bytes, data: st.DataObject) -> bytes:
    if not body.startswith(b"{"):
        form = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        form[data.draw(st.sampled_from(sorted(form)))] = data.draw(st.text(max_size=120))
        return urlencode(form, errors="replace").encode()
    event = json.loads(body)
    inner, name = data.draw(st.sampled_from(list(places_in(event))))
    inner[name] = data.draw(ANYTHING)
    return json.dumps(event).encode()


@every_hinting_example
def test_a_hint_is_no_proof_and_its_answer_tells_of_the_payment(example: Example) -> None:
    sale = sale_of(example)
    assert example.answer is not None

    verdict = provider_of(example).verify(genuine(example), example.keys, NOON)
    hinted = provider_of(example).read(genuine(example), example.keys)
    found = provider_of(example).read(example.answer(sale), example.keys)

    assert verdict == Hint(example.known_as(sale.ref), getattr(verdict, "order_ref", ""))
    assert isinstance(hinted, Ignored)
    assert isinstance(found, list)
    assert [(n.kind, n.payment_ref, n.amount) for n in found] == [
        (Kind.PAYMENT, example.known_as(sale.ref), sale.money)
    ]


INBOUND = st.builds(
    Inbound,
    method=st.sampled_from(["GET", "POST", "ANSWER", "HINT"]),
    url=st.text(max_size=80) | st.text("/?&=transactionIdorder0123", max_size=80),
    headers=st.dictionaries(st.sampled_from(["signature", "digest", "status"]), HEADER_TEXT),
    body=BODIES,
)


@every_hinting_example
@settings(deadline=None)
@given(request_=INBOUND)
def test_nothing_that_comes_in_is_proof_for_a_hinting_platform(
    example: Example, request_: Inbound
) -> None:
    verdict = provider_of(example).verify(request_, example.keys, NOON)

    assert isinstance(verdict, Rejected | Hint)
    assert not isinstance(read_or_none(example, request_), list)


@every_hinting_example
@settings(deadline=None)
@given(data=st.data())
def test_any_value_in_an_answer_is_read_or_malformed(
    example: Example, data: st.DataObject
) -> None:
    assert example.answer is not None
    answer = example.answer(sale_of(example))

    read_or_none(example, replace(answer, body=with_one_value_changed(answer.body, data)))
