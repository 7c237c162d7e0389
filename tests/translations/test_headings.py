"""The template of a spreadsheet is in the reader's language, and comes back in it."""

import pytest

from kit.spreadsheet_import import SheetResource
from members.imports.members import MemberSheet
from payments.imports.products import ProductSheet
from payments.imports.sales import SaleSheet


@pytest.mark.parametrize("sheet", [MemberSheet, ProductSheet, SaleSheet])
def test_no_two_columns_go_by_one_name(sheet: type[SheetResource]) -> None:
    names = [name for column in sheet.fields.values() for name in column.words]

    assert sorted(names) == sorted(set(names))
