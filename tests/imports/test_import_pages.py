"""The import pages of the admin: upload, preview, confirm, and whatever a person may do wrong."""

import io
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from python_calamine import load_workbook

from config.groups import make_groups
from members.models import Member, StaffScope
from payments.models import Product, Transaction
from tests import build
from tests.imports.sheets import csv_file

pytestmark = pytest.mark.django_db

SALES = csv_file(
    ["Order number", "Date", "SKU", "Description", "Qty", "Unit price", "Customer"],
    ["1001", "2026-01-20 18:30", "TEA-1", "Oolong", 2, "45.00", "K7"],
)
KINDS = ["members_member", "payments_product", "payments_transaction"]


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / "sheets"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


@pytest.fixture
def manager(client: Client) -> Client:
    """A store manager of CENTRAL, with the rights that the group has."""
    make_groups()
    user = get_user_model().objects.create_user("manager", is_staff=True)
    user.groups.add(Group.objects.get(name="Store manager"))
    StaffScope.objects.create(user=user).stores.add(build.store())
    client.force_login(user)
    return client


def upload(client: Client, kind: str, content: bytes, **choices: Any) -> Any:
    file = SimpleUploadedFile("rows.csv", content)
    return client.post(
        reverse(f"admin:{kind}_import"), {"import_file": file, "format": "0", **choices}
    )


def confirm(client: Client, kind: str, page: Any, **changes: Any) -> Any:
    form = page.context["confirm_form"]
    fields = {name: form[name].value() for name in form.fields}
    given = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return client.post(reverse(f"admin:{kind}_process_import"), given, follow=True)


def text(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "zh-hant", "zh-hans"])
def test_the_page_and_its_template_open_in_each_language(
    boss: Client, kind: str, language: str
) -> None:
    boss.cookies[settings.LANGUAGE_COOKIE_NAME] = language

    page = boss.get(reverse(f"admin:{kind}_import"))
    template = boss.get(reverse(f"admin:{kind}_import_template"))

    assert page.status_code == template.status_code == 200
    header = load_workbook(io.BytesIO(template.content)).get_sheet_by_index(0).to_python()[0]
    assert header == [column.label for column in page.context["columns"]] or language != "en"
    assert len(header) == len(page.context["columns"])


def test_nothing_stands_before_it_is_confirmed(boss: Client, folder: Path) -> None:
    page = upload(boss, "payments_transaction", SALES)

    assert "Nothing is imported yet" in text(page)
    assert not Transaction.objects.exists()

    done = confirm(boss, "payments_transaction", page)

    assert "Imported: 1 rows new" in text(done)
    assert Transaction.objects.get().amount == 90
    assert LogEntry.objects.get().object_repr == "rows.csv"
    assert list(folder.iterdir()) == []


def test_an_upload_lies_sealed_and_is_swept_after_a_day(boss: Client, folder: Path) -> None:
    upload(boss, "payments_transaction", SALES)
    (first,) = folder.iterdir()
    sealed = first.read_bytes()
    os.utime(first, (time.time() - 90_000, time.time() - 90_000))

    upload(boss, "payments_transaction", SALES)

    assert b"Oolong" not in sealed
    assert first.stat().st_mode & 0o077 == 0 if first.exists() else True
    assert not first.exists()


def test_a_second_click_on_confirm_is_told_so(boss: Client) -> None:
    page = upload(boss, "payments_transaction", SALES)
    confirm(boss, "payments_transaction", page)

    again = confirm(boss, "payments_transaction", page)

    assert "imported already or has expired" in text(again)
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"import_file_name": "../../settings.py"},
        {"import_file_name": "0" * 32},
        {"format": "7"},
        {"format": "x"},
        {"store": "999"},
        {"encoding": "rot13"},
        {"import_file_name": ""},
    ],
)
def test_a_tampered_confirmation_imports_nothing(boss: Client, changes: dict[str, str]) -> None:
    page = upload(boss, "payments_transaction", SALES)

    answer = confirm(boss, "payments_transaction", page, **changes)

    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0].endswith("/import/")
    assert not Transaction.objects.exists()


