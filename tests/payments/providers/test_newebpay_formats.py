"""NewebPay's results as text: what a merchant gets who asks for RespondType=String."""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from payments.providers import newebpay
from payments.providers.base import Inbound
from tests.payments.providers.example import Sale
from tests.payments.providers.test_newebpay import (
    EXAMPLE,
    KEYS,
    encrypted,
    example_result,
    key_of,
    payload,
    post,
    read,
    signed,
)


def as_text(told: dict[str, Any]) -> Inbound:
    flat = {name: value for name, value in told.items() if name != "Result"} | told["Result"]
    return signed(encrypted(urlencode(flat).encode()).hex())


def payment(sale: Sale, name: str = "payment", **changes: Any) -> Inbound:
    """The blank between date and time goes missing."""
    told = example_result(sale, name, **changes)
    if "PayTime" in told["Result"]:
        told["Result"]["PayTime"] = told["Result"]["PayTime"].replace(" ", "")
    return as_text(told)


ALSO = (
    replace(
        EXAMPLE,
        variant="text",
        payment=payment,
        later=(
            partial(payment, name="code_issued"),
            partial(payment, name="failure"),
            partial(payment, TradeType="3"),
        ),
    ),
)


@pytest.mark.parametrize("pay_time", ["2026-11-21 19:23:46", "2026-11-2119:23:46"])
def test_text_says_the_same_as_json(pay_time: str) -> None:
    request = as_text(payload("payment", PayTime=pay_time))

    assert key_of(request) == key_of(post(payload("payment")))
    assert newebpay.read(request, KEYS) == [read("payment")]
