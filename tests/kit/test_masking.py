"""What staff read of a post names nobody, wherever in it a name stands."""

import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from kit.masking import mask_payload, mask_text

PAYLOADS = Path(__file__).parents[1] / "payloads"
# Whatever else a platform's samples say must stay readable: references, amounts, states, times.
MASKED = {
    "adyen": {"cardSummary", "shopperEmail", "shopperReference"},
    "airwallex": {"customer_id", "email", "last4", "fingerprint"},
    "alipay": {"buyer_id", "buyer_logon_id", "buyer_open_id", "seller_email"},
    "antom": {"cardNo", "pspCustomerId"},
    "ecpay": set(),
    "inlet": {"card", "phone"},
    "linepay": set(),
    "newebpay": {"IP", "Card6No", "Card4No", "PayerAccount5Code"},
    "payme": {"payerId"},
    "paypal": {"payer_id", "email_address"},
    "qfpay": {"cardcd"},
    "square": {"last_4", "fingerprint", "customer_id", "buyer_email_address"},
    "standard": {"phone", "email", "wallet"},
    "stripe": {"customer", "fingerprint", "last4", "receipt_email"},
    "wechatpay": {"openid", "user_received_account"},
}
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


def masked_keys(payload: Any, shown: Any, key: str = "") -> set[str]:
    """The keys of what differs between a payload and how it is shown."""
    if isinstance(payload, dict):
        return set().union(*(masked_keys(payload[each], shown[each], each) for each in payload))
    if isinstance(payload, list):
        pairs = zip(payload, shown, strict=True)
        return set().union(*(masked_keys(one, other, key) for one, other in pairs))
    return {key} if payload != shown else set()


def as_form(payload: Any) -> Any:
    """Every number as text, as in a form."""
    if isinstance(payload, dict):
        return {key: as_form(value) for key, value in payload.items()}
    if isinstance(payload, list):
        return [as_form(each) for each in payload]
    is_number = isinstance(payload, int | float) and not isinstance(payload, bool)
    return str(payload) if is_number else payload


@pytest.mark.parametrize("platform", sorted(MASKED))
def test_of_every_sample_only_what_is_personal_is_masked(platform: str) -> None:
    samples = [json.loads(path.read_text()) for path in (PAYLOADS / platform).glob("*.json")]

    found = set().union(*(masked_keys(each, mask_payload(each)) for each in samples))
    of_forms = [as_form(each) for each in samples]
    found_in_forms = set().union(*(masked_keys(each, mask_payload(each)) for each in of_forms))

    assert samples != []
    assert found == MASKED[platform]
    assert found_in_forms == MASKED[platform]


def test_every_platform_with_samples_is_looked_at() -> None:
    assert {each.name for each in PAYLOADS.iterdir() if each.is_dir()} == set(MASKED)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"name": "Chan Tai Man 陳大文"}, {"name": "•••"}),
        ({"name2": "Chan Tai Man"}, {"name2": "•••"}),
        ({"address": "九龍彌敦道1號"}, {"address": "•••"}),
        (
            {"address": {"line1": "1 Nathan Road", "state": "Kowloon", "country": "HK"}},
            {"address": {"line1": "•••", "state": "•••", "country": "HK"}},
        ),
    ],
)
def test_names_and_addresses_show_no_tail(payload: Any, shown: Any) -> None:
    assert mask_payload(payload) == shown


