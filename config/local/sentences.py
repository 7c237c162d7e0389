"""The sentences in our code and templates that people read, and their translations."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

# By context and text (or singular and plural): the files that hold the sentence.
Sentences = dict[tuple[str | None, str | tuple[str, str]], list[tuple[str, int]]]

LANGUAGES = ("zh_Hant", "zh_Hans")
_OUR_FOLDERS = ("kit", "members", "payments", "loyalty", "campaigns", "config", "templates")
_LAZY = {"gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_KEYWORDS = DEFAULT_KEYWORDS | {f"{name}_lazy": spec for name, spec in _LAZY.items()}
_KEYWORDS |= {"gettext_noop": None, "npgettext_lazy": ((1, "c"), 2, 3)}
# What is said now and read later (kit/said.py).
_KEYWORDS |= dict.fromkeys(
    (
        "said",
        "Explained",
        "AbsurdAmount",
        "CannotDecrypt",
        "CurrencyMismatch",
        "MalformedPayload",
        "MismatchedCurrency",
        "MoneyError",
        "UnbookableNotice",
        "Unreadable",
    )
)

_STRING = r"""(?:u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(
    rf"\b(_|gettext|ngettext|pgettext|npgettext)\((\s*{_STRING}(?:\s*,\s*{_STRING})*)"
)
_PLACEHOLDER = re.compile(r"(%\([a-zA-Z_]\w*\)[+-]?[sdf]|(?<!%)%[sdf])|\{(\w*)(?::[^{}]*)?\}")


def find(root: Path) -> Sentences:
    found: Sentences = {}
    for folder in _OUR_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = str(path.relative_to(root))
            for context, message in in_file(path):
                found.setdefault((context, message), []).append((name, 1))
    return found


def read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language, project="Regulars", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def compare(ours: Sentences, catalogue: Catalog) -> Iterator[str]:
    """What is wrong, one line each."""
    for (context, message), places in ours.items():
        entry = catalogue.get(singular(message), context)
        if entry is None:
            yield f"{places[0][0]}: missing: {message!r}"
        elif trouble := _trouble(entry):
            yield f"{places[0][0]}: {trouble}: {message!r}"
    said = {(context, singular(message)) for context, message in ours}
    for entry in catalogue:
        if entry.id and (entry.context, singular(entry.id)) not in said:
            yield f"said nowhere: {entry.id!r}"


def _trouble(entry: Message) -> str:
    texts = [entry.string] if isinstance(entry.string, str) else list(entry.string or [""])
    originals = [entry.id] if isinstance(entry.id, str) else list(entry.id)
    if entry.fuzzy:
        return "fuzzy"
    if not all(texts):
        return "empty"
    allowed = [set(_PLACEHOLDER.findall(text)) for text in originals]
    if any(set(_PLACEHOLDER.findall(text)) not in allowed for text in texts):
        return "other placeholders than the original"
    return ""


def singular(message: str | Sequence[str]) -> str:
    return message if isinstance(message, str) else message[0]


def in_file(path: Path) -> Iterator[tuple[str | None, str | tuple[str, str]]]:
    if path.suffix == ".py" and "migrations" not in path.parts:
        with path.open("rb") as file:
            for _, message, _, context in extract("python", file, keywords=_KEYWORDS):
                yield context, message if isinstance(message, str) else (message[0], message[1])
    elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
        yield from _in_template(path.read_text())


def _in_template(source: str) -> Iterator[tuple[str | None, str | tuple[str, str]]]:
    """Django turns a template into calls amid padding; the calls are what counts."""
    for function, arguments in _CALL.findall(templatize(source)):
        texts = [ast.literal_eval(text) for text in re.findall(_STRING, arguments)]
        context = texts.pop(0) if function in {"pgettext", "npgettext"} else None
        yield context, (texts[0], texts[1]) if function.startswith("n") else texts[0]
