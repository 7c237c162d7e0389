"""What Alipay's notices mean, once they are known to be genuine."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest

from kit.money import Money
from payments.providers import alipay
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Kind,
    MalformedPayload,
    Notice,
    Verified,
)
from tests.payments.providers.example import Correction, Sale
from tests.payments.providers.test_alipay import (
    EXAMPLE,
    KEYS,
    NOW,
    TRADE,
    body_of,
    example_notice,
    example_state,
    in_china,
    notice,
    post,
    read,
    reason_of,
)


def test_a_payment_is_read() -> None:
    assert read("trade_success") == Notice(
        kind=Kind.PAYMENT,
        payment_ref=TRADE,
        effect_ref=TRADE,
        amount=Money(Decimal("88.00"), "CNY"),
        occurred_at=datetime(2026, 11, 21, 11, 23, 46, tzinfo=UTC),
        order_ref="SHOP-1001",
        member_code="M4K7Q2Z9P",
        store_code="central",
        method="alipay",
        clues=(Clue("alipay_buyer", "2088000000000042"), Clue("alipay_open_id", "open-id-of-mei")),
    )


def test_refunds_tell_the_total_so_far_and_nothing_of_the_payment() -> None:
    partial, full = read("partial_refund"), read("full_refund")

    assert [(n.kind, n.payment_ref, n.is_total) for n in (partial, full)] == [
        (Kind.REFUND, TRADE, True),
        (Kind.REFUND, TRADE, True),
    ]
    assert (partial.effect_ref, partial.amount.amount) == ("REFUND-1:30.00", Decimal("30.00"))
    assert (full.effect_ref, full.amount.amount) == ("REFUND-2:88.00", Decimal("88.00"))
    assert partial.occurred_at == datetime(2026, 11, 22, 2, 15, 0, 120000, tzinfo=UTC)


def test_a_state_of_the_total_keeps_its_number_when_it_is_told_again() -> None:
    again = read("partial_refund", notify_id="another", refund_fee="30.0")
    more = read("partial_refund", refund_fee="45.00")
    bare = read("partial_refund", out_biz_no=None)

    assert again.effect_ref == read("partial_refund").effect_ref
    assert more.effect_ref == "REFUND-1:45.00"
    assert bare.effect_ref == "total:30.00"


def test_a_closed_trade_with_a_refund_is_a_refund_even_without_its_own_time() -> None:
    refund = read("full_refund", gmt_refund=None)

    assert refund.kind == Kind.REFUND
    assert refund.occurred_at == datetime(2026, 11, 23, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("trade_finished", {}, "refund_period_over"),
        ("trade_closed", {}, "closed_unpaid"),
        ("trade_success", {"trade_status": "WAIT_BUYER_PAY"}, "not_paid_yet"),
        ("trade_success", {"trade_status": "TRADE_ODD"}, "unknown_trade_status"),
        ("trade_success", {"trade_status": None, "notify_id": None}, "no_trade_status"),
    ],
)
def test_other_states_move_no_money(
    name: str, changes: dict[str, str | None], reason: str
) -> None:
    request = notice(name, **changes)

    assert reason_of(request) is None
    assert alipay.read(request, KEYS) == Ignored(reason)


def test_an_empty_refund_field_does_not_hide_a_payment() -> None:
    assert read("trade_success", refund_fee="0.00").kind == Kind.PAYMENT


def test_without_a_notify_id_the_same_bytes_have_the_same_key() -> None:
    request = notice("trade_success", notify_id=None)

    verdict = alipay.verify(request, KEYS, NOW)

    assert isinstance(verdict, Verified)
    assert verdict.delivery_key.startswith("sha256:")
    assert verdict == alipay.verify(request, KEYS, NOW)


@pytest.mark.parametrize(
    ("given", "member", "store"),
    [
        ("M4K7Q2Z9P", "M4K7Q2Z9P", ""),
        ("member=M4K7Q2Z9P", "M4K7Q2Z9P", ""),
        ("member%3DM4K7Q2Z9P%26store%3Dcentral", "M4K7Q2Z9P", "central"),
        ('{"member": "M4K7Q2Z9P", "store": "central"}', "M4K7Q2Z9P", "central"),
        ("%7B%22member%22%3A%22M4K7Q2Z9P%22%7D", "M4K7Q2Z9P", ""),
        ('{"member": 5}', "", ""),
        ('{"member": "M1", "member": "M2"}', "", ""),
        ("{" * 1000, "", ""),
        ("member=" + "M" * 41, "", ""),
        ("member=%00", "", ""),
        ("%FF%FE", "", ""),
        ("x" * 5000, "", ""),
        ("謝謝光臨", "", ""),
    ],
)
def test_the_member_comes_from_what_the_merchant_passed_along(
    given: str, member: str, store: str
) -> None:
    payment = read("trade_success", passback_params=given)

    assert (payment.member_code, payment.store_code) == (member, store)


def test_a_cross_border_price_is_in_the_currency_that_the_notice_names() -> None:
    assert read("trade_success", trans_currency="HKD").amount == Money(Decimal("88.00"), "HKD")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("trade_success", {"total_amount": None}),
        ("trade_success", {"total_amount": "0.00"}),
        ("trade_success", {"total_amount": "-88.00"}),
        ("trade_success", {"total_amount": "88.001"}),
        ("trade_success", {"total_amount": "8_8"}),
        ("trade_success", {"total_amount": "NaN"}),
        ("trade_success", {"total_amount": "1e9"}),
        ("trade_success", {"total_amount": "9" * 5000}),
        ("trade_success", {"trans_currency": "ZZZ"}),
        ("trade_success", {"trade_no": None}),
        ("trade_success", {"trade_no": "a\x00b"}),
        ("trade_success", {"gmt_payment": None}),
        ("trade_success", {"gmt_payment": "2026-02-30 00:00:00"}),
        ("trade_success", {"gmt_payment": "0001-01-01 00:00:00"}),
        ("trade_success", {"gmt_payment": "2026-11-21"}),
        ("partial_refund", {"refund_fee": None}),
        ("partial_refund", {"refund_fee": "0.00"}),
        ("partial_refund", {"refund_fee": "-1"}),
        ("partial_refund", {"gmt_refund": None, "refund_fee": "lots"}),
        ("partial_refund", {"gmt_refund": "yesterday"}),
        ("partial_refund", {"out_biz_no": "x" * 65}),
    ],
)
def test_values_that_cannot_be_true_are_malformed(
    name: str, changes: dict[str, str | None]
) -> None:
    with pytest.raises(MalformedPayload):
        alipay.read(notice(name, **changes), KEYS)


def in_gbk(request: Inbound) -> Inbound:
    fields = dict(parse_qsl(request.body.decode("latin-1"), encoding="gbk", errors="replace"))
    return post(body_of(fields, charset="gbk"))


def gbk_payment(sale: Sale) -> Inbound:
    return in_gbk(example_state("trade_success", sale, charset="gbk", subject="coffee"))


def closing_refund(refund: Correction) -> Inbound:
    """A refund that closes the trade; its time is the close, to the millisecond."""
    return in_gbk(
        example_notice(
            "full_refund",
            refund.sale,
            refund.at,
            charset="gbk",
            subject="coffee",
            notify_id=f"closed-{refund.ref}",
            out_biz_no=refund.ref,
            refund_fee=str(refund.so_far),
            gmt_refund="",
            gmt_close=f"{in_china(refund.at)}.730",
        )
    )


ALSO = (
    replace(
        EXAMPLE,
        variant="gbk",
        payment=gbk_payment,
        refund=closing_refund,
        later=(),
        resign=lambda request, _at: in_gbk(request),
    ),
)
