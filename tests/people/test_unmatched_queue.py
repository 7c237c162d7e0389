"""The queue of unmatched payments: grouped, with reasons, linked by one click or by a file."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from kit.scope import Scope
from members.identity_kinds import EMAIL
from members.models import Identity, Member, StaffScope
from members.services.identities import add_identity
from payments.imports.links import LinkSheet
from payments.models import Disagreement, Order, Sighting, Transaction
from payments.providers.base import Clue, Kind
from payments.services.linking import link_transactions, match_all_waiting
from payments.services.unmatched import payers_of
from tests import build
from tests.build import NOON
from tests.imports.sheets import csv_file, problems, totals, upload
from tests.people.cast import book, merge, pay, settle, stand_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

QUEUE = "admin:payments_unmatchedpayment_changelist"


@pytest.fixture(autouse=True)
def _shop() -> None:
    build.programme(language="en")
    build.earning_rule()


def buy(ref: str, amount: str, *clues: tuple[str, str], **said: Any) -> Transaction:
    signs = tuple(Clue(kind, value) for kind, value in clues)
    book(Kind.PAYMENT, ref, ref, amount, now=NOON, clues=signs, **said)
    return Transaction.objects.get(payment_ref=ref)


def queue() -> list[Any]:
    return payers_of(Transaction.objects.all(), Member.objects.all())


def suggested() -> list[tuple[Member, list[str]]]:
    (payer,) = queue()
    return [(each.member, each.reasons) for each in payer.suggestions]


def test_metadata_outweighs_the_wallet_and_staff_are_asked() -> None:
    mei, bo = build.member(wallet="a"), build.member(wallet="b")

    row = buy("p1", "10", ("wallet", "b"), member_code=mei.code)

    assert row.member == mei
    asked = Disagreement.objects.get()
    assert {asked.first, asked.second} == {mei, bo}
    assert {asked.first_sign, asked.second_sign} == {"metadata", "wallet"}


def test_the_order_outweighs_the_wallet_and_metadata_the_order() -> None:
    _mei, bo, kit = build.member(wallet="a"), build.member(wallet="b"), build.member()
    Order.objects.create(
        order_ref="1001", member=bo, amount=10, currency="HKD", ordered_at=NOON, received_at=NOON
    )

    by_order = buy("p1", "10", ("wallet", "a"), order_ref="1001")
    by_metadata = buy("p2", "10", ("wallet", "a"), order_ref="1001", member_code=kit.code)

    assert (by_order.member, by_metadata.member) == (bo, kit)
    assert Disagreement.objects.count() == 3


def test_equal_signs_of_two_people_wait_and_are_one_persons_after_a_merge() -> None:
    mei, bo = build.member(wallet="a"), build.member()
    add_identity(bo, kind=EMAIL, value="bo@example.com", now=NOON)

    row = buy("p1", "10", ("wallet", "a"), ("email", "bo@example.com"))
    match_all_waiting()
    row.refresh_from_db()

    assert (row.member, row.waiting_for) == (None, "member")
    assert suggested() == [(mei, ["the wallet is theirs"]), (bo, ["the e-mail is theirs"])]

    merge(bo, mei)
    row.refresh_from_db()

    assert (row.member, row.waiting_for) == (mei, "")
    assert Disagreement.objects.get().answer == "one"


def test_signs_of_merged_members_agree() -> None:
    mei, bo = build.member(wallet="a"), build.member(wallet="b")
    merge(bo, mei)

    row = buy("p1", "10", ("wallet", "b"), ("wallet", "a"))

    assert row.member == bo
    assert not Disagreement.objects.exists()


def test_payments_of_one_unknown_wallet_stand_together() -> None:
    buy("p1", "10", ("wallet", "x"))
    buy("p2", "20.50", ("wallet", "x"), ("email", "x@example.com"))
    buy("p3", "5", ("email", "x@example.com"))
    buy("p4", "7", ("wallet", "y"))

    first, second = queue()

    assert {row.payment_ref for row in first.payments} == {"p1", "p2", "p3"}
    assert [money.display("en") for money in first.totals] == ["HK$35.50"]
    assert [row.payment_ref for row in second.payments] == ["p4"]


def test_a_card_seen_beside_a_member_suggests_the_member() -> None:
    mei = build.member(wallet="a")
    buy("p1", "10", ("wallet", "a"), ("stripe_card", "c1"))
    buy("p2", "20", ("stripe_card", "c1"))

    assert suggested() == [(mei, ["the same card (Stripe fingerprint) paid p1"])]
    assert Sighting.objects.count() == 1


def test_an_order_of_the_same_number_or_amount_suggests_its_member() -> None:
    mei, bo = build.member(), build.member()
    far = build.store("TAIPEI")
    given = {"currency": "HKD", "ordered_at": NOON, "received_at": NOON}
    Order.objects.create(order_ref="1001", store=far, member=mei, amount=99, **given)
    Order.objects.create(order_ref="2", store=build.store(), member=bo, amount=10, **given)

    buy("p1", "10", ("wallet", "x"), order_ref="1001", store_code=build.store().code)

    assert suggested() == [
        (mei, ["order 1001 is theirs"]),
        (bo, ["order 2 has the same store and amount"]),
    ]


def test_no_reason_names_a_payment_or_order_of_a_store_that_may_not_be_seen(
    client: Client,
) -> None:
    own, far = build.store(), build.store("TAIPEI")
    mei, bo = build.member(wallet="a", home_store=own), build.member(home_store=own)
    given = {"currency": "HKD", "ordered_at": NOON, "received_at": NOON, "amount": 99}
    Order.objects.create(order_ref="1001", store=far, member=bo, **given)
    buy("FAR-1", "10", ("wallet", "a"), ("stripe_card", "c1"), store_code=far.code)
    buy("p2", "20", ("stripe_card", "c1"), store_code=own.code)
    buy("p3", "20", ("wallet", "x"), order_ref="1001", store_code=own.code)
    staff = User.objects.create_user("till", is_staff=True)
    rights = ["view_transaction", "view_member"]
    staff.user_permissions.set(Permission.objects.filter(codename__in=rights))
    StaffScope.objects.create(user=staff).stores.add(own)
    client.force_login(staff)

    page = client.get(reverse(QUEUE)).content.decode()
    payers = payers_of(
        Transaction.objects.filter(store=own),
        Member.objects.all(),
        scope=Scope(stores=frozenset([own.pk])),
    )

    reasons = [each.reasons for payer in payers for each in payer.suggestions]
    assert reasons == [["the same card (Stripe fingerprint) paid for them elsewhere"]]
    assert "paid for them elsewhere" in page
    assert "FAR-1" not in page
    assert "order 1001" not in page
    everything = {each.member: each.reasons for payer in queue() for each in payer.suggestions}
    assert everything == {
        mei: ["the same card (Stripe fingerprint) paid FAR-1"],
        bo: ["order 1001 is theirs"],
    }


def test_one_click_links_all_of_them_and_learns_the_wallet(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    mei = build.member(wallet="a")
    buy("p0", "1", ("wallet", "a"), ("stripe_card", "c1"))
    rows = [buy("p1", "10", ("stripe_card", "c1")), buy("p2", "20", ("stripe_card", "c1"))]
    page = client.get(reverse(QUEUE))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))
    assert "2 payments of one unknown payer, HK$30.00: card (Stripe fingerprint)" in words
    assert f"Link to {mei.code}" in words

    client.post(reverse(QUEUE), {"member": str(mei.pk), "payment": [str(r.pk) for r in rows]})
    buy("p3", "5", ("stripe_card", "c1"))
    settle()

    assert stand_of(mei).balance == 36
    assert queue() == []


def link(client: Client, member: Member, *rows: Transaction) -> str:
    """Press the button of a suggestion; what the queue says then."""
    given = {"member": str(member.pk), "payment": [str(row.pk) for row in rows]}
    page = client.post(reverse(QUEUE), given, follow=True)
    return " ".join(str(message) for message in page.context["messages"])


def test_what_somebody_else_linked_meanwhile_stays_theirs(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    mei, bo = build.member(), build.member()
    first, second = buy("p1", "10", ("wallet", "x")), buy("p2", "20", ("wallet", "y"))
    link_transactions([first], bo, now=NOON)

    told = link(client, mei, first, second)

    assert told == (
        f"1 transaction now belongs to {mei.code}."
        " 1 payment was linked to somebody else meanwhile, and stays theirs."
    )
    owners = Transaction.objects.order_by("payment_ref").values_list("member", flat=True)
    assert list(owners) == [bo.pk, mei.pk]
    assert Identity.objects.filter(member=mei).count() == 1


def test_where_all_are_linked_already_nothing_changes(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    mei, bo = build.member(), build.member()
    row = buy("p1", "10")
    link_transactions([row], bo, now=NOON)

    late, again = link(client, mei, row), link(client, bo, row)

    assert late == "1 payment was linked to somebody else meanwhile, and stays theirs."
    assert again == f"These payments belong to {bo.code} already."
    assert Transaction.objects.get().member == bo
    assert Identity.objects.count() == 0


def test_a_suggestion_of_nobody_links_nothing(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    row = buy("p1", "10", ("wallet", "x"))
    nobody = Member(pk=row.pk)

    told = link(client, nobody, row)

    assert told == "This suggestion no longer holds. Look at the queue again."
    assert Transaction.objects.get().waiting_for == "member"


def numbers(client: Client) -> list[str]:
    """Of the unmatched payments: in the sidebar, on the first page, on Stuck, in the two lists."""
    first = client.get(reverse("admin:index"))
    badge = next(
        str(item["badge_callback"])
        for group in first.context["sidebar_navigation"]
        for item in group["items"]
        if str(item["title"]) == "Unmatched"
    )
    queue, stuck = client.get(reverse(QUEUE)), client.get(reverse("admin:stuck"))
    rows = dict(first.context["road"]["table"]["rows"])
    assert reverse(QUEUE) in rows["Not matched yet"]
    calm = {group.title: group for group in stuck.context["calm"]}["Not matched yet"]
    shown = sum(len(payer["keys"]) for payer in queue.context["payers"])
    listed = [client.get(url) for url in (queue.context["list_url"], calm.list_url)]
    return [
        badge,
        re.sub("<[^>]+>", "", rows["Not matched yet"]),
        str(calm.count),
        queue.context["waiting"].split(maxsplit=1)[0],
        str(shown),
        *(str(page.context["cl"].result_count) for page in listed),
    ]


def test_every_number_of_unmatched_payments_is_that_of_the_list_behind_it(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    for ref in ("p1", "p2", "p3"):
        paid = buy(ref, "10", ("wallet", f"w-{ref}"))
    for part in ("r1", "r2"):  # They follow their payment.
        book(Kind.REFUND, "p1", part, "2", now=NOON)
    assert Transaction.objects.filter(waiting_for="member").count() == 5

    before = numbers(client)
    url = reverse("admin:payments_transaction_link_one", args=[paid.pk])
    client.post(url, {"member": str(build.member().pk)})
    cache.delete(f"dashboard:road:{User.objects.get().pk}")  # Its figures are a minute old.
    after = numbers(client)

    assert before == ["3"] * 7
    assert after == ["2"] * 7


def test_the_queue_asks_the_same_number_of_queries_for_many(
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(12):
        buy(f"p{number}", "10", ("wallet", f"w{number}"))

    with django_assert_max_num_queries(7):
        queue()


def sheet(*rows: list[str]) -> bytes:
    return csv_file(["Payment reference", "Member number", "Phone", "E-mail"], *rows)


def test_a_file_links_payments_and_says_what_is_wrong_with_each_row() -> None:
    mei = build.member(phone="+852 9123 4567", email="mei@example.com")
    bo = build.member(wallet="b")
    for ref in ("p1", "p2", "p3"):
        buy(ref, "10", ("wallet", f"unknown-{ref}"))
    pay("b", "7", ref="bos")
    content = sheet(
        ["p1", mei.code, "", ""],
        ["p2", "", "9123 4567", ""],
        ["p3", "", "", "nobody@example.com"],
        ["p4", mei.code, "", ""],
        ["bos", mei.code, "", ""],
        ["p1", "", "", "mei@example.com"],
        ["p3", bo.code, "+852 9123 4567", ""],
    )

    trial = upload(LinkSheet, content, is_trial=True, skips_invalid=True)
    assert totals(trial) == {"update": 2, "invalid": 5}
    wrong = {number: next(iter(said.values()))[0] for number, said in problems(trial).items()}
    assert wrong[4] == "Nobody is known by this."
    assert wrong[5] == "No payment of yours has this reference."
    assert wrong[6] == f"This payment belongs to {bo.code} already."
    assert wrong[7] == "The same payment stands in row 2 already."
    assert not Transaction.objects.filter(member=mei).exists()

    upload(LinkSheet, content, skips_invalid=True)
    settle()

    assert stand_of(mei).balance == 20
    again = upload(LinkSheet, sheet(["p1", mei.code, "", ""]))
    assert totals(again) == {"skip": 1}


def test_a_local_phone_number_in_a_file_is_one_of_the_payments_country() -> None:
    singapore = build.region("SG", zone="Asia/Singapore")
    build.member(phone="+852 9123 4567")
    siti = build.member(region=singapore, phone="+65 9123 4567")
    build.store("ORCHARD", region=singapore)
    buy("p1", "10", ("wallet", "unknown"), store_code="ORCHARD")

    upload(LinkSheet, sheet(["p1", "", "9123 4567", ""]), skips_invalid=True)

    assert Transaction.objects.get(payment_ref="p1").member == siti


def test_the_import_page_of_links_opens(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))

    assert client.get(reverse("admin:payments_unmatchedpayment_import")).status_code == 200
    assert client.get(reverse("admin:payments_disagreement_changelist")).status_code == 200
