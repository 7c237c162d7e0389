"""Broken files of every kind end in one sentence; good ones in a table."""

import io
import random
import zipfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from kit.spreadsheet_reading import MOST_ROWS, BrokenSheet, fold, read_sheet
from tests.imports.sheets import csv_file, xlsx_file

WORDS = {fold(word) for word in ("name", "phone", "姓名", "電話", "电话", "電郵", "手机")}


def read(content: bytes, encoding: str = "") -> list[tuple[object, ...]]:
    sheet = read_sheet(content, known_words=WORDS, encoding=encoding)
    return [sheet.headers, *(cells for _number, cells in sheet.rows)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_reads_unicode_with_and_without_a_byte_order_mark(encoding: str) -> None:
    content = csv_file(["姓名", "電話"], ["陳大文", "91234567"], encoding=encoding)

    assert read(content) == [("姓名", "電話"), ("陳大文", "91234567")]


@pytest.mark.parametrize(
    ("encoding", "header", "name"),
    [
        ("big5", ["姓名", "電話"], "陳大文"),
        ("big5hkscs", ["姓名", "電話"], "陳𨋢"),
        ("gb18030", ["姓名", "电话"], "张小明"),
        ("gb18030", ["姓名", "電話"], "陳大文"),
    ],
)
def test_it_finds_the_chinese_encoding_of_a_single_row(
    encoding: str, header: list[str], name: str
) -> None:
    content = csv_file(header, [name, "91234567"], encoding=encoding)

    assert read(content) == [tuple(header), (name, "91234567")]


@pytest.mark.parametrize(
    ("encoding", "surnames", "given"),
    [
        ("big5", "陳李張黃何吳劉林周葉鄭羅梁謝", "大文家明美玲志偉嘉欣詠詩俊傑淑芬"),
        ("gb18030", "陈李张黄何吴刘林周叶郑罗梁谢", "大文家明美玲志伟嘉欣咏诗俊杰淑芬"),
        ("gb18030", "陳李張黃何吳劉林周葉鄭羅梁謝", "大文家明美玲志偉嘉欣詠詩俊傑淑芬"),
    ],
)
def test_it_finds_the_encoding_of_thirty_names_under_english_headers(
    encoding: str, surnames: str, given: str
) -> None:
    dice = random.Random(7)
    for _file in range(50):
        rows = [
            [dice.choice(surnames) + "".join(dice.choices(given, k=2)), "9123"] for _ in range(30)
        ]
        content = csv_file(["name", "phone"], *rows, encoding=encoding)

        assert read(content)[1:] == [tuple(row) for row in rows]


def test_a_chosen_encoding_is_taken_at_its_word() -> None:
    content = csv_file(["姓名"], ["陈"], encoding="gb18030")

    assert read(content, "gb18030") == [("姓名",), ("陈",)]
    with pytest.raises(BrokenSheet, match="cannot be read"):
        read(content, "utf-8")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_finds_the_delimiter(delimiter: str) -> None:
    content = csv_file(["name", "phone"], ["Mei, Ltd; x", "1"], delimiter=delimiter)

    assert read(content) == [("name", "phone"), ("Mei, Ltd; x", "1")]


def test_titles_and_blank_rows_do_not_count_but_row_numbers_stay() -> None:
    content = csv_file(["Members of 2026"], [], ["Name", "Phone"], [], ["Mei", "1"])

    sheet = read_sheet(content, known_words=WORDS)

    assert sheet.headers == ("Name", "Phone")
    assert sheet.rows == [(5, ("Mei", "1"))]


def test_numbers_of_a_workbook_come_back_as_they_were_meant() -> None:
    content = xlsx_file(
        ["name", "phone", "price", "at"],
        ["Mei", 85291234567, 0.1 + 0.2, datetime(2026, 1, 31, 18, 30)],  # noqa: DTZ001
    )

    assert read(content)[1] == (
        "Mei",
        85291234567,
        Decimal("0.3"),
        datetime(2026, 1, 31, 18, 30),  # noqa: DTZ001
    )


def test_the_other_sheets_of_a_workbook_are_named() -> None:
    sheet = read_sheet(xlsx_file(["name"], ["Mei"], tabs=("Notes",)), known_words=WORDS)

    assert (sheet.tab, sheet.tabs_left_out) == ("Rows", ("Notes",))


def zip_of(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return out.getvalue()


def with_far_cell(place: bytes) -> bytes:
    """A workbook that claims a cell where nobody ever was."""
    return with_sheet(lambda sheet: sheet.replace(b'r="A2"', b'r="' + place + b'"'))


def with_sheet(
    change: Callable[[bytes], bytes], *, path: str = "xl/worksheets/sheet1.xml"
) -> bytes:
    """A workbook whose sheet was changed, and perhaps stands in another entry."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_file(["name"], ["Mei"]))) as good,
        zipfile.ZipFile(out, "w") as bad,
    ):
        for entry in good.namelist():
            content, name = good.read(entry), entry
            if entry.endswith("sheet1.xml"):
                content, name = change(content), path
            if entry.endswith("workbook.xml.rels"):
                target = path.removeprefix("xl/").encode()
                content = content.replace(b"worksheets/sheet1.xml", target)
            bad.writestr(name, content)
    return out.getvalue()


def far(change: bytes) -> bytes:
    return with_sheet(lambda sheet: sheet.replace(b'r="A2"', change))


def spread(cells: bytes) -> bytes:
    return with_sheet(lambda sheet: sheet.replace(b"<sheetData>", b"<sheetData>" + cells))


def with_sheet_elsewhere(path: str) -> bytes:
    return with_sheet(lambda sheet: sheet.replace(b'r="A2"', b'r="XFD1048576"'), path=path)


OPEN_DOCUMENT = b"""<?xml version="1.0"?><o:document-content
 xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><o:body><o:spreadsheet>
<table:table table:name="A"><table:table-row table:number-rows-repeated="1000000">
<table:table-cell table:number-columns-repeated="100" o:value-type="float" o:value="1"/>
</table:table-row></table:table></o:spreadsheet></o:body></o:document-content>"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \r\n\r\n ", "empty"),
        (b",,,\r\n,,,\r\n", "empty"),
        (b"name,phone\r\n", "no rows below"),
        (b"PK\x03\x04 not a zip at all", "no readable spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old Excel file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no readable spreadsheet|cannot be read"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\xff\xff", "no readable spreadsheet|cannot be read"),
        (b'name,phone\r\nMei,"1\r\nBo,2\r\n', "near row 3|near row 2"),
        (b"name\r\n" + b"x" * 200_000, "near row 2"),
        (b"name\0,phone\r\nMei,1\r\n", "no readable spreadsheet"),
        (b"x" * (20 * 1024 * 1024 + 1), "too large"),
        (b"name\r\n" + b"Mei\r\n" * (MOST_ROWS + 1), "beyond 100,000 rows"),
        (b",".join([b"name"] * 201) + b"\r\n1\r\n", "beyond 200 columns"),
        (zip_of(hello_xml=b"<a/>"), "no readable spreadsheet"),
        (zip_of(xl__worksheets__sheet1_xml=b" " * 400_000_000), "too large"),
        (xlsx_file([]), "no sheet with rows"),
        (with_far_cell(b"A1048576"), "beyond 100,000 rows"),
        (with_far_cell(b"XFD2"), "beyond 200 columns"),
        (xlsx_file(["name"], ["Mei"])[:-200], "no readable spreadsheet"),
        # Each of these ended the whole web process.
        (far(b"r='A1048576'"), "beyond 100,000 rows"),
        (far(b'r  =\n "A1048576"'), "beyond 100,000 rows"),
        (far(b'r="a1048576"'), "beyond 100,000 rows"),
        (far(b'r="A' + b"0" * 99 + b'9999999"'), "beyond 100,000 rows"),
        (far(b"r='xfd2'"), "beyond 200 columns"),
        (with_sheet_elsewhere("xl/other/sheet1.xml"), "beyond 100,000 rows"),
        (with_sheet_elsewhere("xl/worksheets/sheet1.XML"), "beyond 100,000 rows"),
        (spread(b'<row r="90000000"><c><v>1</v></c></row>'), "beyond 100,000 rows"),
        (spread(b"<row/>" * (MOST_ROWS + 20)), "beyond 100,000 rows"),
        (spread(b"<row>" + b"<c><v>1</v></c>" * 201 + b"</row>"), "beyond 200 columns"),
        (zip_of(**{"content.xml": OPEN_DOCUMENT}), "no readable spreadsheet"),
        (zip_of(**{"CONTENT.xml": OPEN_DOCUMENT, "xl/x.xml": b""}), "no readable spreadsheet"),
        # And these held a thread of it for half a minute.
        (b"name,phone\r\n" + b"\n" * 2_000_000, "beyond 100,000 rows"),
        (b"name,phone\r\n" + b"," * 100_000, "beyond 200 columns"),
    ],
)
def test_a_broken_file_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(BrokenSheet, match=words):
        read(content)


def test_no_damage_to_a_workbook_is_more_than_a_refusal() -> None:
    whole = xlsx_file(["name", "phone"], *[[f"Mei {n}", n] for n in range(50)])
    dice = random.Random(11)

    for _time in range(200):
        damaged = bytearray(whole)
        for _byte in range(dice.randint(1, 12)):
            damaged[dice.randrange(4, len(damaged))] = dice.randrange(256)
        try:
            rows = read(bytes(damaged))
        except BrokenSheet:
            continue
        assert len(rows) <= 60