def test_what_changed_since_the_preview_is_noticed(boss: Client) -> None:
    page = upload(boss, "payments_transaction", SALES)
    other = upload(boss, "payments_transaction", SALES.replace(b"45.00", b"46.00"))
    confirm(boss, "payments_transaction", other)

    answer = confirm(boss, "payments_transaction", page)

    assert "no longer fits" in text(answer)
    assert Transaction.objects.get().amount == 92


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content", [b"\0", b"PK\x03\x04x", b"\xd0\xcf\x11\xe0", b"a,b\r\n1,2\r\n", b'"', b"\xff\xfe"]
)
def test_a_broken_file_is_a_sentence_on_the_page(boss: Client, kind: str, content: bytes) -> None:
    page = upload(boss, kind, content)

    assert page.status_code == 200
    assert "confirm_form" not in page.context
    assert len(page.context["result"].base_errors) == 1
    assert str(page.context["result"].base_errors[0].error) in text(page).replace("&quot;", '"')
    assert "Traceback" not in text(page)


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_is_said_beside_the_field(boss: Client, kind: str) -> None:
    empty = upload(boss, kind, b"")
    missing = boss.post(reverse(f"admin:{kind}_import"), {"format": "0"})

    assert "empty" in text(empty)
    assert "required" in text(missing)


def test_errors_stand_beside_their_rows(boss: Client) -> None:
    page = upload(boss, "payments_transaction", SALES + b"1002,yesterday,A,A,1,1,\r\n")

    assert "confirm_form" not in page.context
    assert "“yesterday” is not a date" in text(page)
    assert "Nothing is imported while rows have errors" in text(page)


def test_rows_with_errors_are_left_out_if_one_wants_it(boss: Client) -> None:
    page = upload(
        boss,
        "payments_transaction",
        SALES + b"1002,yesterday,A,A,1,1,\r\n",
        skips_invalid="on",
        currency="gbp",
    )

    done = confirm(boss, "payments_transaction", page)

    assert "will be left out" in text(page)
    assert "Imported: 1 rows new, 0 changed, 0 known before, 1 left out" in text(done)
    assert Transaction.objects.get().currency == "GBP"


def test_importing_members_makes_their_waiting_payments_theirs(boss: Client) -> None:
    confirm(boss, "payments_transaction", upload(boss, "payments_transaction", SALES))
    members = csv_file(["Name", "Customer number"], ["Mei", "K7"])

    page = upload(boss, "members_member", members, region=build.region().pk)
    confirm(boss, "members_member", page)

    assert Transaction.objects.get().member == Member.objects.get()


def test_a_name_cannot_bring_markup_onto_the_page(boss: Client) -> None:
    content = csv_file(["SKU", "Name"], ["A", "<script>alert(1)</script>"], ["B", ""])

    page = upload(boss, "payments_product", content, skips_invalid="on")

    assert b"<script>alert" not in page.content
    assert b"&lt;script&gt;alert" in page.content


def test_a_store_manager_chooses_among_their_own_stores(manager: Client) -> None:
    island = build.store("ISLAND")

    page = upload(manager, "payments_transaction", SALES, store=build.store().pk)
    refused = upload(manager, "payments_transaction", SALES, store=island.pk)
    smuggled = confirm(manager, "payments_transaction", page, store=island.pk)

    assert refused.context["form"].errors.keys() == {"store"}
    assert smuggled.redirect_chain[-1][0].endswith("/import/")
    assert not Transaction.objects.exists()

    confirm(manager, "payments_transaction", page)

    assert Transaction.objects.get().store == build.store()


def test_who_may_not_add_may_not_import(client: Client) -> None:
    make_groups()
    user = get_user_model().objects.create_user("cashier", is_staff=True)
    user.groups.add(Group.objects.get(name="Cashier"))
    client.force_login(user)

    for kind in KINDS:
        for name in ("import", "import_template", "process_import"):
            page = reverse(f"admin:{kind}_{name}")
            assert client.post(page).status_code == 403


def test_the_list_leads_to_its_import(boss: Client) -> None:
    for kind in KINDS:
        page = boss.get(reverse(f"admin:{kind}_changelist"))

        assert reverse(f"admin:{kind}_import") in page.content.decode()


def test_an_export_shows_formulas_and_does_not_run_them(boss: Client) -> None:
    for number, name in enumerate(["=1+1", "==1+1", "+1", "-1", "@A1", "\t=1", "＝1+1", "plain"]):
        Product.objects.create(sku=f"P{number}", name=name)

    page = reverse("admin:payments_product_export")
    workbook = boss.post(page, {"format": "0", "resource": ""})
    as_csv = boss.post(page, {"format": "1", "resource": ""}).content.decode("utf-8-sig")

    rows = load_workbook(io.BytesIO(workbook.content)).get_sheet_by_index(0).to_python()
    assert [row[1] for row in rows[1:]] == [
        "=1+1", "==1+1", "+1", "-1", "@A1", "\t=1", "＝1+1", "plain",
    ]  # fmt: skip
    assert b"<f>" not in workbook.content
    assert [line.split(",")[1] for line in as_csv.splitlines()[1:]] == [
        "'=1+1", "'==1+1", "'+1", "'-1", "'@A1", "'\t'=1", "'＝1+1", "plain",
    ]  # fmt: skip
