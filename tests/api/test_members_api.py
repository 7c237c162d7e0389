from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from loyalty.api import members
from members.identity_kinds import WALLET
from members.models import Consent, Event, Identity, Member
from members.services.identities import add_identity
from payments.models import Transaction
from tests import build
from tests.api import till
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db


def enrol(call: Call, once: str = "1", **body: Any) -> Any:
    return call("post", "members", {"phone": "+852 5555 0142"} | body, once=once)


def test_a_member_is_enrolled_with_their_word_and_what_waited_is_theirs(call: Call) -> None:
    store = till.store("TST")
    waiting = {
        "kind": "payment",
        "order_ref": "A-1",
        "amount": "95.00",
        "currency": "HKD",
        "occurred_at": "2026-11-20T15:04:05+08:00",
        "phone": "+852 5555 0142",
    }
    call("post", "sales", waiting, once="sale")

    answer = enrol(
        call,
        name="陳美玲",
        language="zh-hant",
        store="TST",
        email="Mei@Example.com",
        identities=[{"kind": "wallet", "value": "W-1"}],
        born_on="1990-02-28",
        consents=[{"is_granted": True, "source": "till"}],
    )

    member = Member.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "code": member.code,
        "name": "陳•••",
        "language": "zh-hant",
        "region": "HK",
        "store": "TST",
        "joined_at": answer.json()["joined_at"],
        "tier": None,
        "points": 0,
        "coupons": [],
    }
    assert (member.name, member.home_store, str(member.born_on)) == (
        "陳美玲",
        store,
        "1990-02-28",
    )
    signs = set(Identity.objects.values_list("kind", flat=True))
    assert signs == {"phone", "email", "wallet"}
    consent = Consent.objects.get()
    assert (consent.is_granted, consent.source, consent.channel) == (True, "till", "email")
    paid = Transaction.objects.get()
    assert (paid.member, paid.waiting_for) == (member, "")


def test_a_repetition_enrols_nobody_and_answers_the_same(call: Call) -> None:
    till.region()
    first = enrol(call)

    again = enrol(call)
    other = enrol(call, name="Bo")

    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert Member.objects.count() == 1


def test_a_known_sign_names_the_member_to_use(call: Call) -> None:
    mei = till.member(phone="+85255550142")

    answer = enrol(call, email="new@example.com")

    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:regulars:problem:identity-taken",
        "title": "Conflict",
        "status": 409,
        "code": "identity_taken",
        "detail": "This phone belongs to a member already. Use their number.",
        "kind": "phone",
        "member": mei.code,
    }
    assert Member.objects.count() == 1
    assert Identity.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"phone": "12"}, ["#/phone"]),
        ({"email": "nobody"}, ["#/email"]),
        ({"language": "fr"}, ["#/language"]),
        ({"region": "MARS"}, ["#/region"]),
        ({"store": "NOWHERE"}, ["#/store"]),
        ({"born_on": "1890-01-01"}, ["#/born_on"]),
        ({"born_on": "2026-02-30"}, ["#/born_on"]),
        ({"name": "x" * 101}, ["#/name"]),
        ({"nick": "Mei"}, ["#/nick"]),
        ({"identities": [{"kind": "face", "value": "1"}]}, ["#/identities/0/kind"]),
        ({"identities": [{"kind": "wallet", "value": ""}]}, ["#/identities/0/value"]),
        ({"identities": [{"kind": "wallet", "value": "1"}] * 11}, ["#/identities"]),
        ({"consents": [{"is_granted": "no", "source": "till"}]}, ["#/consents/0/is_granted"]),
        ({"consents": [{"is_granted": True, "source": "staff"}]}, ["#/consents/0/source"]),
        ({"consents": [{"is_granted": True}]}, ["#/consents/0/source"]),
    ],
)
def test_each_wrong_field_is_named(call: Call, body: Any, pointers: list[str]) -> None:
    till.region()

    answer = enrol(call, **body)

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert not Member.objects.exists()


