"""Square's other ways of saying it: wallets, order numbers, disputes of older versions."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

from payments.providers.base import Inbound
from tests.payments.providers.example import Correction, Sale, url_of
from tests.payments.providers.test_square import (
    EXAMPLE,
    OTHER,
    example_correction,
    read,
    signature,
)

URL = url_of("square", "wallet")


def sent(told: dict[str, Any]) -> Inbound:
    return signed(json.dumps(told).encode())


def signed(body: bytes) -> Inbound:
    return Inbound("POST", URL, {"x-square-hmacsha256-signature": signature(body, url=URL)}, body)


def by_wallet(sale: Sale) -> Inbound:
    """Told at once as completed, to the nanosecond, with the shop's own order number."""
    told = json.loads(EXAMPLE.payment(sale).body) | {"type": "payment.created"}
    told["data"]["object"]["payment"] |= {
        "source_type": "WALLET",
        "wallet_details": {"brand": "ALIPAY"},
        "reference_id": sale.order_ref,
        "created_at": sale.at.strftime("%Y-%m-%dT%H:%M:%S.039337943Z"),
    }
    return sent(told)


def told_as(name: str, file: str, correction: Correction) -> Inbound:
    told = json.loads(example_correction(file, correction).body) | {"type": name}
    told["event_id"] = None
    inner = told["data"]["object"][told["data"]["type"]]
    if "dispute_id" in inner:
        inner["dispute_id"] = inner.pop("id")
        del inner["updated_at"]
    return sent(told)


ALSO = (
    replace(
        EXAMPLE,
        variant="wallet",
        keys=replace(EXAMPLE.keys, settings={"merchant_id": "TESTONLYMERCHANT"}, url=URL),
        payment=by_wallet,
        refund=partial(told_as, "refund.created", "refund.updated"),
        chargeback=partial(told_as, "dispute.state.changed", "dispute.created"),
        reversal=partial(told_as, "dispute.state.changed", "dispute.state.updated"),
        later=(),
        resign=lambda request, _at: signed(request.body),
        other_keys=replace(EXAMPLE.keys, secrets=(OTHER,), url=URL),
    ),
)


def test_a_wallet_and_a_card_differ_in_nothing_but_the_method() -> None:
    (card,) = read("payment.updated")
    (wallet,) = read("payment.updated", source_type="WALLET", wallet_details={"brand": "ALIPAY"})

    assert replace(wallet, method="card") == replace(card, method="card")
    assert (wallet.method, card.method) == ("alipay", "card")
