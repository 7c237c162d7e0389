"""Airwallex's other ways of saying it: cards and customers in objects, states by other names."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

from payments.providers.base import Inbound
from tests.payments.providers.example import Correction, Sale
from tests.payments.providers.test_airwallex import (
    EXAMPLE,
    example_correction,
    payload,
    post,
    read,
)


def with_card(sale: Sale) -> Inbound:
    """A card and a customer in objects of their own; nothing captured is said, nor an update."""
    told = json.loads(EXAMPLE.payment(sale).body)
    attempt = payload("payment_intent.succeeded")["data"]["object"]["latest_payment_attempt"]
    changes = {"customer": {"id": f"cus_{sale.ref}", "email": None}, "customer_id": None}
    told["data"]["object"] |= changes | {"captured_amount": 0, "latest_payment_attempt": attempt}
    del told["data"]["object"]["updated_at"]
    told["accountId"] = told.pop("account_id")
    return post(json.dumps(told).encode(), at=sale.at)


def told_as(name: str, file: str, told: Correction, **changes: Any) -> Inbound:
    event = json.loads(example_correction(file, told).body)
    event |= {"name": name, "id": f"{name}-{told.ref}"}
    event["data"]["object"] |= changes
    return post(json.dumps(event).encode(), at=told.at)


ALSO = (
    replace(
        EXAMPLE,
        variant="card",
        payment=with_card,
        refund=partial(told_as, "refund.settled", "refund.accepted"),
        chargeback=partial(told_as, "payment_dispute.lost", "payment_dispute.requires_response"),
        reversal=partial(told_as, "payment_dispute.reversed", "payment_dispute.won"),
        later=(),
        besides=(
            partial(told_as, "refund.failed", "refund.failed"),
            partial(
                told_as, "payment_dispute.lost", "payment_dispute.won", stage="PRE_ARBITRATION"
            ),
        ),
    ),
)


def test_the_same_payment_is_read_out_of_either_form() -> None:
    (whole,) = read("payment_intent.succeeded")
    (bare,) = read("payment_intent.succeeded", captured_amount=0, customer={"id": "cus_1"})

    assert replace(bare, clues=()) == replace(whole, clues=())
