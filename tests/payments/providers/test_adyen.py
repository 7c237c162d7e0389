"""Adyen's HMAC over eight fields, and how payments, refunds and disputes refer to each other."""

import base64
import hashlib
import hmac
import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kit.signatures import UnusableSecret
from payments.providers import adyen
from payments.providers.base import (
    Ignored,
    Inbound,
    Keys,
    Kind,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Reply,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, minor, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "adyen"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "0123456789ABCDEF" * 4
OTHER = "FEDCBA9876543210" * 4
PASSWORD = "adyen:a-password-for-tests"
BASIC = {"authorization": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}
KEYS = Keys((SECRET,))
VOUCHED = Keys((SECRET, PASSWORD))
MANUAL = Keys((SECRET,), {"capture": "manual"})
PAID = "TESTONLYPAID0001"


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def inner(told: dict[str, Any], place: int = 0) -> dict[str, Any]:
    item: dict[str, Any] = told["notificationItems"][place]["NotificationRequestItem"]
    return item


def written(value: Any) -> str:
    """As Adyen signs it: nothing for what is missing, true and false in small letters."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def signature(item: dict[str, Any], secret: str = SECRET) -> str:
    amount = item.get("amount") or {}
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    values = [item.get(name) for name in names]
    values += [amount.get("value"), amount.get("currency")]
    values += [item.get("eventCode"), item.get("success")]
    text = ":".join(written(value) for value in values)
    mac = hmac.new(bytes.fromhex(secret), text.encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def signed(told: dict[str, Any], secret: str = SECRET) -> dict[str, Any]:
    copy = deepcopy(told)
    for place in range(len(copy["notificationItems"])):
        item = inner(copy, place)
        item.setdefault("additionalData", {})["hmacSignature"] = signature(item, secret)
    return copy


def post(told: dict[str, Any], headers: dict[str, str] | None = None) -> Inbound:
    return Inbound("POST", url_of("adyen"), headers or {}, json.dumps(told).encode())


def notice(name: str, **changes: Any) -> Inbound:
    told = payload(name)
    inner(told).update(changes)
    return post(signed(told), BASIC)


def read(name: str, keys: Keys = VOUCHED, **changes: Any) -> list[Notice]:
    notices = adyen.read(notice(name, **changes), keys)
    assert isinstance(notices, list)
    return notices


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = adyen.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def brief(notices: list[Notice]) -> list[tuple[Kind, str, str]]:
    return [(n.kind, n.payment_ref, n.effect_ref) for n in notices]


def balance(notices: list[Notice]) -> Decimal:
    """What is taken back, from effects that are each kept once."""
    once = {(n.kind, n.effect_ref): n for n in notices}
    signs = {Kind.REFUND: 1, Kind.CHARGEBACK: 1, Kind.REVERSAL: -1, Kind.PAYMENT: 0}
    return sum((signs[n.kind] * n.amount.amount for n in once.values()), Decimal(0))


def example_post(name: str, sale: Sale, at: datetime, **changes: Any) -> Inbound:
    told = payload(name)
    places = {"IDR": 0, "ISK": 2}.get(sale.money.currency, 2)
    value = minor(changes.pop("amount", sale.money.amount), places)
    inner(told)["amount"] = {"currency": sale.money.currency, "value": value}
    inner(told).update(eventDate=at.isoformat(), merchantReference=sale.order_ref, **changes)
    return post(signed(told), BASIC)


def example_payment(sale: Sale) -> Inbound:
    extra = {"metadata.member_id": sale.member_code, "shopperReference": f"shopper-{sale.ref}"}
    return example_post(
        "authorisation", sale, sale.at, pspReference=sale.ref, additionalData=extra
    )


def example_correction(name: str, told: Correction) -> Inbound:
    return example_post(
        name,
        told.sale,
        told.at,
        amount=told.amount,
        pspReference=told.ref,
        originalReference=told.sale.ref,
    )


def example_later(event: str, sale: Sale, success: str = "false", **changes: Any) -> Inbound:
    return example_post(
        "authorisation",
        sale,
        sale.at,
        eventCode=event,
        success=success,
        pspReference=sale.ref,
        **changes,
    )


def example_modification(event: str, sale: Sale, success: str = "true") -> Inbound:
    own = {"eventCode": event, "success": success, "pspReference": f"{event[:9]}-{sale.ref}"}
    return example_post("capture", sale, sale.at, originalReference=sale.ref, **own)


def resigned(request: Inbound, _at: datetime) -> Inbound:
    return replace(request, body=json.dumps(signed(json.loads(request.body))).encode())


def vouched(request: Inbound) -> object:
    """The eight fields of each item, and what the account compares beside them."""
    told = json.loads(request.body)
    signatures = [signature(inner(told, n)) for n in range(len(told["notificationItems"]))]
    return written(told["live"]), signatures


EXAMPLE = Example(
    code="adyen",
    keys=Keys((SECRET, PASSWORD), {"merchant_account": "KowloonCoffeeECOM"}),
    payment=example_payment,
    refund=lambda told: example_correction("refund", told),
    chargeback=lambda told: example_correction("chargeback", told),
    reversal=lambda told: example_correction("chargeback_reversed", told),
    currencies=("HKD", "IDR"),
    signed_headers=("authorization",),
    later=(
        lambda sale: example_later("PENDING", sale, "true"),
        lambda sale: example_later("AUTHORISATION", sale),
        lambda sale: example_later("OFFER_CLOSED", sale, "true"),
        lambda sale: example_modification("CAPTURE", sale),
        lambda sale: example_modification("CAPTURE", sale, "false"),
        lambda sale: example_modification("CANCELLATION", sale, "false"),
        lambda sale: example_modification("REFUND", sale, "false"),
        lambda sale: example_modification("EXPIRE", sale),
    ),
    resign=resigned,
    vouched=vouched,
    other_keys=Keys((OTHER, PASSWORD)),
)


def test_an_item_is_verified_under_its_event_reference_and_success() -> None:
    verdict = adyen.verify(notice("authorisation"), KEYS, NOW)

    assert verdict == Verified(f"AUTHORISATION:{PAID}:true")


def test_old_and_new_key_both_hold_while_one_replaces_the_other() -> None:
    by_old = post(signed(payload("authorisation"), OTHER))

    assert reason_of(by_old, Keys((SECRET, OTHER))) is None
    assert reason_of(by_old) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize("reference", ["\\\\a", ":a:b", "//a", "\\:/\\/a", "訂單 1", "", " x "])
def test_the_merchants_reference_is_signed_as_it_stands(reference: str) -> None:
    assert reason_of(notice("authorisation", merchantReference=reference)) is None


@pytest.mark.parametrize("field", ["pspReference", "merchantAccountCode", "originalReference"])
def test_a_colon_elsewhere_could_shift_the_fields_and_is_refused(field: str) -> None:
    assert reason_of(notice("refund", **{field: "a:b"})) == Reason.MALFORMED


def test_the_signed_text_cannot_be_cut_up_into_other_fields() -> None:
    told = signed(payload("authorisation"))
    whole = f"{PAID}::KowloonCoffeeECOM"
    inner(told).update(pspReference=PAID, originalReference="", merchantAccountCode="")
    inner(told)["merchantReference"] = f"{whole}:WEB-1001".removeprefix(f"{PAID}::")

    assert reason_of(post(told)) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_forged_item_spoils_the_post_wherever_it_stands(place: int) -> None:
    told = payload("authorisation")
    told["notificationItems"] += payload("refund")["notificationItems"]
    told["notificationItems"] += payload("chargeback")["notificationItems"]
    told = signed(told)
    inner(told, place)["amount"]["value"] = 99900

    assert reason_of(post(told)) == Reason.BAD_SIGNATURE


def test_an_item_without_a_signature_beside_a_good_one_is_refused() -> None:
    told = signed(payload("authorisation"))
    told["notificationItems"] += payload("refund")["notificationItems"]

    assert reason_of(post(told)) == Reason.MISSING_SIGNATURE


def test_several_items_are_one_delivery_with_several_effects() -> None:
    told = payload("authorisation")
    told["notificationItems"] += payload("refund")["notificationItems"]
    other_way = {**told, "notificationItems": told["notificationItems"][::-1]}
    request = post(signed(told))

    verdict = adyen.verify(request, KEYS, NOW)
    again = adyen.verify(post(signed(other_way)), KEYS, NOW)
    notices = adyen.read(request, KEYS)

    assert verdict == again
    assert isinstance(verdict, Verified)
    assert verdict.delivery_key.startswith("sha256:")
    assert isinstance(notices, list)
    assert [n.kind for n in notices] == [Kind.PAYMENT, Kind.REFUND]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, None),
        ({"environment": "live"}, None),
        ({"environment": "test"}, Reason.OTHER_MERCHANT),
        ({"merchant_account": "KowloonCoffeeECOM"}, None),
        ({"merchant_account": "Other, KowloonCoffeeECOM"}, None),
        ({"merchant_account": "Other"}, Reason.OTHER_MERCHANT),
    ],
)
def test_only_notices_for_this_account_are_taken(
    settings: dict[str, str], reason: Reason | None
) -> None:
    assert reason_of(notice("authorisation"), Keys((SECRET,), settings)) == reason


def test_a_test_notice_never_counts_in_a_live_account() -> None:
    told = {**signed(payload("authorisation")), "live": "false"}

    assert reason_of(post(told)) == Reason.OTHER_MERCHANT
    assert reason_of(post(told), Keys((SECRET,), {"environment": "test"})) is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (BASIC["authorization"], None),
        (BASIC["authorization"].replace("Basic", "basic"), None),
        ("", Reason.MISSING_SIGNATURE),
        ("Basic", Reason.BAD_SIGNATURE),
        ("Basic ====", Reason.BAD_SIGNATURE),
        ("Basic 簽名", Reason.BAD_SIGNATURE),
        ("Basic " + base64.b64encode(b"adyen:other").decode(), Reason.BAD_SIGNATURE),
        (BASIC["authorization"].replace("Basic", "Bearer"), Reason.BAD_SIGNATURE),
    ],
)
def test_basic_authentication_is_demanded_where_the_account_has_one(
    header: str, reason: Reason | None
) -> None:
    request = replace(notice("authorisation"), headers={"authorization": header})

    assert reason_of(request, VOUCHED) == reason
    assert reason_of(request, KEYS) is None


def test_basic_authentication_does_not_stand_in_for_the_hmac() -> None:
    unsigned = post(payload("authorisation"), BASIC)

    assert reason_of(unsigned, VOUCHED) == Reason.MISSING_SIGNATURE
    assert reason_of(notice("authorisation"), Keys((PASSWORD,))) == Reason.NO_SECRET


@pytest.mark.parametrize("secrets", [(), ("",), ("zz" * 32,), ("AB",)])
def test_an_account_without_a_usable_key_refuses(secrets: tuple[str, ...]) -> None:
    assert reason_of(notice("authorisation"), Keys(secrets)) == Reason.NO_SECRET


def test_a_webhook_of_another_kind_is_signed_as_a_whole_and_ignored() -> None:
    body = b'{"type": "merchant.created"}'
    mac = hmac.new(bytes.fromhex(SECRET), body, hashlib.sha256).digest()
    request = Inbound("POST", "/", {"hmacsignature": base64.b64encode(mac).decode()}, body)

    assert reason_of(request) is None
    assert reason_of(replace(request, body=body + b" ")) == Reason.BAD_SIGNATURE
    assert reason_of(replace(request, headers={})) == Reason.MISSING_SIGNATURE
    assert adyen.read(request, KEYS) == Ignored("unused_event")


def test_a_signature_over_the_whole_does_not_vouch_for_unsigned_items() -> None:
    body = json.dumps(payload("authorisation")).encode()
    mac = hmac.new(bytes.fromhex(SECRET), body, hashlib.sha256).digest()
    request = Inbound("POST", "/", {"hmacsignature": base64.b64encode(mac).decode()}, body)

    assert reason_of(request) == Reason.MISSING_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'{"notificationItems": [{}]}', b'{"notificationItems": "x"}'),
        b'{"notificationItems": [{"NotificationRequestItem": {"additionalData": "x"}}]}',
        b'{"notificationItems": [{"NotificationRequestItem": {"amount": [1]}}]}',
    ],
)
def test_a_body_that_is_no_notification_is_malformed(body: bytes) -> None:
    assert reason_of(Inbound("POST", "/", {}, body)) == Reason.MALFORMED


def test_the_answer_is_the_word_that_older_set_ups_wait_for() -> None:
    assert {outcome: adyen.acknowledge(outcome) for outcome in Outcome} == {
        Outcome.ACCEPTED: Reply(200, b"[accepted]"),
        Outcome.DUPLICATE: Reply(200, b"[accepted]"),
        Outcome.REFUSED: Reply(400),
    }


@pytest.mark.parametrize("secret", ["", "AQE-an-api-key", "AB" * 31, "user:short", ":" + "x" * 20])
def test_staff_cannot_enter_a_secret_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        adyen.check_secret(secret)

    adyen.check_secret(SECRET.lower())
    adyen.check_secret(PASSWORD)
