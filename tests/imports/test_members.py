"""Members by spreadsheet: recognised, enrolled, changed; contactable only if they said so."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from members.imports.members import MemberSheet
from members.models import Consent, Event, Identity, Member, StaffScope
from members.services.consents import members_with_consent, set_consent
from members.services.identities import find_member
from tests import build
from tests.build import NOON
from tests.imports.sheets import csv_file, problems, sentence, totals, upload, xlsx_file

pytestmark = pytest.mark.django_db

HEADER = ["Name", "Phone", "E-mail", "Consent"]


def found(**sign: str) -> Member:
    ((kind, value),) = sign.items()
    member = find_member(kind=kind, value=value)
    assert member is not None
    return member


def test_new_members_are_enrolled_with_all_that_the_row_says() -> None:
    store = build.store()
    content = csv_file(
        ["姓名", "手機", "電郵", "語言", "門市", "生日", "入會日期", "客戶編號", "電郵同意"],
        [
            "陳美",
            "9123 4567",
            "MEI@example.com",
            "English",
            "central",
            "1990/5/1",
            "2025-01-02",
            17,
            "是",
        ],
    )

    result = upload(MemberSheet, content)

    mei = found(phone="+85291234567")
    assert totals(result) == {"new": 1}
    assert (mei.name, mei.language, mei.region, mei.home_store) == (
        "陳美",
        "en",
        build.region(),
        store,
    )
    assert (mei.born_on, mei.joined_at.isoformat()) == (
        date(1990, 5, 1),
        "2025-01-01T16:00:00+00:00",
    )
    assert found(email="mei@example.com") == mei
    assert found(customer="17") == mei
    assert members_with_consent([mei.pk]) == {mei.pk}
    assert Consent.objects.get().source == "import"
    assert set(Event.objects.values_list("kind", flat=True)) == {"joined", "consent"}
    assert not Event.objects.exclude(due_at=None).exists()


def test_without_a_yes_nobody_is_contactable() -> None:
    content = csv_file(HEADER, ["Mei", "91234567", "", ""], ["Bo", "91234568", "", "no"])

    upload(MemberSheet, content, region=build.region())

    assert Member.objects.count() == 2
    assert not Consent.objects.exists()


def test_the_same_file_twice_changes_nothing() -> None:
    content = csv_file(HEADER, ["Mei", "91234567", "mei@example.com", "yes"])
    upload(MemberSheet, content, region=build.region())

    again = upload(MemberSheet, content, region=build.region())

    assert totals(again) == {"skip": 1}
    assert (Member.objects.count(), Identity.objects.count(), Consent.objects.count()) == (1, 2, 1)


def test_a_known_member_is_changed_and_an_empty_cell_changes_nothing() -> None:
    mei = build.member(name="Mei", phone="+85291234567", born_on=date(1990, 5, 1))
    content = csv_file(
        ["Member number", "Name", "E-mail", "Date of birth", "Language"],
        [mei.code, "", "mei@example.com", "", "简体中文"],
    )

    preview = upload(MemberSheet, content, is_trial=True)
    result = upload(MemberSheet, content)

    mei.refresh_from_db()
    assert totals(preview) == totals(result) == {"update": 1}
    assert "zh-hant → 简体中文" in preview.rows[0].diff
    assert (mei.name, mei.born_on, mei.language) == ("Mei", date(1990, 5, 1), "zh-hans")
    assert found(email="mei@example.com") == mei
    assert found(phone="+85291234567") == mei


def test_a_members_own_no_outweighs_the_yes_of_a_list() -> None:
    mei = build.member(phone="+85291234567")
    set_consent(mei, is_granted=False, source=Consent.Source.UNSUBSCRIBE, now=NOON)

    result = upload(MemberSheet, csv_file(HEADER, ["", "91234567", "", "yes"]))

    assert totals(result) == {"skip": 1}
    assert "1 members unsubscribed themselves" in result.notes[0]
    assert members_with_consent([mei.pk]) == set()


def test_a_no_in_the_list_takes_the_consent_back() -> None:
    mei = build.member(phone="+85291234567")
    set_consent(mei, is_granted=True, source=Consent.Source.STAFF, now=NOON - timedelta(days=1))

    result = upload(MemberSheet, csv_file(HEADER, ["", "91234567", "", "no"]))

    assert totals(result) == {"update": 1}
    assert members_with_consent([mei.pk]) == set()


def test_every_error_of_a_row_is_said_at_once() -> None:
    content = csv_file(
        [*HEADER, "Language", "Home store", "Date of birth", "Member number"],
        ["Mei", "12", "mei@", "maybe", "Klingon", "Mars", "2030-01-01", "M0"],
    )

    result = upload(MemberSheet, content)

    assert set(problems(result)[2]) == {
        "phone",
        "e-mail",
        "e-mail consent",
        "language",
        "home store",
        "date of birth",
        "member number",
    }
    assert not Member.objects.exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["Mei", "", "", ""]], "Nobody can be recognised"),
        ([["Mei", "91234567", "", ""], ["Bo", "+852 91234567", "", ""]], "row 2 already"),
        ([["Mei", "91111111", "bo@example.com", ""]], "belong to different members"),
        ([["Mei", "93333333", "", ""]], "needs a region"),
    ],
)
def test_a_row_that_cannot_be_is_refused(rows: list[list[str]], words: str) -> None:
    build.member(phone="+85291111111")
    build.member(email="bo@example.com")

    result = upload(MemberSheet, csv_file(HEADER, *rows))

    assert words in str(problems(result))
    assert Member.objects.count() == 2


def test_a_file_by_which_nobody_can_be_recognised_is_refused() -> None:
    result = upload(MemberSheet, csv_file(["Name", "Language"], ["Mei", "en"]))

    assert "member number / customer number / phone / e-mail" in sentence(result)


def test_a_phone_of_a_workbook_is_a_number_and_still_a_phone() -> None:
    upload(
        MemberSheet,
        xlsx_file(["name", "phone"], ["Mei", 85291234567.0], ["Bo", "+85291234568"]),
        region=build.region(),
    )

    assert found(phone="+85291234568").name == "Bo"
    assert found(phone="+85291234567").name == "Mei"


def test_a_store_manager_neither_enrols_nor_changes_members_of_others() -> None:
    central, island = build.store(), build.store("ISLAND")
    theirs = build.member(phone="+85291111111", home_store=island, name="Bo")
    manager = get_user_model().objects.create_user("manager")
    StaffScope.objects.create(user=manager).stores.add(central)
    content = csv_file(
        ["Name", "Phone", "Home store"],
        ["Changed", "91111111", ""],
        ["New", "92222222", "ISLAND"],
        ["Mei", "93333333", "CENTRAL"],
    )

    refused = upload(MemberSheet, content, user=manager)
    lenient = upload(MemberSheet, content, user=manager, skips_invalid=True)

    theirs.refresh_from_db()
    not_theirs = ["This member belongs to a store or region that is not yours."]
    assert problems(refused) == {2: {"__all__": not_theirs}, 3: {"__all__": not_theirs}}
    assert totals(lenient) == {"new": 1, "invalid": 2}
    assert theirs.name == "Bo"
    assert set(Member.objects.values_list("home_store__code", flat=True)) == {"ISLAND", "CENTRAL"}


def test_a_name_that_looks_like_a_formula_comes_back_as_it_was() -> None:
    content = csv_file(HEADER, ["'=1+1", "91234567", "", ""], ["=2+2", "91234568", "", ""])

    upload(MemberSheet, content, region=build.region())

    assert found(phone="+85291234567").name == "=1+1"
    assert found(phone="+85291234568").name == "=2+2"


def test_a_bigger_file_needs_no_more_queries(django_assert_max_num_queries: Any) -> None:
    rows = [[f"Member {n}", f"9{n:07}", f"m{n}@example.com", "yes"] for n in range(1000)]

    with django_assert_max_num_queries(30):
        upload(MemberSheet, csv_file(HEADER, *rows), region=build.region())

    assert Member.objects.count() == 1000
    assert Consent.objects.count() == 1000
