"""Alipay ships its bill in an archive, with names in GBK: it is taken as it was downloaded."""

import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kit.spreadsheet_reading import MOST_BYTES, BrokenSheet
from payments.models import Account, Settlement, SettlementRow
from payments.statements.archives import unpacked
from tests import build
from tests.imports.sheets import xlsx_file
from tests.reconciliation.files import Sale, alipay_file

PAID = Sale("2026112022001", Decimal("95.00"), datetime(2026, 11, 20, 2, 30, tzinfo=UTC))
BILL = alipay_file([PAID])
TRADES = "20880000000000000156_20261120_业务明细.csv"
SUMS = "20880000000000000156_20261120_业务明细(汇总).csv"
ROOT: dict[str, Any] = {"is_staff": True, "is_superuser": True}


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def in_gbk(**files: bytes) -> bytes:
    """The same, with the names in GBK and no mark that says so, as Alipay packs."""
    plain = {f"{number:x}" * len(name.encode("gbk")): name for number, name in enumerate(files)}
    content = packed(**dict(zip(plain, files.values(), strict=True)))
    for stand_in, name in plain.items():
        content = content.replace(stand_in.encode(), name.encode("gbk"))
    return content


def upload(content: bytes, account: Account) -> Any:
    client = Client()
    client.force_login(User.objects.get_or_create(username="root", **ROOT)[0])
    file = SimpleUploadedFile("20880000000000000156_20261120.zip", content)
    url = "/admin/payments/settlement/upload/"
    return client.post(url, {"account": account.pk, "file": file}, follow=True)


def test_the_single_trades_are_found_beside_their_sums() -> None:
    assert unpacked(in_gbk(**{SUMS: b"#sums", TRADES: BILL})) == BILL


@pytest.mark.parametrize(
    "others",
    [
        {},
        {SUMS: b"#sums"},
        {"__MACOSX/._bill.csv": b"x", ".DS_Store": b"x"},
    ],
)
def test_one_statement_is_enough_whatever_the_programs_put_beside_it(
    others: dict[str, bytes],
) -> None:
    assert unpacked(packed(**others, **{"bill.csv": BILL})) == BILL


def test_what_is_no_archive_stays_as_it_is() -> None:
    workbook = xlsx_file(["a", "b"], [1, 2])

    assert unpacked(BILL) == BILL
    assert unpacked(workbook) == workbook


def spoilt(content: bytes) -> bytes:
    """One byte in the middle of what is packed is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def with_password(content: bytes) -> bytes:
    """As the directory of an archive says it."""
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + b"\x01" + content[at + 1 :]


def understated(content: bytes) -> bytes:
    """An archive whose directory says that its file has ten bytes."""
    at = content.index(b"PK\x01\x02") + 24
    return content[:at] + (10).to_bytes(4, "little") + content[at + 4 :]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (packed(a=b"1", b=b"2"), "several files"),
        (packed(), "no statement"),
        (in_gbk(**{SUMS: b"#sums"}), "no statement"),
        (packed(a=BILL)[:-40], "damaged"),
        (spoilt(packed(a=BILL)), "damaged"),
        (understated(packed(a=BILL)), "damaged"),
        (with_password(packed(a=BILL)), "password"),
        (packed(a=b"0" * (MOST_BYTES + 1)), "too large"),
        (packed(a=b"0" * 1_000_000), "too large"),
    ],
)
def test_any_other_archive_is_refused_with_what_to_do(content: bytes, sentence: str) -> None:
    with pytest.raises(BrokenSheet, match=sentence):
        unpacked(content)


def test_a_bill_is_uploaded_as_it_was_downloaded(db: None) -> None:
    build.programme(language="en")
    account = Account.objects.create(provider="alipay", name="Alipay", store=build.store())

    upload(in_gbk(**{TRADES: BILL, SUMS: b"#sums"}), account)
    page = upload(BILL, account)

    settlement = Settlement.objects.get()
    assert (settlement.format, settlement.rows_read) == ("alipay", 1)
    assert SettlementRow.objects.get().payment_ref == PAID.ref
    assert "This file was taken in already." in page.content.decode()


def test_an_archive_that_holds_too_much_is_refused_on_the_page(db: None) -> None:
    build.programme(language="en")
    account = Account.objects.create(provider="alipay", name="Alipay", store=build.store())

    page = upload(packed(a=BILL, b=BILL), account)

    assert "Unpack it and upload them one by one." in page.content.decode()
    assert not Settlement.objects.exists()
