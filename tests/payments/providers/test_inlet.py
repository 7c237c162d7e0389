"""The inlet without code: what a recipe says is signed is signed, and is read where it says."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit.money import Money
from payments.inlet_recipe import Recipe
from payments.providers import inlet
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    NoticeLine,
    Outcome,
    Reason,
    Rejected,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale

PAYLOADS = Path(__file__).parents[2] / "payloads" / "inlet"
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)
SECRET = "a-test-secret-and-nothing-else"
OTHER = "another-test-secret-0123456789"
TILL = Recipe(
    scheme="dotted",
    signature_header="X-Till-Signature",
    prefix="sha256=",
    stamp_header="X-Till-Time",
    delivery="/event_id",
    reference="/bill/no",
    amount="/bill/total",
    currency="/bill/currency",
    time="/bill/closed_at",
    time_format="clock",
    status="/status",
    paid_values="paid, CLOSED",
    refunded_values="refunded",
    refund_reference="/refund_no",
    refund_amount="/refund_sum",
    order="/bill/no",
    member="/customer/card",
    payer="/customer/phone",
    store="/shop",
    method="/pay_type",
    lines="/bill/items",
    line_sku="code",
    line_quantity="qty",
    line_amount="sum",
    line_name="title",
    reply_body='{"ok": true}',
)


def keys(recipe: Recipe = TILL, *secrets: str) -> Keys:
    return Keys(secrets or (SECRET,), {"recipe": recipe.dump()})


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def post(body: bytes, *, at: datetime = NOON, secret: str = SECRET) -> Inbound:
    stamp = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"x-till-signature": f"sha256={mac}", "x-till-time": stamp}
    return Inbound("POST", "/callbacks/inlet/token/", headers, body)


def changed(name: str, **changes: Any) -> bytes:
    tree = json.loads(payload(name))
    tree["bill"] |= changes.pop("bill", {})
    return json.dumps(tree | changes).encode()


def read(request: Inbound, recipe: Recipe = TILL) -> Notice:
    found = inlet.read(request, keys(recipe))
    assert isinstance(found, list)
    assert len(found) == 1
    return found[0]


def told(at: datetime, status: str, **more: Any) -> Inbound:
    bill = {
        "no": more.pop("ref"),
        "total": str(more.pop("amount")),
        "currency": more.pop("currency"),
        "closed_at": (at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S"),
    }
    body = json.dumps({"status": status, "bill": bill, **more}).encode()
    return post(body, at=at)


def payment_of(sale: Sale, status: str = "PAID") -> Inbound:
    money = sale.money
    return told(
        sale.at,
        status,
        ref=sale.ref,
        amount=money.amount,
        currency=money.currency,
        customer={"card": sale.member_code},
    )


def refund_of(refund: Correction) -> Inbound:
    sale = refund.sale
    return told(
        refund.at,
        "REFUNDED",
        ref=sale.ref,
        amount=sale.money.amount,
        currency=sale.money.currency,
        refund_no=refund.ref,
        refund_sum=str(refund.amount),
    )


def resigned(request: Inbound, at: datetime) -> Inbound:
    return post(request.body, at=at)


EXAMPLE = Example(
    code="inlet",
    keys=keys(),
    payment=payment_of,
    refund=refund_of,
    currencies=("HKD", "JPY"),
    signed_headers=("x-till-signature", "x-till-time"),
    later=tuple(partial(payment_of, status=status) for status in ("open", "void", "expired")),
    resign=resigned,
    vouched=lambda request: (
        request.headers.get("x-till-signature", "").lower().split(),
        request.headers.get("x-till-time", "").split(),
        request.body,
    ),
    other_keys=keys(TILL, OTHER),
)


def test_a_till_is_read_as_its_recipe_says() -> None:
    request = post(payload("paid"))

    assert inlet.verify(request, keys(), NOON) == Verified("evt-0001")
    assert read(request) == Notice(
        kind=Kind.PAYMENT,
        payment_ref="B-20261121-17",
        effect_ref="B-20261121-17",
        amount=Money(Decimal("95.50"), "HKD"),
        occurred_at=NOON,
        order_ref="B-20261121-17",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="octopus",
        clues=(Clue("phone", "+85255550100"),),
        lines=(
            NoticeLine("LATTE", Decimal(2), Decimal("80.00"), "Latte"),
            NoticeLine("SCONE", Decimal(1), Decimal("15.50"), "Scone"),
        ),
    )


def test_a_refund_has_its_own_number_and_amount() -> None:
    notice = read(post(payload("refund")))

    assert (notice.kind, notice.payment_ref, notice.effect_ref) == (
        Kind.REFUND,
        "B-20261121-17",
        "R-0001",
    )
    assert notice.amount == Money(Decimal("15.50"), "HKD")
    assert not notice.is_total


def test_a_refund_without_number_is_the_total_so_far() -> None:
    recipe = replace(TILL, refund_reference="", refund_means="total")

    notice = read(post(payload("refund")), recipe)

    assert notice.is_total
    assert notice.effect_ref == "B-20261121-17:15.50"


def test_a_state_that_is_neither_moves_no_money() -> None:
    request = post(changed("paid", status="VOID"))

    assert inlet.read(request, keys()) == Ignored("other_status")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize(
    ("scheme", "content"),
    [
        ("body", "{body}"),
        ("dotted", "{stamp}.{body}"),
        ("joined", "{stamp}{body}"),
    ],
)
def test_each_way_of_signing_with_hmac(
    scheme: str, content: str, algorithm: str, encoding: str
) -> None:
    recipe = replace(TILL, scheme=scheme, algorithm=algorithm, encoding=encoding, prefix="")
    body, stamp = payload("paid"), str(int(NOON.timestamp()))
    text = content.format(stamp=stamp, body=body.decode()).encode()
    digest = hmac.digest(SECRET.encode(), text, algorithm)
    given = digest.hex().upper() if encoding == "hex" else base64.b64encode(digest).decode()
    request = Inbound("POST", "/", {"x-till-signature": given, "x-till-time": stamp}, body)

    assert inlet.verify(request, keys(recipe), NOON) == Verified("evt-0001")
    assert inlet.verify(request, keys(recipe, OTHER, SECRET), NOON) == Verified("evt-0001")
    assert inlet.verify(request, keys(recipe, OTHER), NOON) == Rejected(Reason.BAD_SIGNATURE)
    forged = replace(request, body=body + b" ")
    assert inlet.verify(forged, keys(recipe), NOON) == Rejected(Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(("seconds", "reason"), [(-301, Reason.TOO_OLD), (301, Reason.TOO_NEW)])
def test_a_stamp_that_is_far_off_is_refused(seconds: int, reason: Reason) -> None:
    request = post(payload("paid"), at=NOON + timedelta(seconds=seconds))

    assert inlet.verify(request, keys(), NOON) == Rejected(reason, f"{-seconds} s")


def test_milliseconds_are_seconds_and_three_digits() -> None:
    recipe = replace(TILL, scheme="body", stamp_unit="milliseconds", prefix="")
    stamp = str(int(NOON.timestamp() * 1000))
    mac = hmac.new(SECRET.encode(), payload("paid"), hashlib.sha256).hexdigest()
    headers = {"x-till-signature": mac, "x-till-time": stamp}

    verdict = inlet.verify(Inbound("POST", "/", headers, payload("paid")), keys(recipe), NOON)

    assert verdict == Verified("evt-0001")


def test_nothing_is_taken_until_the_fields_are_set_up() -> None:
    for settings in ({}, {"recipe": ""}, {"recipe": "[]"}, {"recipe": '{"version": 99}'}):
        account = Keys((SECRET,), settings)

        assert inlet.verify(post(payload("paid")), account, NOON) == Rejected(Reason.NOT_SET_UP)
        with pytest.raises(MalformedPayload):
            inlet.read(post(payload("paid")), account)


def test_nothing_is_taken_without_a_secret() -> None:
    for secrets in ((), ("",), ("short",)):
        account = Keys(secrets, {"recipe": TILL.dump()})

        assert inlet.verify(post(payload("paid")), account, NOON) == Rejected(Reason.NO_SECRET)


@pytest.mark.parametrize(
    ("bill", "recipe"),
    [
        ({"total": "1,000.00"}, TILL),
        ({"total": "-5"}, TILL),
        ({"total": "0"}, TILL),
        ({"total": "NaN"}, TILL),
        ({"total": "95.505"}, TILL),
        ({"total": True}, TILL),
        ({"total": {"value": 1}}, TILL),
        ({"total": None}, TILL),
        ({"total": "95.5"}, replace(TILL, unit="minor")),
        ({"currency": "HK$"}, TILL),
        ({"no": ""}, TILL),
        ({"no": "x" * 101}, TILL),
        ({"closed_at": "2026-11-31 12:00:00"}, TILL),
        ({"closed_at": "21/11/2026"}, TILL),
        ({"closed_at": "2026-11-21 12:00:00"}, replace(TILL, time_format="iso")),
        ({"closed_at": "99999999999999"}, replace(TILL, time_format="seconds")),
        ({"items": [{"code": "A", "sum": "x"}]}, TILL),
        ({"items": [{"code": "A", "qty": 0, "sum": "1.00"}]}, TILL),
        ({"items": ["A"]}, TILL),
    ],
)
def test_what_cannot_be_money_is_malformed(bill: dict[str, Any], recipe: Recipe) -> None:
    with pytest.raises(MalformedPayload):
        inlet.read(post(changed("paid", bill=bill)), keys(recipe))


def test_a_useless_side_remark_does_not_hold_up_money() -> None:
    body = changed("paid", customer={"card": ["?"], "phone": "\0"}, shop={}, pay_type="y" * 99)

    notice = read(post(body))

    assert (notice.member_code, notice.clues, notice.store_code, notice.method) == ("", (), "", "")
    assert notice.amount == Money(Decimal("95.50"), "HKD")


@pytest.mark.parametrize(
    ("time_format", "written"),
    [
        ("iso", "2026-11-21T12:00:00+08:00"),
        ("clock", "2026-11-21 12:00:00"),
        ("clock", "2026-11-21T12:00:00"),
        ("seconds", int(NOON.timestamp())),
        ("milliseconds", str(int(NOON.timestamp() * 1000))),
    ],
)
def test_each_way_of_writing_a_time(time_format: str, written: object) -> None:
    recipe = replace(TILL, time_format=time_format)

    assert read(post(changed("paid", bill={"closed_at": written})), recipe).occurred_at == NOON


def test_the_reply_is_what_the_other_system_waits_for() -> None:
    account = keys(replace(TILL, reply_status="201", reply_body="OK"))

    assert inlet.acknowledge_as(Outcome.ACCEPTED, account).status == 201
    assert inlet.acknowledge_as(Outcome.DUPLICATE, account).body == b"OK"
    assert inlet.acknowledge_as(Outcome.REFUSED, account).status == 400
    assert inlet.acknowledge_as(Outcome.ACCEPTED, keys()).content_type == "application/json"
