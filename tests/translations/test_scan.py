"""What the scan of pages holds for a stranger."""

import pytest

from tests.translations import scan


@pytest.mark.parametrize(
    ("text", "is_english"),
    [
        ("Save", True),
        ("儲存 Save", True),
        ("Failed.", True),
        ("Date/time", True),
        ("儲存", False),
        ("HK$95.00", False),
        ("mei@example.com", False),
        ("payment_intent.succeeded", False),
        ("01a1ffd6-6691-768d", False),
        ("/admin/members/", False),
        ("支付寶 API", False),
        ("會員 MZJTTRNTSX | 券CWCYJBQPSZBH。", False),
        ("MEMBERSHIP CONFIRMED", True),
    ],
)
def test_words_are_told_from_codes(text: str, is_english: bool) -> None:
    assert bool(scan.english_in([text])) is is_english


@pytest.mark.parametrize(
    ("text", "language", "is_strange"),
    [
        ("優惠券", "zh-hant", False),
        ("優惠券", "zh-hans", True),
        ("优惠券", "zh-hans", False),
        ("优惠券", "zh-hant", True),
        ("以后", "zh-hant", True),
        ("值裏面有着逗號", "zh-hant", False),
        ("繁體中文", "zh-hans", False),
        ("简体中文", "zh-hant", False),
    ],
)
def test_the_two_forms_of_chinese_are_told_apart(
    text: str, language: str, is_strange: bool
) -> None:
    assert bool(scan.strangers_in([text], language)) is is_strange


@pytest.mark.parametrize("language", ["zh_Hant", "zh_Hans"])
def test_no_translation_is_written_in_the_other_chinese(language: str) -> None:
    texts = [text for path in scan.catalogues_of(language) for text in scan.translations(path)]

    assert len(texts) > 1000
    assert scan.strangers_in(texts, language.lower().replace("_", "-")) == set()