@pytest.mark.parametrize(
    "about",
    [
        "customer",
        "Customers",
        "payer",
        "buyer",
        "billing_details",
        "shippingAddress",
        "shipping",
        "cardholder",
        "member",
        "pspCustomerInfo",
        "recipient",
        "會員",
    ],
)
def test_every_text_about_a_person_is_masked_whatever_its_key(about: str) -> None:
    person = {
        "note": "call 91234567 陳大文",
        "remark": "陳大文 91234567",
        "wechat": "chan_tai_man",
        "anything": ["Chan Tai Man"],
        "deep": {"er": "陳大文"},
        "contact_no": "9123 4567",
        "age": 41,
        "id": "cus_4711",
        "currency": "HKD",
        "country_code": "HK",
        "language": "zh-Hant",
        "status": "active",
        "created_at": "2026-11-21 19:23:46",
        "order_no": "20261121000042",
        "is_new": True,
        "left": None,
    }

    shown = mask_payload({about: person})

    assert shown == {
        about: {
            **person,
            "note": "•••",
            "remark": "•••",
            "wechat": "•••",
            "anything": ["•••"],
            "deep": {"er": "•••"},
            "contact_no": "•••567",
            "age": "•••",
            "id": "•••711",
        }
    }


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"note": "陳大文"}, {"note": "•••"}),
        ({"orderRemark": "陳大文"}, {"orderRemark": "•••"}),
        ({"memo": "Tai Man", "comments": ["Tai Man"]}, {"memo": "•••", "comments": ["•••"]}),
        ({"備註": "陳大文", "電話": "9123 4567"}, {"備註": "•••", "電話": "•••567"}),
        ({"description": "Table 7 陳生 9123-4567"}, {"description": "Table 7 陳生 •••567"}),
        ({"x": "電話91234567"}, {"x": "電話•••567"}),
        ({"x": "Tel: (852) 9123 4567, 2 cups"}, {"x": "Tel: •••567, 2 cups"}),
        ({"x": "+852 9123 4567"}, {"x": "•••567"}),
        ({"x": "mei@example.com 9123456789"}, {"x": "m•••@example.com •••789"}),
        ({"order_ref": "mei@example.com"}, {"order_ref": "m•••@example.com"}),
        ({"order_ref": "A-7 91234567"}, {"order_ref": "A-7 •••567"}),
        ({"member": "Chan Tai Man"}, {"member": "•••"}),
        ({"member_id": "91234567"}, {"member_id": "•••567"}),
        ({"customer_name": "Chan"}, {"customer_name": "•••"}),
        (
            {"lines": [{"name": "Latte", "note": "陳生"}]},
            {"lines": [{"name": "Latte", "note": "•••"}]},
        ),
        ({"items": [{"customer": {"name": "Mei"}}]}, {"items": [{"customer": {"name": "•••"}}]}),
        ({"items": [{"recipient_name": "Mei"}]}, {"items": [{"recipient_name": "•••"}]}),
        (
            {"fields": [{"key": "nickname", "value": "Mei"}]},
            {"fields": [{"key": "nickname", "value": "•••"}]},
        ),
        (
            {"line": {"displayName": "Mei", "userId": "U4711abc"}},
            {"line": {"displayName": "•••", "userId": "•••abc"}},
        ),
        ({"birth_date": "1990-01-02", "candidate": "x"}, {"birth_date": "•••", "candidate": "x"}),
        ({"name": "陳大文.payment"}, {"name": "•••"}),
    ],
)
def test_free_text_and_numbers_of_phones_are_masked_wherever_they_stand(
    payload: Any, shown: Any
) -> None:
    assert mask_payload(payload) == shown


@pytest.mark.parametrize(
    "payload",
    [
        {"lines": [{"name": "Latte 拿鐵", "modifiers": [{"name": "Oat milk 燕麥奶"}]}]},
        {
            "line_items": [
                {"name": "Latte", "name_zh": "拿鐵", "title": "Latte", "sku": "48912345"}
            ]
        },
        {
            "goods": {"name": "拿鐵"},
            "products": [{"display_name": "拿鐵", "barcode": "4891234567"}],
        },
        {"goods_detail": '[{"name": "Latte"}]', "customer": {"store_name": "Central"}},
        {"訂單編號": "20261121001", "交易時間": "20261121192346", "會員編號": "M4K7Q2Z9P"},
        {"id": "evt_1", "name": "payment_intent.succeeded"},
        {"product_name": "Latte", "goodsName": "拿鐵", "store": {"name": "Central"}},
        {"order_no": "20261121000042", "trade_no": "2026112122001400000000000001"},
        {"paymentId": "91234567", "transactionid": 91234567, "charge": "912345678"},
        {"receipt": "R 1", "note_id": "91234567", "refs": ["91234567", "2026112122001"]},
        {"member": "M4K7Q2Z9P", "customer": {"member_id": "M4K7Q2Z9P"}},
        {"amount": {"currency": "JPY", "value": "12800000"}, "total": "12345678.00"},
        {"x": "12345678.00", "y": "2026-11-21 19:23:46", "z": "2026-11-21T19:23:46.039Z"},
        {"message": "WEB-20261121 paid", "key": "9b2d7a10-7c11-4a53-8f6c-2f7f0d7d0002"},
        {"shipping_fee": "20.00", "payer_total": 8300, "delivery_time": "2026-11-21 19:23"},
        {"reason": "customer request", "state": "paid", "payment_method": "octopus"},
    ],
)
def test_what_operators_need_stays_readable(payload: Any) -> None:
    assert mask_payload(payload) == payload


def test_a_long_post_is_masked_in_no_time() -> None:
    started = monotonic()

    mask_payload({"x": "a" * 200_000 + "@", "y": "1 " * 100_000 + "A", "z": "." * 200_000})

    assert monotonic() - started < 5


def test_numbers_of_phones_are_masked_in_a_post_that_is_only_text() -> None:
    assert (
        mask_text("2026-11-21 陳 9123 4567 mei@example.com")
        == "2026-11-21 陳 •••567 m•••@example.com"
    )
