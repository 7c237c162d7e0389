"""What a sample of any system is taken for before anybody has picked a field: a table of invented
shapes."""

import json
from typing import Any

import pytest

from payments.inlet_guess import guess
from payments.inlet_posts import tree_of
from payments.inlet_recipe import leaves

ENVELOPE = {
    "id": "evt_7QX2",
    "type": "payment.succeeded",
    "created": 1795233600,
    "data": {
        "object": {
            "id": "py_41",
            "amount": 12800,
            "currency": "hkd",
            "status": "succeeded",
            "customer": {"id": "cus_9", "email": "mei@example.com"},
        }
    },
}
ENVELOPE_WITHOUT_A_PREFIX = {
    "id": "0d7c6f0a-2f0e-4b43-9a6f-5a1d0b0f6a11",
    "event": "SALE_DONE",
    "data": {"id": 90412, "total": "45.00", "currency": "SGD", "paid_at": "2026-11-21 12:00:00"},
}
NAMED_IN_THE_PAYMENT = {
    "event_id": "e-1",
    "payment": {
        "number": "P-77",
        "status": "PAID",
        "amount": {"value": "95.00", "currency": "HKD"},
        "order": {"number": "SO-5"},
    },
    "store": {"id": "CENTRAL", "number": "3"},
}
ORDER_ONLY = {
    "id": "evt-3",
    "topic": "order.paid",
    "payload": {"order_no": "SO-1", "total_amount": 5},
}
FLAT_WITH_AN_EVENT = {"id": "msg_5", "transaction_id": "T5", "amount": "5.00", "currency": "TWD"}
FLAT = {"id": 5512, "reference": "SO-9", "amount": "5.00", "currency": "TWD", "status": "done"}
FLAT_EVENT_TYPE = {"id": "88", "type": "charge.paid", "reference": "R-9", "amount": 5}
RESOURCE = {
    "id": "WH-2W1",
    "event_type": "CAPTURE.COMPLETED",
    "resource": {
        "amount": {"total": "30.00", "currency_code": "USD"},
        "id": "3C6",
        "invoice_id": "INV-8",
    },
}
JSON_API = {
    "data": {
        "id": "tr_55",
        "type": "transactions",
        "attributes": {"amount": 900, "currency": "MYR", "reference": "basket 7"},
    }
}
CAMEL = {
    "notifyId": "n1",
    "merchantOrderNo": "M-3",
    "tradeNo": "2026112100001",
    "totalFee": 100,
    "feeType": "x",
    "payTime": "2026-11-21 12:00:00",
}
REFUND_BESIDE = {
    "refund": {"id": "re_1", "amount": "10.00"},
    "payment": {"id": "pm_1", "amount": "95.00", "currency": "HKD"},
}
TILL = {
    "shop": "KLN01",
    "receipt": {"no": "R-20261121-7", "sum": "88.0", "ccy": "HKD"},
    "cashier": {"id": "c4", "no": "12"},
    "member": {"no": "M4K7Q2Z9P"},
}
WALLET = {
    "merchant": {"id": "m-1"},
    "terminal": {"id": "t-1"},
    "transaction": {"id": "w-900", "state": "OK", "amount": 500, "currency": "THB"},
    "message": {"id": "x-1"},
}
BOOKING = {
    "webhook_id": "w7",
    "result": {"booking": {"uuid": "b-1"}, "charge_id": "c-1", "amount_paid": "60.00"},
}
DELIVERY_APP = {"ticket": {"id": "K-31", "total": {"amount": "31.00", "currency": "PHP"}}}
NOTHING_BUT_AN_EVENT = {"id": "evt_1", "amount": "5.00"}


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (ENVELOPE, ("/data/object/id", "/id", "/data/object/amount", None)),
        (ENVELOPE_WITHOUT_A_PREFIX, ("/data/id", "/id", "/data/total", None)),
        (
            NAMED_IN_THE_PAYMENT,
            ("/payment/number", "/event_id", "/payment/amount/value", "/payment/order/number"),
        ),
        (ORDER_ONLY, ("/payload/order_no", "/id", "/payload/total_amount", "/payload/order_no")),
        (FLAT_WITH_AN_EVENT, ("/transaction_id", "/id", "/amount", None)),
        (FLAT, ("/id", None, "/amount", None)),
        (FLAT_EVENT_TYPE, ("/reference", "/id", "/amount", None)),
        (RESOURCE, ("/resource/id", "/id", "/resource/amount/total", None)),
        (JSON_API, ("/data/id", None, "/data/attributes/amount", None)),
        (CAMEL, ("/tradeNo", "/notifyId", "/totalFee", "/merchantOrderNo")),
        (REFUND_BESIDE, ("/payment/id", None, "/payment/amount", None)),
        (TILL, ("/receipt/no", None, "/receipt/sum", None)),
        (WALLET, ("/transaction/id", "/message/id", "/transaction/amount", None)),
        (BOOKING, ("/result/charge_id", "/webhook_id", "/result/amount_paid", None)),
        (DELIVERY_APP, ("/ticket/id", None, "/ticket/total/amount", None)),
        (NOTHING_BUT_AN_EVENT, (None, "/id", "/amount", None)),
    ],
)
def test_the_number_of_the_payment_is_told_from_that_of_its_event(
    sample: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    """Reference, delivery, amount and order."""
    guessed = guess(leaves(tree_of(json.dumps(sample).encode(), "json")))

    names = ("reference", "delivery", "amount", "order")
    assert tuple(guessed.get(name) for name in names) == expected


@pytest.mark.parametrize(
    ("form", "reference", "delivery", "order"),
    [
        (b"id=evt_1&order_id=A1&txn_id=T1&amount=5.00", "/txn_id", "/id", "/order_id"),
        (b"MerchantTradeNo=A2&TradeNo=T2&TradeAmt=5", "/TradeNo", None, "/MerchantTradeNo"),
        (
            b"notify_id=n3&out_trade_no=A3&total_fee=5",
            "/out_trade_no",
            "/notify_id",
            "/out_trade_no",
        ),
        (b"event[id]=e4&payment[id]=T4&payment[amount]=5", "/payment[id]", "/event[id]", None),
        (b"event.id=e5&data.id=T5&data.amount=5", "/data.id", "/event.id", None),
        (b"shop_id=s6&no=T6&sum=5", "/no", None, None),
    ],
)
def test_the_fields_of_a_form_are_told_apart_too(
    form: bytes, reference: str, delivery: str | None, order: str | None
) -> None:
    guessed = guess(leaves(tree_of(form, "form")))

    assert guessed.get("reference") == reference
    assert guessed.get("delivery") == delivery
    assert guessed.get("order") == order


def test_what_belongs_to_others_is_not_taken_for_the_payment_s() -> None:
    guessed = guess(leaves(ENVELOPE))

    assert guessed == {
        "reference": "/data/object/id",
        "delivery": "/id",
        "amount": "/data/object/amount",
        "currency": "/data/object/currency",
        "time": "/created",
        "time_format": "seconds",
        "status": "/data/object/status",
        "payer": "/data/object/customer/email",
        "payer_kind": "email",
    }
    assert guess(leaves(WALLET))["status"] == "/transaction/state"
    assert guess(leaves(TILL))["store"] == "/shop"
    assert guess(leaves(REFUND_BESIDE))["refund_reference"] == "/refund/id"
    assert guess(leaves(REFUND_BESIDE))["refund_amount"] == "/refund/amount"
