"""No cell of a CSV becomes a formula, whatever the reader's program takes for a separator."""

import pytest

from kit.spreadsheets import quote_formula, unquote_formula, write_csv


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("x;=1", "x;'=1"),
        ("=1;=2", "'=1;'=2"),
        ("x; @SUM(A1)", "x; '@SUM(A1)"),
        ('x;"=1;', "x;\"'=1;"),
        ("x\t+1", "x\t'+1"),
        ("x\n-1", "x\n'-1"),
        ("x;＝1", "x;'＝1"),
        ("\t=1", "'\t'=1"),
        ("a;b", "a;b"),
        ("1+1=2", "1+1=2"),
    ],
)
def test_a_part_of_a_cell_is_quoted_too_and_comes_back_as_it_was(text: str, written: str) -> None:
    assert quote_formula(text) == written
    assert unquote_formula(written) == text


def test_no_cell_begins_a_formula_when_semicolons_separate() -> None:
    file = write_csv(["Name", "Note"], [["Mei", 'x;=HYPERLINK("http://example.com")']])

    cells = [cell for line in file.splitlines() for cell in line.split(";")]
    assert not [cell for cell in cells if cell.lstrip(' "').startswith("=")]
    assert "'=HYPERLINK" in file
