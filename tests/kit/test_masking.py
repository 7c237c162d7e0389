"""What staff read of a post names nobody, wherever in it a name stands."""

import json
from typing import Any

import pytest

from kit.masking import mask_payload

SECRETS = ("Mei", "Chan", "9123", "0912", "Nathan", "mei@")


@pytest.mark.parametrize(
    "payload",
    [
        {"name": "Mei Chan", "phone": "+852 9123 4567", "receipt_email": "mei@example.com"},
        {"payer": {"phone": {"phone_number": {"national_number": "91234567"}}}},
        {"payer": {"name": {"given": "Mei", "full": "Mei Chan"}}},
        {"shipping": {"address": {"street": "1 Nathan Road", "number": 9123}}},
        {"customers": ["Mei Chan", "mei@example.com"], "names": [{"first": "Mei"}]},
        {"phone": 91234567.0, "buyer": 91234567},
        {"attach": '{"phone": "91234567", "who": {"name": "Mei Chan"}}'},
        {"metadata": '[{"nick": "Mei"}]'},
        {"passback_params": "phone=91234567&buyer_name=Mei%20Chan&store=3"},
        {"passback_params": "phone%3D91234567%26name%3DMei"},
        {"CustomField1": "0912345678", "note": "call 0912345678 or mei@example.com"},
        [["+852 9123 4567", {"a": {"id_no": "A9123456"}}]],
    ],
)
def test_nobody_can_be_read_out_of_a_masked_payload(payload: Any) -> None:
    shown = json.dumps(mask_payload(payload), ensure_ascii=False)

    assert [secret for secret in SECRETS if secret in shown] == []
    assert "•••" in shown


@pytest.mark.parametrize(
    "payload",
    [
        {"amount": {"total": 8800, "currency": "HKD"}, "state": "paid", "is_live": True},
        {"customer": {"amount": 12.5, "created": 1763870000}, "items": [1, None, "TEA-OOLONG"]},
        {"sign": "abc/def+gh==", "query": "a=1&b=%E8%8C%B6", "text": "[not json", "no": "{}"},
        {"metadata": '{"order":"WEB-10042",  "points": 3}'},
    ],
)
def test_what_names_nobody_stays_as_it_was(payload: Any) -> None:
    assert mask_payload(payload) == payload


def test_what_is_nested_without_end_is_cut_off() -> None:
    deep: Any = "Mei Chan"
    for _ in range(300):
        deep = {"a": json.dumps(deep)} if isinstance(deep, str) else [deep]

    assert "Mei" not in json.dumps(mask_payload(deep))
