"""Settlement files as platforms make them, read exactly; what cannot be read is said in words."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kit.money import Money
from kit.spreadsheet_reading import BrokenSheet
from payments.services.reconcile.reading import format_of, read_statement
from payments.statements import all_formats
from payments.statements.base import Options, Statement, StatementRow
from tests.imports.sheets import xlsx_file
from tests.reconciliation.files import (
    KINDS,
    Sale,
    alipay_file,
    ecpay_file,
    generic_file,
    stripe_file,
    wechat_file,
)

PAID_AT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
PAID = Sale("2026112022001", Decimal("95.00"), PAID_AT, Decimal("0.57"))
BACK = Sale("50300001", Decimal("20.50"), PAID_AT, of=PAID.ref)


def read(form: str, content: bytes, **given: Any) -> Statement:
    return read_statement(content, all_formats()[form], Options(**given))


def footings(statement: Statement) -> dict[str, tuple[str, str]]:
    return {
        footing.what: (f"{footing.said.normalize():f}", f"{footing.found.normalize():f}")
        for footing in statement.footings
    }


@pytest.mark.parametrize("form", [form for form in KINDS if form != "generic"])
def test_a_format_is_known_by_its_header(form: str) -> None:
    assert format_of(KINDS[form].write([PAID, BACK])).code == form


def test_anything_else_is_the_generic_format() -> None:
    assert format_of(generic_file([PAID])).code == "generic"


def test_an_alipay_bill_in_gbk_is_read() -> None:
    statement = read("alipay", alipay_file([PAID, BACK]))

    assert statement.rows == [
        StatementRow(
            number=6,
            kind="payment",  # type: ignore[arg-type]
            payment_ref=PAID.ref,
            effect_ref=PAID.ref,
            order_ref=f"order-{PAID.ref}",
            amount=Money(Decimal("95.00"), "CNY"),
            settled=Money(Decimal("95.00"), "CNY"),
            fee=Decimal("0.5700"),
            occurred_at=PAID_AT,
            method="alipay",
        ),
        StatementRow(
            number=7,
            kind="refund",  # type: ignore[arg-type]
            payment_ref=PAID.ref,
            effect_ref=BACK.ref,
            order_ref=f"order-{PAID.ref}",
            amount=Money(Decimal("20.50"), "CNY"),
            settled=Money(Decimal("20.50"), "CNY"),
            fee=Decimal(0),
            occurred_at=PAID_AT,
            method="alipay",
        ),
    ]
    assert (statement.starts_on, statement.ends_on) == (date(2026, 11, 20), date(2026, 11, 20))
    assert footings(statement) == {
        "payments_count": ("1", "1"),
        "payments": ("95", "95"),
        "refunds_count": ("1", "1"),
        "refunds": ("20.5", "20.5"),
    }


def test_a_wechat_bill_with_back_ticks_and_commas_in_names_is_read() -> None:
    statement = read("wechat", wechat_file([PAID, BACK]))

    paid, back = statement.rows
    assert (paid.payment_ref, paid.amount, paid.fee) == (
        PAID.ref,
        Money(Decimal("95.00"), "CNY"),
        Decimal("0.57"),
    )
    assert (back.kind, back.effect_ref, back.amount.amount) == ("refund", BACK.ref, BACK.amount)
    assert paid.occurred_at == PAID_AT
    assert footings(statement) == {
        "rows_count": ("2", "2"),
        "settled": ("95", "95"),
        "refunds": ("20.5", "20.5"),
        "fees": ("0.57", "0.57"),
        "orders": ("95", "95"),
        "refunds_asked": ("20.5", "20.5"),
    }


def test_a_wechat_refund_that_failed_moved_nothing() -> None:
    content = wechat_file([PAID, BACK]).decode().replace("`ORIGINAL,`SUCCESS", "`ORIGINAL,`FAIL")

    statement = read("wechat", content.encode())

    assert [row.kind for row in statement.rows] == ["payment", "other"]


def test_a_wechat_day_without_trades_has_sums_and_no_rows() -> None:
    statement = read("wechat", wechat_file([]))

    assert statement.rows == []
    assert footings(statement)["rows_count"] == ("0", "0")


def test_a_stripe_report_is_read_with_payouts_and_fees() -> None:
    statement = read("stripe", stripe_file([PAID, BACK]))

    paid, back, payout = statement.rows
    assert (paid.payment_ref, paid.effect_ref) == (PAID.ref, PAID.ref)
    assert (paid.settled, paid.fee) == (Money(Decimal("95.00"), "HKD"), Decimal("0.57"))
    assert (back.kind, back.effect_ref, back.payment_ref) == ("refund", BACK.ref, PAID.ref)
    assert (payout.kind, payout.amount.amount) == ("payout", Decimal(1000))
    assert paid.settled_on == date(2026, 11, 27)
    assert footings(statement) == {"net": ("-926.07", "-926.07")}


def test_a_converted_stripe_payment_keeps_both_currencies() -> None:
    content = stripe_file([PAID]).decode().replace(",,," + PAID.ref, ",12.10,usd," + PAID.ref)

    (paid, _payout) = read("stripe", content.encode()).rows

    assert paid.amount == Money(Decimal("12.10"), "USD")
    assert paid.settled == Money(Decimal("95.00"), "HKD")


def test_a_stripe_report_without_the_payment_says_which_column_to_choose() -> None:
    content = stripe_file([PAID]).decode().replace(f"{PAID.ref},ch_{PAID.ref},card", ",,card")

    statement = read("stripe", content.encode())

    assert len(statement.rows) == 1  # The payout.
    assert "payment_intent_id" in statement.problems[0][1]


def test_an_ecpay_payout_file_in_big5_is_read() -> None:
    whole = Sale("EC1", Decimal(1290), PAID_AT, Decimal(15))

    statement = read("ecpay", ecpay_file([whole, Sale("r", Decimal(290), PAID_AT, of="EC1")]))

    paid, back = statement.rows
    assert (paid.payment_ref, paid.order_ref, paid.fee) == ("EC1", "order-EC1", Decimal(15))
    assert paid.settled_on == date(2026, 11, 30)
    assert (back.kind, back.effect_ref, back.amount) == ("refund", "", Money(Decimal(290), "TWD"))
    assert footings(statement) == {"net": ("985", "985")}


def test_an_ecpay_order_file_tells_a_refund_beside_its_payment_and_skips_the_unpaid() -> None:
    lines = [
        "訂單日期,廠商訂單編號,綠界訂單編號,付款方式,付款狀態,交易金額,退款日期,退款金額,交易手續費,應收款項(淨額)",
        "2026/11/20 10:30:00,A1,EC1,信用卡,2026-11-20 10:31:00 已付款,1290,2026/11/21,290,15,985",
        "2026/11/20 10:40:00,A2,EC2,ATM,未付款,500,,0,0,500",
    ]
    cells = [",".join(f'="{cell}"' for cell in line.split(",")) for line in lines]

    statement = read("ecpay", "\r\n".join(cells).encode("big5hkscs"))

    assert [(row.kind, row.amount.amount) for row in statement.rows] == [
        ("payment", Decimal(1290)),
        ("refund", Decimal(290)),
    ]
    assert footings(statement) == {"net": ("985", "985")}


def test_a_bank_statement_with_two_columns_and_british_dates_is_read() -> None:
    lines = [
        "FPS statement of November",
        "Txn Date,Details,Deposit,Withdrawal,Balance",
        '20/11/2026,Transfer,"1,095.00",,"5,095.00"',
        "20/11/2026,Transfer,95.00,,5190.00",
        "20/11/2026,Transfer,95.00,,5285.00",
        "21/11/2026,Balance carried forward,,,5285.00",
    ]
    columns = {"time": "Txn Date", "credit": "Deposit", "debit": "Withdrawal"}
    given = {"columns": columns, "sign": "columns", "day_order": "dmy"}

    statement = read("generic", "\n".join(lines).encode("utf-8-sig"), **given)
    again = read("generic", "\n".join(lines[:4]).encode(), **given)

    assert [row.amount.amount for row in statement.rows] == [
        Decimal("1095.00"),
        Decimal("95.00"),
        Decimal("95.00"),
    ]
    refs = [row.payment_ref for row in statement.rows]
    assert len(set(refs)) == 3  # Two equal payments of a day are two.
    assert [row.payment_ref for row in again.rows] == refs[:2]  # An overlapping file.
    assert statement.rows[0].occurred_at == datetime(2026, 11, 19, 16, 0, tzinfo=UTC)


def test_an_octopus_file_by_kinds_as_excel_is_read() -> None:
    content = xlsx_file(
        ("Receipt no", "Date", "Type", "Amount", "Fee"),
        ("OC-1", datetime(2026, 11, 20, 10, 30), "Sale", 95, 1.43),  # noqa: DTZ001
        ("OC-1", datetime(2026, 11, 20, 11, 0), "Refund", 20, 0),  # noqa: DTZ001
        ("OC-2", datetime(2026, 11, 20, 11, 0), "Mystery", 20, 0),  # noqa: DTZ001
    )
    columns = {
        "time": "Date", "amount": "Amount", "kind": "Type", "reference": "Receipt no",
        "fee": "Fee",
    }  # fmt: skip

    statement = read("generic", content, columns=columns, sign="kind")

    assert [(row.kind, row.payment_ref, row.fee) for row in statement.rows] == [
        ("payment", "OC-1", Decimal("1.43")),
        ("refund", "OC-1", Decimal(0)),
    ]
    assert statement.rows[0].occurred_at == PAID_AT
    ((row, sentence),) = statement.problems
    assert row == 4
    assert "mystery" in sentence


@pytest.mark.parametrize(
    ("form", "spoil"),
    [
        ("alipay", ("商家实收共95.00元", "商家实收共96.00元")),
        ("wechat", ("`2,`95.00", "`3,`95.00")),
        ("stripe", ("-1000.00,payout", "-999.00,payout")),
        ("ecpay", (",94.43,0", ",94.00,0")),
    ],
)
def test_sums_that_do_not_come_out_are_noticed(form: str, spoil: tuple[str, str]) -> None:
    encoding = {"alipay": "gbk", "ecpay": "big5hkscs"}.get(form, "utf-8")
    text = KINDS[form].write([PAID, BACK]).decode(encoding)
    assert spoil[0] in text

    statement = read(form, text.replace(*spoil).encode(encoding))

    assert sum(footing.said != footing.found for footing in statement.footings) == 1


def test_a_row_that_cannot_be_read_is_named_and_the_others_are_read() -> None:
    text = (
        wechat_file([PAID, BACK]).decode().replace("`20.50,`0.00,`ORIGINAL", "`x,`0.00,`ORIGINAL")
    )

    statement = read("wechat", text.encode())

    assert [row.kind for row in statement.rows] == ["payment"]
    assert statement.problems[0][0] == 3
    assert "退款金额" in statement.problems[0][1]


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"a,b\n", b"PK\x03\x04broken", b"\xff\xfe"])
@pytest.mark.parametrize("form", KINDS)
def test_no_bytes_end_in_an_error_of_ours(form: str, content: bytes) -> None:
    with pytest.raises(BrokenSheet) as refusal:
        read(form, content)

    assert str(refusal.value)