def test_a_store_key_enrols_for_its_store() -> None:
    till.store("CWB")
    call = caller(store=till.store("TST"))

    refused = enrol(call, store="CWB")
    taken = enrol(call, once="2")

    assert (refused.status_code, refused.json()["code"]) == (403, "store_not_allowed")
    assert (taken.json()["store"], taken.json()["region"]) == ("TST", "HK")
    assert Member.objects.count() == 1


@pytest.mark.parametrize(
    "sign",
    [
        {"phone": "+852 5555-0142"},
        {"email": "MEI@example.com"},
        {"identity": {"kind": "wallet", "value": "W-1"}},
    ],
)
def test_somebody_is_found_by_any_sign(call: Call, sign: Any) -> None:
    mei = till.member(phone="+85255550142", email="mei@example.com")
    add_identity(mei, kind=WALLET, value="W-1", now=till.NOON)
    till.member("Bo")

    answer = call("post", "members/look-up", sign)

    assert (answer.status_code, answer.json()["code"]) == (200, mei.code)
    by_code = call("post", "members/look-up", {"code": mei.code.lower()})
    assert by_code.json() == answer.json() == call("get", f"members/{mei.code}").json()


@pytest.mark.parametrize(
    ("code", "country"), [("NORTH", "TW"), ("TW", ""), ("TW-N", "")], ids=lambda name: name or "-"
)
def test_a_local_phone_number_is_one_of_the_region_s_own_country(
    call: Call, code: str, country: str
) -> None:
    region = build.region(code, country=country, currency="TWD", zone="Asia/Taipei")

    answer = enrol(call, phone="0912 345 678", region=region.code)
    known = call("post", "members/look-up", {"phone": "+886 912 345 678"})

    assert answer.status_code == 201
    assert known.json()["code"] == answer.json()["code"]


def test_looking_up_wants_one_sign_and_says_when_nobody_has_it(call: Call) -> None:
    none = call("post", "members/look-up", {})
    two = call("post", "members/look-up", {"phone": "+85255550142", "email": "a@example.com"})
    nobody = call("post", "members/look-up", {"phone": "+85255550142"})

    assert [none.status_code, two.status_code] == [400, 400]
    assert [error["pointer"] for error in none.json()["errors"]] == ["#"]
    assert (nobody.status_code, nobody.json()["code"]) == (404, "member_unknown")


def test_the_number_of_a_merged_member_answers_the_one_who_stands_for_both(call: Call) -> None:
    mei, twin = till.member(phone="+85255550142"), till.member(email="mei@example.com")
    Member.objects.filter(pk=twin.pk).update(merged_into=mei)

    by_code = call("get", f"members/{twin.code}").json()
    by_sign = call("post", "members/look-up", {"email": "mei@example.com"}).json()
    signs = call("get", f"members/{twin.code}/identities").json()["items"]
    known = enrol(call, phone="", email="mei@example.com")

    assert by_code["code"] == by_sign["code"] == known.json()["member"] == mei.code
    assert {sign["kind"] for sign in signs} == {"phone", "email"}


def test_what_is_sent_is_changed_and_the_rest_stays(call: Call) -> None:
    mei = till.member("Mei")
    till.store("TST")

    answer = call(
        "patch", f"members/{mei.code}", {"language": "zh-hans", "store": "TST"}, once="1"
    )
    refused = call("patch", f"members/{mei.code}", {"language": "xx"}, once="2")

    mei.refresh_from_db()
    assert (answer.status_code, answer.json()["language"]) == (200, "zh-hans")
    assert (mei.name, mei.language, str(mei.home_store)) == ("Mei", "zh-hans", "TST")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/language"]


