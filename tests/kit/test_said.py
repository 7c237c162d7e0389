"""What is said now and read later: kept once, with its values apart, and read in any language."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import said as said_module
from kit import wording
from kit.money import Money, MoneyError
from kit.said import Explained, said
from kit.untrusted import Fields, Unreadable
from kit.wording import said_in_words

ROOT = Path(__file__).parents[2]
SAYING = {
    *("said", "Explained", "Unreadable", "MoneyError", "CurrencyMismatch", "CannotDecrypt"),
    *("MalformedPayload", "AbsurdAmount", "MismatchedCurrency", "UnbookableNotice"),
}
CHINESE = {
    "%(field)s is blank.": "%(field)s 為空。",
    "It answered with status %(status)s: %(problem)s": "對方以狀態碼 %(status)s 回應：%(problem)s",
    "A field occurs twice.": "有一個欄位出現了兩次。",
    "Signature": "簽名",
}


@pytest.fixture
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "gettext", lambda sentence: CHINESE.get(sentence, sentence))


def test_a_sentence_is_read_in_the_language_of_its_reader(in_chinese: None) -> None:
    with pytest.raises(Unreadable) as refused:
        Fields({}, "data.").word("id")
    with pytest.raises(Unreadable) as blank:
        Fields({"id": " "}, "data.").text("id")

    assert str(blank.value) == "data.id is blank."
    assert json.loads(blank.value.kept) == ["%(field)s is blank.", {"field": "data.id"}]
    assert said_in_words(blank.value.kept) == "data.id 為空。"
    assert said_in_words(refused.value.kept) == "data.id is missing."


def test_what_an_error_says_may_stand_inside_what_another_says(in_chinese: None) -> None:
    inner = Unreadable("%(field)s is blank.", field="returnCode")
    twice = Unreadable("A field occurs twice.")

    outer = said("It answered with status %(status)s: %(problem)s", status=200, problem=inner)
    other = said("It answered with status %(status)s: %(problem)s", status=500, problem=twice)

    assert said_in_words(outer) == "對方以狀態碼 200 回應：returnCode 為空。"
    assert said_in_words(other) == "對方以狀態碼 500 回應：有一個欄位出現了兩次。"


def test_a_sentence_without_values_is_kept_as_it_is(in_chinese: None) -> None:
    assert said("A field occurs twice.") == "A field occurs twice."
    assert said_in_words("A field occurs twice.") == "有一個欄位出現了兩次。"


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "Signature",
        "612 s",
        "ValueError: odd",
        '["',
        '["only"]',
        '["%(a)s", 5]',
        '["%(a)s", ["b"]]',
        '["a", {}, {}]',
    ],
)
def test_what_was_kept_as_text_or_damaged_is_shown_as_it_is(kept: str, in_chinese: None) -> None:
    assert said_in_words(kept) == kept


@pytest.mark.parametrize(
    ("sentence", "read"),
    [("%(a)999999999s.", "%(a)999999999s."), ("%(b)s and %d.", "%(b)s and %d."), ("", "")],
)
def test_a_strange_sentence_formats_nothing(sentence: str, read: str) -> None:
    assert said_in_words(json.dumps([sentence, {"a": "x"}])) == read


def test_values_are_kept_short_and_printable() -> None:
    error = Explained("%(a)s, %(b)s", a="x\n\x00\ud800", b="9" * 500)

    assert said_in_words(error.kept) == f"x \ufffd\ufffd, {'9' * 119}…"
    assert len(error.kept) < 300
    error.kept.encode()


def test_money_says_in_a_sentence_what_is_wrong(in_chinese: None) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.parse("1.005", "HKD")

    assert json.loads(refused.value.kept) == [
        "%(value)s has more decimals than %(currency)s allows.",
        {"value": "1.005", "currency": "HKD"},
    ]


def test_a_missing_side_remark_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_values: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(said_module.Explained, "__init__", refuse)

    assert [Fields({"a": given}).hint("a") for given in (None, "")] == ["", ""]


def test_every_sentence_stands_in_the_code_word_for_word() -> None:
    """With a value inside it would be nobody's in the catalogues: it would stay English."""
    found = list(_sayings())

    assert len(found) > 80
    assert [place for place, first in found if not _is_sentence(first)] == []


def test_no_name_of_an_error_s_class_is_kept_or_shown() -> None:
    naming = re.compile(r"type\((problem|error|refusal|broken)\)\.__name__")

    found = [path for path in _modules() if naming.search(path.read_text())]

    assert found == []


def _modules() -> Iterator[Path]:
    for folder in ("kit", "members", "payments", "loyalty", "campaigns", "config"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def _is_sentence(first: ast.expr) -> bool:
    """Or a text that came from elsewhere."""
    if isinstance(first, ast.Constant):
        return str(first.value).endswith((".", ": %(problem)s", ": %(told)s"))
    return not isinstance(first, ast.JoinedStr | ast.BinOp)


def _sayings() -> Iterator[tuple[str, ast.expr]]:
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                if node.func.id in SAYING:
                    yield place, node.args[0]
