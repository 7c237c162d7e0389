"""Airwallex: stamps in milliseconds, amounts as JSON numbers, refunds in any order."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from kit.money import Money
from kit.signatures import UnusableSecret
from payments.providers import airwallex
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    MalformedPayload,
    Notice,
    Outcome,
    Reason,
    Rejected,
    Verified,
)
from tests.payments.providers.example import Correction, Example, Sale, url_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "airwallex"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "whsec_airwallex-test-secret-only"
OTHER = "whsec_another-airwallex-test-only"
KEYS = Keys((SECRET,))
INTENT = "int_test_only_0001"


def headers_of(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    stamp = str(int(at.timestamp() * 1000))
    mac = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256)
    return {"x-timestamp": stamp, "x-signature": mac.hexdigest()}


def post(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> Inbound:
    return Inbound("POST", url_of("airwallex"), headers_of(body, secret=secret, at=at), body)


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def event(file: str, **changes: Any) -> Inbound:
    told = payload(file)
    told["name"] = changes.pop("name", told["name"])
    told["data"]["object"].update(changes)
    return post(json.dumps(told).encode())


def read(file: str, **changes: Any) -> list[Notice]:
    notices = airwallex.read(event(file, **changes), KEYS)
    assert isinstance(notices, list)
    return notices


def reason_of(request: Inbound, keys: Keys = KEYS) -> Reason | None:
    verdict = airwallex.verify(request, keys, NOW)
    return verdict.reason if isinstance(verdict, Rejected) else None


def balance(notices: list[Notice]) -> Decimal:
    """What is taken back, from effects that are each kept once."""
    once = {(n.kind, n.effect_ref): n for n in notices}
    signs = {Kind.REFUND: 1, Kind.CHARGEBACK: 1, Kind.REVERSAL: -1, Kind.PAYMENT: 0}
    return sum((signs[n.kind] * n.amount.amount for n in once.values()), Decimal(0))


def example_event(name: str, at: datetime, amount: Decimal, **changes: Any) -> Inbound:
    told = payload(name)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S+0000")
    state = changes.pop("state", told["name"].rpartition(".")[2])
    told["name"] = f"{told['name'].rpartition('.')[0]}.{state}"
    told["id"] = f"evt_{told['name']}-{changes['id']}"
    told["data"]["object"].update(changes, created_at=stamp, updated_at=stamp)
    for field in ("amount", "captured_amount"):
        if field in told["data"]["object"]:
            told["data"]["object"][field] = "AMOUNT"
    return post(json.dumps(told).replace('"AMOUNT"', str(amount)).encode(), at=at)


def example_payment(sale: Sale, state: str = "succeeded") -> Inbound:
    return example_event(
        "payment_intent.succeeded",
        sale.at,
        sale.money.amount,
        state=state,
        id=sale.ref,
        currency=sale.money.currency,
        merchant_order_id=sale.order_ref,
        metadata={"member_id": sale.member_code},
        customer_id=f"cus_{sale.ref}",
        customer={},
        latest_payment_attempt={},
    )


def example_correction(name: str, told: Correction) -> Inbound:
    return example_event(
        name,
        told.at,
        told.amount,
        id=told.ref,
        payment_intent_id=told.sale.ref,
        currency=told.sale.money.currency,
    )


def resigned(request: Inbound, at: datetime) -> Inbound:
    return post(request.body, at=at)


EXAMPLE = Example(
    code="airwallex",
    keys=Keys((SECRET,), {"account_id": "acct_test_only"}),
    payment=example_payment,
    refund=lambda told: example_correction("refund.accepted", told),
    chargeback=lambda told: example_correction("payment_dispute.requires_response", told),
    reversal=lambda told: example_correction("payment_dispute.won", told),
    currencies=("HKD", "JPY"),
    signed_headers=("x-timestamp", "x-signature"),
    later=tuple(
        partial(example_payment, state=state)
        for state in (
            "created",
            "requires_capture",
            "pending",
            "cancelled",
            "requires_payment_method",
        )
    ),
    resign=resigned,
    other_keys=Keys((OTHER,)),
)


def test_an_event_is_verified_under_its_id() -> None:
    assert airwallex.verify(event("refund.accepted"), KEYS, NOW) == Verified(
        "evt_test_only_refund.accepted"
    )


def test_old_and_new_secret_both_hold_while_one_replaces_the_other() -> None:
    by_old = post(b'{"id": "evt_1"}', secret=OTHER)

    assert reason_of(by_old, Keys((SECRET, OTHER))) is None
    assert reason_of(by_old) == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-301, Reason.TOO_OLD), (301, Reason.TOO_NEW), (-300, None), (300, None)],
)
def test_the_stamp_may_be_five_minutes_off_both_ways(seconds: int, reason: Reason | None) -> None:
    request = post(b'{"id": "evt_1"}', at=NOW + timedelta(seconds=seconds))

    assert reason_of(request) == reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("x-timestamp", "", Reason.MISSING_SIGNATURE),
        ("x-timestamp", "1795262399000", Reason.BAD_SIGNATURE),
        ("x-timestamp", "1e12", Reason.MALFORMED),
        ("x-timestamp", "-5", Reason.MALFORMED),
        ("x-timestamp", "9" * 400, Reason.MALFORMED),
        ("x-timestamp", "١٢٣", Reason.MALFORMED),
        ("x-signature", "", Reason.MISSING_SIGNATURE),
        ("x-signature", "0" * 64, Reason.BAD_SIGNATURE),
        ("x-signature", "簽\udc80", Reason.BAD_SIGNATURE),
    ],
)
def test_headers_that_are_not_right_are_refused(name: str, value: str, reason: Reason) -> None:
    request = post(b'{"id": "evt_1"}')

    assert reason_of(replace(request, headers={**request.headers, name: value})) == reason


def test_a_stamp_in_seconds_is_not_taken_for_milliseconds() -> None:
    body, stamp = b'{"id": "evt_1"}', str(int(NOW.timestamp()))
    mac = hmac.new(SECRET.encode(), stamp.encode() + body, hashlib.sha256)
    headers = {"x-timestamp": stamp, "x-signature": mac.hexdigest()}

    assert reason_of(Inbound("POST", "/", headers, body)) == Reason.TOO_OLD


@pytest.mark.parametrize("secrets", [(), ("",), (" ",)])
def test_an_account_without_a_secret_refuses(secrets: tuple[str, ...]) -> None:
    request = post(b'{"id": "evt_1"}', secret=secrets[0] if secrets else "")

    assert reason_of(request, Keys(secrets)) == Reason.NO_SECRET


@pytest.mark.parametrize("field", ["account_id", "accountId"])
@pytest.mark.parametrize(
    ("wanted", "reason"),
    [("", None), ("acct_test_only", None), ("acct_other", Reason.OTHER_MERCHANT)],
)
def test_notices_for_other_accounts_are_refused(
    field: str, wanted: str, reason: Reason | None
) -> None:
    request = post(json.dumps({"id": "evt_1", field: "acct_test_only"}).encode())

    assert reason_of(request, Keys((SECRET,), {"account_id": wanted})) == reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id": 5}', b'{"id":"a","id":"b"}'])
def test_a_genuine_post_without_an_id_is_refused(body: bytes) -> None:
    assert reason_of(post(body)) == Reason.MALFORMED


def test_a_payment_is_read() -> None:
    assert read("payment_intent.succeeded") == [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=INTENT,
            effect_ref=INTENT,
            amount=Money(Decimal("88.80"), "HKD"),
            occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
            order_ref="WEB-1001",
            member_code="M4K7Q2Z9P",
            store_code="online",
            method="card",
            clues=(
                Clue("airwallex_customer", "cus_test_only_mei"),
                Clue("email", "mei@example.com"),
                Clue("airwallex_card", "TestOnlyPrint"),
            ),
            payer_country="SG",
        )
    ]


def test_what_was_captured_counts_not_what_was_asked_for() -> None:
    (partial,) = read("payment_intent.succeeded", amount=88.8, captured_amount=60)
    (whole,) = read("payment_intent.succeeded", amount=88.8, captured_amount=0)

    assert partial.amount == Money(Decimal("60.00"), "HKD")
    assert whole.amount == Money(Decimal("88.80"), "HKD")


def test_amounts_never_pass_through_binary_fractions() -> None:
    body = json.dumps(payload("payment_intent.succeeded")).replace("88.8,", "900719925474.09,")

    notices = airwallex.read(post(body.encode()), KEYS)

    assert isinstance(notices, list)
    assert notices[0].amount == Money(Decimal("900719925474.09"), "HKD")


@pytest.mark.parametrize("offset", ["+0000", "+00:00", "Z"])
def test_a_time_may_have_its_offset_in_any_form(offset: str) -> None:
    (payment,) = read("payment_intent.succeeded", updated_at=f"2026-11-21T11:23:46{offset}")

    assert payment.occurred_at == datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC)


def test_a_refund_counts_once_accepted_and_settled() -> None:
    accepted, settled = read("refund.accepted"), read("refund.accepted", name="refund.settled")

    assert accepted == settled
    assert [(n.kind, n.payment_ref, n.effect_ref) for n in accepted] == [
        (Kind.REFUND, INTENT, "rfd_test_only_0001")
    ]


def test_a_refund_that_fails_later_leaves_nothing_in_every_order() -> None:
    told = [read("refund.accepted"), read("refund.failed"), read("refund.accepted")]

    for order in permutations(told):
        assert balance([notice for notices in order for notice in notices]) == 0


def test_a_dispute_that_is_won_leaves_nothing_and_a_second_round_takes_again() -> None:
    opened, won = read("payment_dispute.requires_response"), read("payment_dispute.won")
    second = read("payment_dispute.won", name="payment_dispute.lost", stage="PRE_ARBITRATION")

    assert balance(opened) == Decimal("88.80")
    assert balance(opened + won) == balance(won) == 0
    for order in permutations([opened, won, second]):
        assert balance([notice for notices in order for notice in notices]) == Decimal("88.80")


@pytest.mark.parametrize(
    ("stage", "change", "taken"),
    [
        ("RFI", "requires_response", None),
        ("RFI", "accepted", None),
        ("PRE_CHARGEBACK", "requires_response", None),
        ("PRE_CHARGEBACK", "accepted", "88.80"),
        ("CHARGEBACK", "challenged", "88.80"),
        ("CHARGEBACK", "lost", "88.80"),
        ("PRE_ARBITRATION", "requires_response", "88.80"),
        ("PRE_CHARGEBACK", "won", "0"),
        ("CHARGEBACK", "reversed", "0"),
    ],
)
def test_the_stage_of_a_dispute_says_whether_the_money_is_gone(
    stage: str, change: str, taken: str | None
) -> None:
    request = event("payment_dispute.won", name=f"payment_dispute.{change}", stage=stage)

    found = airwallex.read(request, KEYS)

    if taken is None:
        assert found == Ignored("dispute_without_money")
    else:
        assert isinstance(found, list)
        assert balance(found) == Decimal(taken)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("payment_intent.created", "not_paid_yet"),
        ("payment_intent.requires_capture", "not_paid_yet"),
        ("refund.received", "refund_not_under_way"),
        ("payment_attempt.paid", "unused_event"),
        ("deposit.settled", "unused_event"),
    ],
)
def test_other_events_move_no_money(name: str, reason: str) -> None:
    assert airwallex.read(event("refund.accepted", name=name), KEYS) == Ignored(reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"captured_amount": -1},
        {"captured_amount": "88.80"},
        {"captured_amount": True},
        {"captured_amount": 88.801},
        {"captured_amount": 1e300},
        {"captured_amount": 0, "amount": 0},
        {"currency": "JPY"},
        {"currency": "ZZZ"},
        {"id": ""},
        {"updated_at": "yesterday"},
        {"updated_at": None, "created_at": None},
        {"latest_payment_attempt": "none"},
    ],
)
def test_values_that_cannot_be_true_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        airwallex.read(event("payment_intent.succeeded", **changes), KEYS)


@pytest.mark.parametrize(
    "changes",
    [{"metadata": None}, {"customer": None}, {"merchant_order_id": 7}, {"customer_id": "\x00"}],
)
def test_a_useless_side_remark_does_not_hold_up_the_money(changes: dict[str, Any]) -> None:
    assert read("payment_intent.succeeded", **changes)[0].amount.amount == Decimal("88.80")


def test_the_answer_is_200_and_no_other_success() -> None:
    statuses = {outcome: airwallex.acknowledge(outcome).status for outcome in Outcome}

    assert statuses == {
        Outcome.ACCEPTED: 200,
        Outcome.DUPLICATE: 200,
        Outcome.REFUSED: 400,
    }


@pytest.mark.parametrize("secret", ["", "short", "with blanks in the middle"])
def test_staff_cannot_enter_a_secret_that_protects_nothing(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        airwallex.check_secret(secret)

    airwallex.check_secret(SECRET)
