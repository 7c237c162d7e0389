"""Sales by spreadsheet: rows become orders, orders become transactions, once."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from members.identity_kinds import CUSTOMER
from members.models import StaffScope
from members.services.identities import add_identity
from payments.imports.sales import SaleSheet
from payments.models import Line, Product, Transaction
from payments.services.linking import match_all_waiting
from tests import build
from tests.imports.sheets import csv_file, problems, sentence, totals, upload, xlsx_file

pytestmark = pytest.mark.django_db

HEADER = ["Order number", "Date", "SKU", "Description", "Qty", "Unit price", "Customer"]
AT = "2026-11-20 18:30"


def sale(*rows: list[Any], header: list[str] = HEADER) -> bytes:
    return csv_file(header, *rows)


def test_rows_of_one_order_become_one_payment_with_its_lines() -> None:
    build.store()
    content = sale(
        ["1001", AT, "TEA-1", "Oolong", 2, "45.00", ""],
        ["1001", AT, "CUP-1", "Cup", 1, "30.50", ""],
    )

    result = upload(SaleSheet, content, store=build.store())

    row = Transaction.objects.get()
    assert totals(result) == {"new": 2}
    assert (row.kind, row.source, row.amount, row.currency) == (
        "payment",
        "import",
        Decimal("120.50"),
        "HKD",
    )
    assert (row.order_ref, row.payment_ref, row.store) == ("1001", "CENTRAL:1001", build.store())
    assert row.occurred_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert row.may_message is False
    assert list(
        row.lines.order_by("position").values_list("product__sku", "quantity", "amount")
    ) == [
        ("TEA-1", Decimal(2), Decimal("90.00")),
        ("CUP-1", Decimal(1), Decimal("30.50")),
    ]
    assert str(Product.objects.get(sku="TEA-1").name) == "Oolong"


def test_a_preview_writes_nothing() -> None:
    content = sale(["1001", AT, "TEA-1", "Oolong", 2, "45.00", ""])

    result = upload(SaleSheet, content, is_trial=True)

    assert totals(result) == {"new": 1}
    assert ("New orders", "1") in result.summary
    assert ("Payments", "HKD 90.00") in result.summary
    assert not Transaction.objects.exists()
    assert not Product.objects.exists()


def test_the_same_file_twice_changes_nothing() -> None:
    content = sale(
        ["1001", AT, "TEA-1", "Oolong", 2, "45.00", ""],
        ["1002", AT, "TEA-1", "Oolong", 1, "45.00", ""],
    )
    upload(SaleSheet, content)

    again = upload(SaleSheet, content)

    assert totals(again) == {"skip": 2}
    assert Transaction.objects.count() == 2
    assert Line.objects.count() == 2


def test_a_file_that_contradicts_what_is_booked_is_refused() -> None:
    upload(SaleSheet, sale(["1001", AT, "TEA-1", "Oolong", 2, "45.00", ""]))

    result = upload(SaleSheet, sale(["1001", AT, "TEA-1", "Oolong", 3, "45.00", ""]))

    assert "booked already, with HKD 90.00" in problems(result)[2]["__all__"][0]
    assert Transaction.objects.get().amount == 90


def test_two_stores_may_count_their_orders_alike_but_one_file_counts_for_one_store() -> None:
    central, island = build.store(), build.store("ISLAND")
    header = [*HEADER, "Store"]
    upload(SaleSheet, sale(["1", AT, "A", "A", 1, "10", "", "CENTRAL"], header=header))
    upload(SaleSheet, sale(["1", AT, "A", "A", 1, "99", "", "Island"], header=header))

    twin = upload(SaleSheet, sale(["1", AT, "A", "A", 1, "99", ""]), store=central)
    other = upload(SaleSheet, sale(["1", AT, "A", "A", 1, "10", ""]), store=island)

    assert Transaction.objects.count() == 2
    assert "booked already" in str(problems(twin))
    assert "booked already" in str(problems(other))


def test_the_same_order_for_another_store_is_noticed() -> None:
    upload(SaleSheet, sale(["1", AT, "A", "A", 1, "10", ""]), store=build.store())

    result = upload(SaleSheet, sale(["1", AT, "A", "A", 1, "10", ""]), store=build.store("ISLAND"))

    assert "another store already (CENTRAL:1)" in problems(result)[2]["__all__"][0]
    assert Transaction.objects.count() == 1


def test_a_refund_takes_back_the_order_that_it_names() -> None:
    header = [*HEADER, "Original order"]
    content = sale(
        ["1001", AT, "TEA-1", "Oolong", 2, "45.00", "", ""],
        ["R-1", "2026-11-21 09:00", "TEA-1", "Oolong", -1, "45.00", "", "1001"],
        header=header,
    )

    result = upload(SaleSheet, content)

    refund = Transaction.objects.get(kind="refund")
    assert totals(result) == {"new": 2}
    assert (refund.payment_ref, refund.effect_ref, refund.amount) == ("1001", "R-1", Decimal(45))
    assert refund.original == Transaction.objects.get(kind="payment")
    assert list(refund.lines.values_list("quantity", "amount")) == [(Decimal(1), Decimal(45))]


def back(ref: str, amount: str, at: str = "2026-11-21 09:00", currency: str = "") -> list[Any]:
    return [ref, at, "TEA-1", "Oolong", -1, amount, "", "1001", currency]


def test_no_more_comes_back_than_is_left() -> None:
    header = [*HEADER, "Original order", "Currency"]
    paid = ["1001", AT, "TEA-1", "Oolong", 2, "45.00", "", "", ""]
    first = sale(
        paid, back("R-2", "50.01", "2026-11-21 09:01"), back("R-1", "40.00"), header=header
    )
    second = sale(
        paid,
        back("R-1", "40.00"),
        back("R-2", "50.01", "2026-11-21 09:01"),
        back("R-3", "50.00", "2026-11-21 09:02"),
        back("R-4", "1.00", "2026-11-21 09:03", "CNY"),
        header=header,
    )

    too_much = upload(SaleSheet, first)
    again = upload(SaleSheet, first, skips_invalid=True)
    later = upload(SaleSheet, second, skips_invalid=True)

    sentence = "Only HK$50.00 is left of this payment. Enter that much or less."
    assert problems(too_much) == {3: {"__all__": [sentence]}}
    assert totals(again) == {"new": 2, "invalid": 1}
    assert problems(later) == {
        4: {"__all__": [sentence]},
        6: {"__all__": ["It was paid in HKD. Enter the amount in HKD."]},
    }
    refunds = Transaction.objects.filter(kind="refund").order_by("occurred_at")
    assert list(refunds.values_list("effect_ref", "amount")) == [
        ("R-1", Decimal(40)),
        ("R-3", Decimal(50)),
    ]


def test_money_back_without_its_payment_is_refused_with_what_to_do() -> None:
    content = sale(
        ["C1", AT, "TEA-1", "Oolong", -1, "45.00", ""],
        ["C1", AT, "CUP-1", "Cup", -1, "5.00", ""],
    )

    result = upload(SaleSheet, content)

    assert "does not say from which payment" in problems(result)[2]["__all__"][0]
    assert problems(result)[3]["__all__"] == ["Another row of this order has an error."]
    assert not Transaction.objects.exists()


def test_every_error_of_a_row_is_said_at_once_and_nothing_is_imported() -> None:
    header = [*HEADER, "Currency", "E-mail", "Store"]
    good = ["1001", AT, "TEA-1", "Oolong", 2, "45.00", "", "", "", ""]
    bad = ["1002", "20/11/2026", "TEA-1", "x", "two", "45.00", "", "HKX", "mei@", "Mars"]

    result = upload(SaleSheet, sale(good, bad, header=header))

    assert totals(result) == {"new": 1, "invalid": 1}
    assert {column: text[0][:28] for column, text in problems(result)[3].items()} == {
        "time": "“20/11/2026” is not a date. ",
        "quantity": "“two” is not a number. Write",
        "currency": "“HKX” is not a currency. Wri",
        "e-mail": "“mei@” is not an e-mail addr",
        "store": "“Mars” is not known or not y",
    }
    assert result.has_validation_errors()
    assert not Transaction.objects.exists()


def test_rows_with_errors_may_be_left_out_but_an_order_never_by_half() -> None:
    content = sale(
        ["1001", AT, "TEA-1", "Oolong", 2, "45.00", ""],
        ["1002", AT, "TEA-1", "Oolong", 2, "45.00", ""],
        ["1002", AT, "TEA-1", "Oolong", "two", "45.00", ""],
    )

    result = upload(SaleSheet, content, skips_invalid=True)

    assert totals(result) == {"new": 1, "invalid": 2}
    assert list(Transaction.objects.values_list("order_ref", flat=True)) == ["1001"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"Unit price": "NaN"}, "is not a number"),
        ({"Unit price": "1e9"}, "is not a number"),
        ({"Unit price": "9" * 17}, "no amount of HKD"),
        ({"Qty": "0"}, "not zero"),
        ({"Qty": "1.0001"}, "not zero"),
        ({"Qty": "9999999999"}, "not zero"),
        ({"Unit price": "0"}, "comes to nothing"),
        ({"Unit price": ""}, "Give a line amount"),
        ({"Order number": ""}, "empty but needed"),
        ({"Order number": "x" * 61}, "longer than 60"),
        ({"Date": ""}, "empty but needed"),
        ({"Date": "2027-01-01"}, "lies in the future"),
        ({"Date": "1999-01-01"}, "lies before 2000"),
        ({"Date": "2026-02-30"}, "is not a date"),
        ({"Date": "0001-01-01"}, "cannot be meant"),
        ({"SKU": "x" * 61}, "longer than 60"),
        ({"Description": "a\x01b"}, "cannot be printed"),
        ({"Customer": "mei@"}, "not an e-mail address"),
    ],
)
def test_an_absurd_cell_is_refused_in_words(cells: dict[str, str], words: str) -> None:
    good = dict(zip(HEADER, ["1001", AT, "TEA-1", "Oolong", "2", "45.00", ""], strict=True))

    result = upload(SaleSheet, sale(list({**good, **cells}.values())))

    assert words in str(problems(result))
    assert not Transaction.objects.exists()


def test_a_comma_that_splits_a_number_is_noticed() -> None:
    content = sale(["1001", AT, "A", "A", 1, "10", ""]) + f"1002,{AT},A,A,1,1,234.50,\r\n".encode()

    result = upload(SaleSheet, content + f"1003,{AT},A,A,1,1,234.50,K7\r\n".encode())

    assert "more cells than the header" in problems(result)[3]["__all__"][0]
    assert "more cells than the header" in problems(result)[4]["__all__"][0]
    assert not Transaction.objects.exists()


def test_missing_columns_are_named() -> None:
    result = upload(SaleSheet, csv_file(["Order number", "Colour"], ["1", "red"]))

    assert "columns are missing: time; quantity / line amount; unit price" in sentence(result)
    assert "the file has: Order number, Colour" in sentence(result)


def test_a_column_that_is_there_twice_is_refused() -> None:
    result = upload(SaleSheet, csv_file([*HEADER, "Invoice"], ["1", AT, "A", "A", 1, 1, "", "2"]))

    assert "“Order number” and “Invoice”" in sentence(result)


def test_unknown_columns_are_named_and_left_out() -> None:
    result = upload(SaleSheet, csv_file([*HEADER, "Colour"], ["1", AT, "A", "A", 1, 1, "", "red"]))

    assert "left out: Colour" in result.notes[0]
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (["單號", "日期", "貨號", "品名", "數量", "單價", "顧客"], "big5"),
        (["单号", "日期", "货号", "品名", "数量", "单价", "顾客"], "gb18030"),
        (
            ["訂單編號", "交易時間", "商品編號", "商品名稱", "數量", "單價", "客戶編號"],
            "utf-8-sig",
        ),
    ],
)
def test_chinese_headers_in_chinese_encodings(header: list[str], encoding: str) -> None:
    content = csv_file(
        header, ["1001", "2026年11月20日 18:30", "TEA-1", "烏龍", 2, "45", "K7"], encoding=encoding
    )

    upload(SaleSheet, content)

    row = Transaction.objects.get()
    assert (row.amount, row.occurred_at) == (
        Decimal(90),
        datetime(2026, 11, 20, 10, 30, tzinfo=UTC),
    )
    assert len(row.clues) == 1


def test_a_workbook_with_real_dates_and_float_customers_is_the_same_as_its_csv() -> None:
    cells = ["1001", datetime(2026, 11, 20, 18, 30), "TEA-1", "Oolong", 2, 45, 17850]  # noqa: DTZ001
    upload(SaleSheet, xlsx_file(HEADER, cells))

    again = upload(SaleSheet, sale(["1001", AT, "TEA-1", "Oolong", "2", "45.0", "17850.0"]))

    assert totals(again) == {"skip": 1}
    assert Transaction.objects.count() == 1


def test_an_unknown_customer_waits_and_earns_once_known() -> None:
    upload(
        SaleSheet,
        sale(["1001", AT, "A", "A", 1, "10", "17850.0"], ["1002", AT, "A", "A", 1, "10", ""]),
    )
    waiting = Transaction.objects.filter(waiting_for="member").count()
    mei = build.member()

    add_identity(mei, kind=CUSTOMER, value="17850", now=build.NOON)
    match_all_waiting()

    assert waiting == 2
    assert Transaction.objects.get(order_ref="1001").member == mei
    assert Transaction.objects.get(order_ref="1002").member is None


@pytest.mark.parametrize("written", ["code", "phone", "email"])
def test_a_customer_may_be_any_sign_of_a_member(written: str) -> None:
    mei = build.member(phone="+85291234567", email="mei@example.com")
    customer = {"code": mei.code.lower(), "phone": "+852 9123 4567", "email": "Mei@example.com"}

    upload(SaleSheet, sale(["1001", AT, "A", "A", 1, "10", customer[written]]))

    assert Transaction.objects.get().member == mei


def test_a_store_manager_imports_for_their_own_stores_only() -> None:
    central = build.store()
    build.store("ISLAND")
    manager = get_user_model().objects.create_user("manager")
    StaffScope.objects.create(user=manager).stores.add(central)
    header = [*HEADER, "Store"]
    content = sale(
        ["1", AT, "A", "A", 1, "10", "", "CENTRAL"],
        ["2", AT, "A", "A", 1, "10", "", "ISLAND"],
        ["3", AT, "A", "A", 1, "10", "", ""],
        header=header,
    )

    result = upload(SaleSheet, content, user=manager)

    assert "not yours. Write one of: CENTRAL." in problems(result)[3]["store"][0]
    assert "Name a store of yours" in problems(result)[4]["store"][0]
    assert not Transaction.objects.exists()


def test_two_thousand_rows_come_to_the_sum_of_their_lines() -> None:
    dice = random.Random(3)
    rows = []
    expected: dict[str, Decimal] = {}
    for number in range(2000):
        order, quantity = f"S{number // 4}", dice.randint(1, 9)
        price = Decimal(dice.randint(1, 9999)) / 100
        expected[order] = expected.get(order, Decimal(0)) + quantity * price
        customer = number // 4 % 50 or ""
        rows.append([order, AT, f"SKU-{number % 70}", "x", quantity, price, customer])

    result = upload(SaleSheet, sale(*rows))

    booked = dict(Transaction.objects.values_list("order_ref", "amount"))
    assert totals(result) == {"new": 2000}
    assert len(result.rows) == 200
    assert booked == expected
    assert sum(Line.objects.values_list("amount", flat=True)) == sum(expected.values())
    assert Product.objects.count() == 70


def test_a_bigger_file_needs_no_more_queries(django_assert_max_num_queries: Any) -> None:
    rows = [[f"S{number}", AT, f"SKU-{number}", "x", 1, "9.90", number] for number in range(500)]

    with django_assert_max_num_queries(40):
        upload(SaleSheet, sale(*rows))

    assert Transaction.objects.count() == 500
