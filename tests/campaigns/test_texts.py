from datetime import UTC, datetime

import pytest
from django.utils import translation

from campaigns.models import Message
from campaigns.services.texts import BadText, locale_for, preview_texts, validate_text
from members.models import Member
from tests import build
from tests.build import NOON
from tests.campaigns import cast

pytestmark = pytest.mark.django_db


def test_known_variables_are_fine() -> None:
    validate_text("{{ name }} {{coupon}} {{ coupon_code }} {{ valid_until }} {{ tier }}")
    validate_text("{{ page }} {{ points }} {{ store }}", has_coupon=False)


@pytest.mark.parametrize(
    ("text", "has_coupon", "sentence"),
    [
        ("{{ nickname }}", True, "There is no variable “nickname”. Use one of: coupon, coupon_c"),
        ("{{ name }", True, "There are braces around something else than a variable."),
        ("{{ coupon }}", False, "“coupon” needs a coupon. Choose one for the campaign or remov"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(text: str, has_coupon: bool, sentence: str) -> None:
    with translation.override("en"), pytest.raises(BadText) as refusal:
        validate_text(text, has_coupon=has_coupon)

    assert str(refusal.value).startswith(sentence)


def _sent_to(member: Member) -> Message:
    cast.sell(member)
    cast.drain()
    return Message.objects.get(member=member)


BOTH = {
    "zh-hant": ("{{ coupon }}", "{{ name }} {{ valid_until }}"),
    "en": ("{{ coupon }}", "{{ name }} {{ valid_until }} {{ points }}"),
}


def test_each_member_reads_their_language_with_its_dates() -> None:
    build.earning_rule(rates={"HKD": ("1", 2)})
    cast.campaign(texts=BOTH)

    chinese = _sent_to(cast.reader("陳大文", language="zh-hant"))
    english = _sent_to(cast.reader("Mei", language="en"))

    assert (chinese.subject, chinese.body.splitlines()[0]) == ("九折券", "陳大文 2026年12月21日")
    assert english.subject == "Ten off"
    assert english.body.splitlines()[0] == "Mei 21 December 2026 1,760"


def test_who_has_no_text_of_their_own_reads_the_main_language() -> None:
    cast.campaign(texts=BOTH)

    message = _sent_to(cast.reader("小美", language="zh-hans"))

    assert message.subject == "九折券"
    assert message.language == "zh-hans"


def test_a_name_that_is_not_known_has_polite_words() -> None:
    cast.campaign(texts=BOTH)

    message = _sent_to(cast.reader("", language="en"))

    assert message.body.startswith("dear customer 21 December")


def test_the_store_is_that_of_the_payment_or_the_house() -> None:
    cast.campaign(texts={"zh-hant": ("{{ store }}", "{{ store }}")})
    build.programme(name_zh_hant="常客")
    build.store("CENTRAL", name_zh_hant="中環店")
    home = build.store("PEAK", name_zh_hant="山頂店")
    at_store, at_home, nowhere = cast.reader(), cast.reader(home_store=home), cast.reader()
    cast.sell(at_store, store_code="CENTRAL")
    cast.sell(at_home)
    cast.sell(nowhere)

    cast.drain()

    subjects = {row.member_id: row.subject for row in Message.objects.all()}
    assert subjects == {at_store.pk: "中環店", at_home.pk: "山頂店", nowhere.pk: "常客"}


def test_a_variable_without_a_value_withholds_the_message() -> None:
    cast.campaign(texts={"zh-hant": ("{{ tier }}", "{{ tier }}")})

    message = _sent_to(cast.reader())

    assert (message.state, message.reason, message.error) == ("withheld", "render_error", "tier")
    assert message.subject == message.body == ""


def test_a_name_is_no_markup(mailoutbox: list[object]) -> None:
    cast.campaign(texts={"zh-hant": ("Hi\n{{ name }}", "{{ name }} {{ page }}")})

    _sent_to(cast.reader("<b>Mei</b>\r\nBcc: all"))

    (mail,) = mailoutbox
    assert mail.subject == "Hi <b>Mei</b> Bcc: all"  # type: ignore[attr-defined]
    html = mail.alternatives[0][0]  # type: ignore[attr-defined]
    assert "<b>Mei" not in html
    assert "&lt;b&gt;Mei&lt;/b&gt;" in html
    assert mail.body.startswith("<b>Mei</b>")  # type: ignore[attr-defined]


def test_a_preview_shows_each_language_with_an_invented_member() -> None:
    campaign = cast.campaign(texts=BOTH)

    shown = preview_texts(campaign, "en", now=datetime(2026, 11, 1, tzinfo=UTC))
    fallback = preview_texts(campaign, "zh-hans", now=NOON)

    assert shown is not None
    assert shown.subject == "Ten off"
    assert shown.text.startswith("Chan Tai Man December 1, 2026 1,280")
    assert fallback is not None
    assert fallback.language == "zh-hant"
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    ("language", "region", "locale"),
    [
        ("zh-hant", "HK", "zh_Hant_HK"),
        ("zh-hant", "TW", "zh_Hant_TW"),
        ("zh-hans", "CN", "zh_Hans_CN"),
        ("en", "HK", "en_HK"),
        ("en", "NORTH", "en"),
        ("zh-hant", "", "zh_Hant"),
    ],
)
def test_the_locale_is_language_and_region(language: str, region: str, locale: str) -> None:
    assert str(locale_for(language, region)) == locale
