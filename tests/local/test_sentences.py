"""What counts as an untranslated sentence."""

from pathlib import Path

from babel.messages.catalog import Catalog

from config.local import package_sentences, sentences


def test_it_finds_sentences_in_code_and_templates(tmp_path: Path) -> None:
    (tmp_path / "kit" / "templates").mkdir(parents=True)
    (tmp_path / "kit" / "a.py").write_text('_("Points")\nngettext("%d coupon", "%d coupons", 2)\n')
    page = '{% load i18n %}{% translate "Tier" context "card" %}{{ x|default:_("None") }}'
    page += "{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}"
    (tmp_path / "kit" / "templates" / "a.html").write_text(page)

    assert set(sentences.find(tmp_path)) == {
        (None, "Points"),
        (None, ("%d coupon", "%d coupons")),
        ("card", "Tier"),
        (None, "None"),
        (None, "Hello %(name)s"),
    }


def test_it_names_what_is_missing_empty_fuzzy_or_broken() -> None:
    catalogue = Catalog(locale="zh_Hant")
    catalogue.add("fine %(n)s", "好 %(n)s")
    catalogue.add("empty", "")
    catalogue.add("fuzzy", "也許", flags=["fuzzy"])
    catalogue.add("broken %(n)s", "壞 %(m)s")
    names = ("fine %(n)s", "empty", "fuzzy", "broken %(n)s", "missing")
    ours: sentences.Sentences = {(None, name): [("a.py", 1)] for name in names}

    assert list(sentences.compare(ours, catalogue)) == [
        "a.py: empty: 'empty'",
        "a.py: fuzzy: 'fuzzy'",
        "a.py: other placeholders than the original: 'broken %(n)s'",
        "a.py: missing: 'missing'",
    ]


def test_placeholders_may_be_formatted_otherwise_but_not_lost() -> None:
    catalogue = Catalog(locale="zh_Hant")
    catalogue.add("{0} task{1} run", "已執行 {0} 項工作{1:.0}")
    catalogue.add("%(points)+d points", "%(points)s 點")
    names = ("{0} task{1} run", "%(points)+d points")
    ours: sentences.Sentences = {(None, name): [("a.py", 1)] for name in names}

    assert list(sentences.compare(ours, catalogue)) == [
        "a.py: other placeholders than the original: '%(points)+d points'",
    ]


def test_sentences_of_packages_are_those_that_neither_we_nor_django_say() -> None:
    ours: sentences.Sentences = {(None, "Confirm import"): [("kit/a.py", 1)]}

    found = package_sentences.find_in_packages(ours)

    assert (None, "Type to search") in found
    assert (None, "Confirm import") not in found
    assert (None, "Log out") not in found
    files = {name for places in found.values() for name, _ in places}
    assert not {name for name in files if name.startswith("unfold/contrib/constance/")}
