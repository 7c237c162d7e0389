"""What a reader sees of a page, and what of it is in another language."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.pofile import read_po
from django.conf import settings
from playwright.sync_api import Page

# Text, and what is read out or shown on hovering. Left out: icons, which are ligatures of English
# words; payloads and errors of programs, which are nobody's prose; what somebody typed into a
# field; and what the page itself declares to be a code or in another language.
_READ = """() => {
  const out = [];
  const skipped = "script, style, template, noscript, pre, code, textarea, [translate=no],"
    + " [lang]:not(html), .material-symbols-outlined";
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.closest(skipped) && node.data.trim()) out.push(node.data.trim());
  }
  for (const name of ["placeholder", "aria-label", "title", "alt"])
    for (const element of document.querySelectorAll(`[${name}]`))
      if (!element.closest(skipped)) out.push(element.getAttribute(name));
  for (const button of document.querySelectorAll("input[type=submit], input[type=button]"))
    out.push(button.value);
  return out;
}"""

# Names of things, in every language the same.
ALLOWED = frozenset(
    word
    for words in (
        "Regulars API CSV Excel JavaScript UTF JSON QR SKU ID IP HTTP GET POST MB ISO URL",
        "Stripe Standard Webhooks Webhook webhook Open Celery Big5 HKSCS GBK",
        "HKD CNY TWD GBP USD SGD HK US NT CN TW",
        "Ctrl Control Command Mac esc",  # Keys, as they are labelled.
        "English en zh hant hans",  # In the switch of languages.
        "boss",  # Who is signed in.
    )
    for word in words.split()
)
# Addresses, codes and numbers: what has a digit, an underscore, an @ or a dot within; and codes of
# members and coupons, which chance may give no digit.
_NOT_A_WORD = re.compile(
    r"(?:https?:/)?/[!-~]+|[!-~]*(?:[\d_@*•{}]|[.:](?=[!-~]))[!-~]*|[A-Z]{1,3}\$"
    r"|(?<![A-Za-z])(?:M[A-Z]{9}|C[A-Z]{11})(?![A-Za-z])"
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def texts_of(page: Page) -> list[str]:
    return list(page.evaluate(_READ))


def english_in(texts: Iterable[str], allowed: Iterable[str] = ()) -> set[str]:
    """The texts with a word of English in them that is no name."""
    fine = ALLOWED | set(allowed)
    return {text for text in texts if set(_WORD.findall(_NOT_A_WORD.sub(" ", text))) - fine}


def strangers_in(texts: Iterable[str], language: str) -> set[str]:
    """The texts with a character that is written only in the other form of Chinese."""
    strangers = _SIMPLIFIED if language == "zh-hant" else _TRADITIONAL
    # Languages go by their own names.
    return {text for text in texts if set(re.sub("繁體中文|简体中文", "", text)) & strangers}


def catalogues_of(language: str) -> Iterator[Path]:
    for folder in settings.LOCALE_PATHS:
        yield from (folder / language / "LC_MESSAGES").glob("*.po")


def translations(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for entry in read_po(file):
            if entry.id:
                yield (
                    entry.string if isinstance(entry.string, str) else "".join(entry.string or ())
                )


# The national standards tell the two forms apart. The first part of Big5 holds what is in daily
# use; 着 is one of Hong Kong's own. Some are in both standards, but in use in one form only.
_IDEOGRAPHS = [chr(code) for code in range(0x4E00, 0x9FA6)]
_RARE_IN_BIG5 = 0xC9


def _bytes(standard: str, character: str) -> bytes:
    return character.encode(standard, errors="ignore")


def _is_in_daily_use(character: str) -> bool:
    return b"" < _bytes("big5", character) < bytes([_RARE_IN_BIG5])


_SIMPLIFIED = {
    character
    for character in _IDEOGRAPHS
    if _bytes("gb2312", character) and not _is_in_daily_use(character)
} - {"着"} | set("后里于几么余云儿听坏")
_TRADITIONAL = {
    character
    for character in _IDEOGRAPHS
    if _bytes("big5", character) and not _bytes("gb2312", character)
} | set("於後裏裡麼")
