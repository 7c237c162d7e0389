"""The inlet's other ways of signing: forms, shared tokens, Standard Webhooks."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qsl, urlencode

import pytest

from kit.money import Money
from payments.inlet_recipe import Recipe
from payments.providers import inlet, standard
from payments.providers.base import Inbound, Reason, Rejected, Verified
from tests.payments.providers.example import Correction, Sale, minor
from tests.payments.providers.test_inlet import (
    EXAMPLE,
    NOON,
    OTHER,
    SECRET,
    TILL,
    keys,
    payload,
    read,
)

FORM = Recipe(
    shape="form",
    scheme="form",
    signature_field="sign",
    reference="/trade",
    amount="/cents",
    unit="minor",
    fixed_currency="HKD",
)


def form(*, scheme: str = "form", **fields: str) -> Inbound:
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value)
    if scheme == "form":
        sign = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    else:
        sign = hashlib.sha256(f"{text}&key={SECRET}".encode()).hexdigest().upper()
    body = urlencode(fields | {"sign": sign}).encode()
    return Inbound("POST", "/", {}, body, received_at=NOON)


STATES = replace(
    FORM,
    scheme="form_key",
    fixed_currency="",
    currency="/currency",
    time="/at",
    time_format="seconds",
    status="/state",
    paid_values="1",
    refunded_values="2",
    refund_reference="/refund",
    member="/member",
)


def told(sale: Sale, amount: Decimal, at: datetime, **more: str) -> Inbound:
    return form(
        scheme="form_key",
        trade=sale.ref,
        cents=str(minor(amount, 2)),
        currency=sale.money.currency,
        at=str(int(at.timestamp())),
        **more,
    )


def paid_by_form(sale: Sale, state: str = "1") -> Inbound:
    return told(sale, sale.money.amount, sale.at, state=state, member=sale.member_code)


def refunded_by_form(refund: Correction) -> Inbound:
    return told(refund.sale, refund.amount, refund.at, state="2", refund=refund.ref)


def resigned_form(request: Inbound, _at: datetime) -> Inbound:
    fields = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
    return form(scheme="form_key", **{k: v for k, v in fields.items() if k != "sign"})


def vouched_form(request: Inbound) -> object:
    """Its fields that are not empty, in order; how a letter is escaped is no matter."""
    pairs = parse_qsl(request.body.decode("latin-1"), encoding="latin-1")
    return sorted((n, value.strip().lower() if n == "sign" else value) for n, value in pairs)


TOKEN = replace(
    TILL, scheme="token", signature_header="Authorization", prefix="Bearer ", stamp_header=""
)
WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET = (
    "whsec_" + base64.b64encode(text).decode()
    for text in (b"an inlet secret for testing", b"another inlet secret of tests")
)
WEBHOOK = replace(TILL, scheme="standard", signature_header="", prefix="", stamp_header="")


def with_token(request: Inbound, _at: datetime | None = None) -> Inbound:
    return replace(request, headers={"authorization": f"Bearer {SECRET}"})


def as_webhook(request: Inbound, at: datetime) -> Inbound:
    key = "msg_" + hashlib.sha256(request.body).hexdigest()
    headers = standard.sign(request.body, secret=WEBHOOK_SECRET, message_id=key, at=at)
    return replace(request, headers=headers)


def refund_of(refund: Correction) -> Inbound:
    assert EXAMPLE.refund is not None
    return EXAMPLE.refund(refund)


ALSO = (
    replace(
        EXAMPLE,
        variant="form",
        keys=keys(STATES),
        payment=paid_by_form,
        refund=refunded_by_form,
        currencies=("HKD",),
        signed_headers=(),
        form_is_loose=True,
        later=tuple(partial(paid_by_form, state=state) for state in ("0", "3", "closed")),
        resign=resigned_form,
        vouched=vouched_form,
        other_keys=keys(STATES, OTHER),
    ),
    replace(
        EXAMPLE,
        variant="token",
        keys=keys(TOKEN),
        payment=lambda sale: with_token(EXAMPLE.payment(sale)),
        refund=lambda refund: with_token(refund_of(refund)),
        signed_headers=("authorization",),
        later=(),
        resign=with_token,
        vouched=lambda request: request.headers.get("authorization", "").split(),
        other_keys=keys(TOKEN, OTHER),
    ),
    replace(
        EXAMPLE,
        variant="webhook",
        keys=keys(WEBHOOK, WEBHOOK_SECRET),
        payment=lambda sale: as_webhook(EXAMPLE.payment(sale), sale.at),
        refund=lambda refund: as_webhook(refund_of(refund), refund.at),
        signed_headers=("webhook-id", "webhook-timestamp", "webhook-signature"),
        later=(),
        resign=as_webhook,
        vouched=lambda request: (
            request.headers.get("webhook-id"),
            request.headers.get("webhook-timestamp"),
            request.body,
        ),
        other_keys=keys(WEBHOOK, OTHER_WEBHOOK_SECRET),
    ),
)


@pytest.mark.parametrize("scheme", ["form", "form_key"])
def test_a_form_is_signed_by_its_sorted_fields(scheme: str) -> None:
    recipe = replace(FORM, scheme=scheme)
    request = form(scheme=scheme, trade="T 1/é", cents="9550", note="")
    bare = replace(request, body=request.body.partition(b"&sign=")[0])

    verdict = inlet.verify(request, keys(recipe), NOON)

    assert verdict == Verified("sha256:" + hashlib.sha256(request.body).hexdigest())
    assert read(request, recipe).amount == Money(Decimal("95.50"), "HKD")
    assert read(request, recipe).occurred_at == NOON
    assert inlet.verify(bare, keys(recipe), NOON) == Rejected(Reason.MISSING_SIGNATURE)
    other = replace(request, body=request.body.replace(b"9550", b"9551"))
    assert inlet.verify(other, keys(recipe), NOON) == Rejected(Reason.BAD_SIGNATURE)


def test_a_value_that_could_be_two_fields_is_refused() -> None:
    verdict = inlet.verify(form(trade="T1&cents=1", cents="9550"), keys(FORM), NOON)

    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.MALFORMED


def test_a_shared_token_must_be_the_same() -> None:
    recipe = replace(TILL, scheme="token", signature_header="Authorization", prefix="Bearer ")
    stamp = {"x-till-time": str(int(NOON.timestamp()))}

    def verdict(given: str) -> object:
        headers = {"authorization": given} | stamp
        return inlet.verify(Inbound("POST", "/", headers, payload("paid")), keys(recipe), NOON)

    assert verdict(f"Bearer {SECRET}") == Verified("evt-0001")
    assert verdict(f"Bearer {SECRET}x") == Rejected(Reason.BAD_SIGNATURE)
    assert verdict(SECRET) == Rejected(Reason.MISSING_SIGNATURE)
    assert verdict("Bearer ") == Rejected(Reason.MISSING_SIGNATURE)


def test_standard_webhooks_are_left_to_their_own_module() -> None:
    secret = inlet.make_secret()
    body = payload("paid")
    headers = standard.sign(body, secret=secret, message_id="msg_1", at=NOON)
    recipe = replace(TILL, scheme="standard")

    verdict = inlet.verify(Inbound("POST", "/", headers, body), keys(recipe, secret), NOON)

    assert verdict == Verified("msg_1")
