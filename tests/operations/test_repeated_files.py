"""Uploading a settlement file: what is in it is shown, and one that came before is recognised."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from payments.models import Account, Settlement, SettlementRow
from payments.services.reconcile.repeats import repeated_by
from tests import build
from tests.build import NOON
from tests.operations.test_settlement_pages import COLUMNS, UPLOAD, finance, upload
from tests.reconciliation.files import KINDS, Sale, book, generic_file, sales

AGAIN = f"{UPLOAD}again/"
BANK = (
    "Value date,Payer,Details,Amount,Ref no\n"
    "2026-11-20 10:00,CHAN TAI MAN,call 9123 4567 <b>now</b>,1250000,0020261120\n"
    "2026-11-20 10:05,WONG,mei@example.com,80.00,0020261121\n"
)
CHOSEN = {
    "time": "Transaction date", "amount": "Amount", "reference": "Reference", "fee": "Fee",
    "effect": "Refund reference", "sign": "minus", "day_order": "ymd",
}  # fmt: skip


@pytest.fixture
def octopus(db: None) -> Account:
    cache.clear()
    build.programme(language="en")
    return Account.objects.create(provider="octopus", name="Octopus", store=build.store())


@pytest.fixture
def wechat(octopus: Account) -> Account:
    return Account.objects.create(provider="wechatpay", name="WeChat", store=octopus.store)


def at(hours: int) -> Any:
    return time_machine.travel(NOON + timedelta(hours=hours), tick=False)


def page_of(client: Client, settlement: Settlement) -> str:
    page = client.get(reverse("admin:payments_settlement_change", args=[settlement.pk]))
    return " ".join(page.content.decode().split())


# What is in the file


def test_the_first_rows_are_shown_beside_the_choices(octopus: Account) -> None:
    page = upload(finance("mei"), octopus, BANK.encode())

    text = page.content.decode()
    assert "The first rows of the file" in text
    assert '<th scope="col">Value date</th>' in text
    assert "<td>2026-11-20 10:05</td>" in text
    assert '<option value="Ref no" selected>Ref no = 0020261120</option>' in text
    assert '<option value="Amount" selected>Amount = 1250000</option>' in text


def test_what_is_shown_is_masked_and_escaped(octopus: Account) -> None:
    text = upload(finance("mei"), octopus, BANK.encode()).content.decode()

    for secret in ("CHAN", "WONG", "9123 4567", "mei@example.com", "<b>now</b>"):
        assert secret not in text


@pytest.mark.parametrize(
    "header", ["付款人", "對方戶名", "摘要", "Counterparty", "Account No", "Transaction details"]
)
def test_where_a_bank_writes_names_nothing_is_shown(octopus: Account, header: str) -> None:
    asked = BANK.replace("Details", header).replace("call 9123 4567 <b>now</b>", "FPS 陳大文")

    text = upload(finance("mei"), octopus, asked.encode()).content.decode()

    assert f'<th scope="col">{header}</th>' in text
    assert "陳大文" not in text


def test_what_is_nobodys_is_escaped(octopus: Account) -> None:
    asked = BANK.replace("Details", "Kind of till").replace("call 9123 4567", "till")

    text = upload(finance("mei"), octopus, asked.encode()).content.decode()

    assert "<td>till &lt;b&gt;now&lt;/b&gt;</td>" in text


def test_of_a_wide_and_long_file_a_part_is_shown(octopus: Account) -> None:
    header = ",".join(["Date", "Amount", *(f"Column {n}" for n in range(50))])
    row = ",".join(["2026-11-20 10:00", "5.00", *(f"cell {n} " + "x" * 60 for n in range(50))])
    content = "\n".join([header, *[row] * 30])

    page = upload(finance("mei"), octopus, content.encode())

    preview = page.context["preview"]
    assert (len(preview.headers), len(preview.rows), preview.columns) == (40, 5, 52)
    assert max(len(cell) for row in preview.rows for cell in row) == 40
    assert "The first 40 of 52 columns are shown." in page.content.decode()


def test_a_ragged_file_is_shown_as_it_is(octopus: Account) -> None:
    page = upload(finance("mei"), octopus, b"Date,Amount,Branch\n2026-11-20 10:00,5.00\n1,2,3,4\n")

    assert page.context["preview"].rows == [["2026-11-20 10:00", "5.00", ""], ["1", "2", "3"]]


# The very same file


def test_the_same_file_leads_to_the_earlier_one(wechat: Account) -> None:
    file = KINDS["wechat"].write(sales(42))
    with at(0):
        upload(finance("mei"), wechat, file)
    earlier = Settlement.objects.get()

    with at(24):
        page = upload(finance("bo"), wechat, file)

    text = " ".join(page.content.decode().split())
    assert page.redirect_chain == [(AGAIN, 302)]
    assert "This file was taken in already. Nothing was taken in a second time." in text
    assert "<dt>Uploaded at</dt><dd>21 Nov 2026, 12:00</dd>" in text
    assert "<dt>Uploaded by</dt><dd>mei</dd>" in text
    assert reverse("admin:payments_settlement_change", args=[earlier.pk]) in text
    assert Settlement.objects.get() == earlier


def test_who_means_it_takes_the_file_in_once_more(wechat: Account) -> None:
    client, rows = finance("mei"), sales(42)
    file = KINDS["wechat"].write(rows)
    upload(client, wechat, file)
    earlier = Settlement.objects.get()
    upload(client, wechat, file)

    page = client.post(AGAIN, {"earlier": earlier.pk}, follow=True)
    repeated = client.post(AGAIN, {"earlier": earlier.pk}, follow=True)

    earlier.refresh_from_db()
    later = Settlement.objects.exclude(pk=earlier.pk).get()
    assert str(earlier.withdrawn_by) == "mei"
    assert later.withdrawn_at is None
    assert SettlementRow.objects.filter(settlement=later, number__gt=0).count() == len(rows)
    assert "rows of this file are in an earlier one" not in page.content.decode()
    assert repeated.redirect_chain == [(UPLOAD, 302)]


def test_who_was_slower_is_led_to_the_one_that_counts(wechat: Account) -> None:
    mei, bo = finance("mei"), finance("bo")
    file = KINDS["wechat"].write(sales(42))
    upload(mei, wechat, file)
    earlier = Settlement.objects.get()
    for client in (mei, bo):
        upload(client, wechat, file)
    mei.post(AGAIN, {"earlier": earlier.pk})

    answer = bo.post(AGAIN, {"earlier": earlier.pk})

    standing = Settlement.objects.get(withdrawn_at=None)
    assert answer["Location"] == reverse("admin:payments_settlement_change", args=[standing.pk])
    assert Settlement.objects.count() == 2


def test_a_table_is_recognised_before_its_columns_are_asked_for(octopus: Account) -> None:
    client, file = finance("mei"), generic_file(sales(42))
    upload(client, octopus, file)
    client.post(COLUMNS, CHOSEN)
    earlier = Settlement.objects.get()

    asked = upload(client, octopus, file)
    meant = client.post(AGAIN, {"earlier": earlier.pk})
    still = Settlement.objects.count()
    done = client.post(COLUMNS, {**CHOSEN, "fee": ""})

    assert asked.redirect_chain == [(AGAIN, 302)]
    assert (meant["Location"], still) == (COLUMNS, 1)
    earlier.refresh_from_db()
    later = Settlement.objects.exclude(pk=earlier.pk).get()
    assert earlier.withdrawn_at is not None
    assert done["Location"] == reverse("admin:payments_settlement_change", args=[later.pk])


def test_for_another_account_it_is_another_file(wechat: Account, octopus: Account) -> None:
    client, file = finance("mei"), KINDS["wechat"].write(sales(42))
    upload(client, wechat, file)

    page = upload(client, octopus, file, form="wechat")

    assert Settlement.objects.filter(withdrawn_at=None).count() == 2
    assert "rows of this file are in an earlier one" not in page.content.decode()


# Nearly the same file


def twice(account: Account, first: list[Sale], second: list[Sale]) -> tuple[Client, Settlement]:
    client = finance("mei")
    with at(0):
        upload(client, account, KINDS["wechat"].write(first))
    with at(24):
        upload(client, account, KINDS["wechat"].write(second))
    return client, Settlement.objects.latest("uploaded_at")


def test_a_file_of_rows_that_came_before_points_there(wechat: Account) -> None:
    rows = sales(42)
    book(wechat, KINDS["wechat"], rows)

    client, later = twice(wechat, rows, rows[2:])

    text = page_of(client, later)
    earlier = Settlement.objects.earliest("uploaded_at")
    assert "40 of the 40 rows of this file are in an earlier one too." in text
    assert reverse("admin:payments_settlement_change", args=[earlier.pk]) in text
    assert "21 Nov 2026, 12:00, mei</p>" in text
    assert "in an earlier one" not in page_of(client, earlier)


@pytest.mark.parametrize(("shared", "is_told"), [(34, True), (33, False)])
def test_so_many_rows_make_it_the_same(wechat: Account, shared: int, *, is_told: bool) -> None:
    rows = sales(42)
    others = [Sale(f"other-{n}", Decimal(n + 1), rows[n].at) for n in range(len(rows) - shared)]

    client, later = twice(wechat, rows, [*rows[:shared], *others])

    assert (repeated_by(later) is not None) is is_told
    assert ("in an earlier one too" in page_of(client, later)) is is_told


def test_a_withdrawn_file_repeats_nothing_and_is_not_repeated(wechat: Account) -> None:
    rows = sales(42)
    client, later = twice(wechat, rows, rows[1:])
    earlier = Settlement.objects.earliest("uploaded_at")
    Settlement.objects.filter(pk=earlier.pk).update(withdrawn_at=NOON)
    of_withdrawn = repeated_by(later)
    Settlement.objects.filter(pk=later.pk).update(withdrawn_at=NOON)
    later.refresh_from_db()

    assert of_withdrawn is None
    assert repeated_by(later) is None
    assert "in an earlier one" not in page_of(client, later)


def test_few_earlier_files_are_looked_at_and_each_once(wechat: Account) -> None:
    client, rows = finance("mei"), sales(42)
    for n in range(6):
        with at(n):
            upload(client, wechat, KINDS["wechat"].write(rows[n:]))
    later = Settlement.objects.latest("uploaded_at")

    with at(6), CaptureQueriesContext(connection) as first:
        found = repeated_by(later)
    with at(6), CaptureQueriesContext(connection) as again:
        repeated_by(later)

    assert found is not None
    assert found.rows == later.rows_read
    assert (len(first), len(again)) == (1, 1)  # What two files share was kept by the page.