def test_a_change_takes_nothing_back_that_another_till_changed_meanwhile(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    mei, store = till.member("Mei"), till.store("TST")

    def read_then_overtaken(code: str) -> Member:
        found = Member.objects.get(code=code)
        Member.objects.filter(pk=found.pk).update(home_store=store)
        return found

    monkeypatch.setattr(members, "member_or_404", read_then_overtaken)
    answer = call("patch", f"members/{mei.code}", {"language": "zh-hans"}, once="1")

    mei.refresh_from_db()
    assert answer.status_code == 200
    assert (mei.language, mei.home_store) == ("zh-hans", store)


def test_signs_are_listed_masked_added_and_removed(call: Call) -> None:
    mei, bo = till.member(phone="+85255550142"), till.member("Bo", phone="+85255550199")
    path = f"members/{mei.code}/identities"

    added = call("post", path, {"kind": "wallet", "value": "W-1234567"}, once="1")
    taken = call("post", path, {"kind": "phone", "value": "+85255550199"}, once="2")
    listed = call("get", path).json()["items"]
    removed = call("delete", f"{path}/{added.json()['id']}", once="3")
    again = call("delete", f"{path}/{added.json()['id']}", once="3")
    other = call("delete", f"{path}/{bo.identities.get().pk}", once="4")

    assert (added.status_code, added.json()["value"], added.json()["matched"]) == (
        201,
        "•••567",
        0,
    )
    assert (taken.status_code, taken.json()["member"]) == (409, bo.code)
    assert [(row["kind"], row["value"]) for row in listed] == [
        ("phone", "•••142"),
        ("wallet", "•••567"),
    ]
    assert (removed.status_code, removed.content) == (204, b"")
    assert (again.status_code, again["Idempotency-Replayed"]) == (204, "true")
    assert (other.status_code, other.json()["code"]) == (404, "identity_unknown")
    assert [identity.kind for identity in mei.identities.all()] == ["phone"]
    assert bo.identities.count() == 1


def test_the_last_word_on_offers_counts(call: Call) -> None:
    mei = till.member()
    path = f"members/{mei.code}/consents"

    yes = call("post", path, {"is_granted": True, "source": "app"}, once="1")
    call("post", path, {"is_granted": False, "source": "till"}, once="2")
    listed = call("get", path).json()["items"]

    assert yes.status_code == 201
    assert [(one["is_granted"], one["source"]) for one in listed] == [(False, "till")]
    assert Event.objects.filter(kind=Event.Kind.CONSENT).count() == 2


@pytest.mark.parametrize("path", ["", "/balance", "/points", "/consents", "/identities"])
def test_nobody_has_an_unknown_number(call: Call, path: str) -> None:
    answer = call("get", f"members/M000000000{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "member_unknown")


def test_a_name_in_the_query_twice_is_refused(call: Call) -> None:
    mei = till.member()

    answer = call("get", f"members/{mei.code}/points?limit=1&limit=2")

    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/limit"]


def test_a_birthday_that_has_not_come_is_refused(call: Call) -> None:
    mei = till.member()
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()

    answer = call("patch", f"members/{mei.code}", {"born_on": tomorrow}, once="1")

    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/born_on"]


def test_a_birthday_is_cleared_by_null_and_stays_when_left_out(call: Call) -> None:
    mei = till.member(born_on=date(1990, 2, 28))

    left_out = call("patch", f"members/{mei.code}", {"language": "en"}, once="1")
    mei.refresh_from_db()
    kept = mei.born_on
    cleared = call("patch", f"members/{mei.code}", {"born_on": None}, once="2")
    mei.refresh_from_db()

    assert (left_out.status_code, kept) == (200, date(1990, 2, 28))
    assert (cleared.status_code, mei.born_on) == (200, None)


def test_who_enrols_without_a_birthday_may_say_so(call: Call) -> None:
    till.store()
    body = {"phone": "+852 9123 4567", "store": "TST", "language": "en", "born_on": None}

    answer = call("post", "members", body, once="1")

    assert answer.status_code == 201
    assert Member.objects.get().born_on is None
