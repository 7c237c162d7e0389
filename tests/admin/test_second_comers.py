"""Who presses a button after a colleague was faster is told so, and nothing changes."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from config import pipeline
from config.people import merge, unmerge
from loyalty.models import Transfer
from members.models import Identity, Member, Merge, StaffScope
from payments.models import AmountConflict, Disagreement, Transaction
from payments.services.conflicts import keep_first
from payments.services.linking import link_transactions
from tests import build
from tests.admin.conftest import World
from tests.admin.steps import SUBMITTED, said, select
from tests.build import NOON

BY_HTMX = {"HX-Request": "true"}


def address(model: Any, name: str, row: Any) -> str:
    options = model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{name}", args=[row.pk])


def unmatched_payment(world: World) -> Transaction:
    return Transaction.objects.get(waiting_for="member", store=world.near.store)


def conflict_of(world: World) -> AmountConflict:
    build.send(build.payment("20.00", ref="p-1"), to=world.near.account)
    build.send(build.payment("21.00", ref="p-1"), to=world.near.account)
    pipeline.run(now=NOON)
    return AmountConflict.objects.get()


def test_a_payment_that_is_linked_already_is_not_linked_again(
    world: World, as_boss: Client
) -> None:
    row = unmatched_payment(world)
    (mei, kit) = world.near.member, world.far.member
    link_transactions([row], mei, now=NOON)
    before = list(Identity.objects.order_by("pk").values())

    url = address(Transaction, "link_one", row)
    opened = as_boss.get(url, follow=True)
    sent = as_boss.post(url, {"member": str(kit.pk)}, follow=True)

    told = f"This was linked to {mei.code} meanwhile: nothing was changed."
    assert [said(opened), said(sent)] == [told, told]
    assert opened.redirect_chain == [(address(Transaction, "change", row), 302)]
    row.refresh_from_db()
    assert row.member == mei
    assert list(Identity.objects.order_by("pk").values()) == before


def test_of_a_list_only_those_are_linked_that_still_wait(world: World, as_boss: Client) -> None:
    row = unmatched_payment(world)
    kit = world.far.member
    link_transactions([row], world.near.member, now=NOON)

    answer = as_boss.post(
        reverse("admin:payments_transaction_changelist"),
        {"action": "link", "_selected_action": [str(row.pk)], "member": str(kit.pk)},
        follow=True,
    )

    assert "Nothing was linked: they belong to somebody by now" in said(answer)
    assert not Transaction.objects.filter(pk=row.pk, member=kit).exists()


def test_a_stale_row_teaches_no_sign(world: World) -> None:
    row = unmatched_payment(world)
    read_before = Transaction.objects.get(pk=row.pk)
    Transaction.objects.filter(pk=row.pk).update(member=world.near.member, waiting_for="")

    linked = link_transactions([read_before], world.far.member, now=NOON)

    assert linked == 0
    digests = [clue.partition(":")[2] for clue in row.clues]
    assert len(digests) == 1
    assert not Identity.objects.filter(hash__in=digests).exists()


@pytest.mark.parametrize("name", ["keep", "accept"])
def test_a_dialog_of_what_is_decided_leads_to_the_decision(
    world: World, as_boss: Client, name: str
) -> None:
    conflict = conflict_of(world)
    bo = User.objects.create_user("bo")
    keep_first(conflict, reason="A mistake", by=bo, now=NOON)
    url, page = (address(AmountConflict, at, conflict) for at in (name, "change"))
    told = "bo decided this meanwhile: the first one is right. Nothing was changed."

    opened = as_boss.get(url, headers=BY_HTMX)
    words = said(as_boss.get(page))
    sent = as_boss.post(url, {**SUBMITTED, "reason": "Late"}, headers=BY_HTMX)

    assert [answer.headers.get("HX-Redirect") for answer in (opened, sent)] == [page, page]
    assert words == told
    assert said(as_boss.get(page)) == told
    conflict.refresh_from_db()
    assert (conflict.decision, conflict.reason) == ("kept", "A mistake")


def test_who_was_merged_meanwhile_is_neither_merged_nor_given_points(
    world: World, as_boss: Client
) -> None:
    mei, kit, bo = world.near.member, world.far.member, build.member()
    merge(mei, kit, reason="One person", actor=world.boss, now=NOON)
    transfers = Transfer.objects.count()
    asked = {"member": str(bo.pk), "reason": "The same phone"}

    merged = as_boss.post(address(Member, "merge_with", mei), asked, follow=True)
    url = address(Member, "adjust", mei)
    given = {**SUBMITTED, "points": "5", "reason": "A gift"}
    adjusted = as_boss.post(url, given, headers=BY_HTMX)

    told = (
        f"{mei.code} was merged into {kit.code} meanwhile: nothing was changed. Go on with that"
        " member."
    )
    assert said(merged) == told
    assert said(as_boss.get(adjusted["HX-Redirect"])) == told
    assert Merge.objects.get().survivor == kit
    assert Transfer.objects.count() == transfers


def asked_about(first: Member, second: Member) -> Disagreement:
    return Disagreement.objects.create(
        first=first,
        second=second,
        first_sign="wallet",
        second_sign="email",
        transaction=Transaction.objects.filter(member=first)[0],
        noticed_at=NOON,
    )


def test_a_pair_that_was_merged_meanwhile_is_compared_no_more(
    world: World, as_boss: Client
) -> None:
    mei, kit = world.near.member, world.far.member
    row = asked_about(mei, build.member())
    merge(mei, kit, reason="One person", actor=world.boss, now=NOON)

    answer = as_boss.get(address(Disagreement, "compare", row), follow=True)

    assert answer.status_code == 200
    assert f"{mei.code} was merged into {kit.code} meanwhile" in said(answer)


def test_an_answer_about_two_members_stays(world: World, as_boss: Client) -> None:
    row = asked_about(world.near.member, world.far.member)
    Disagreement.objects.update(answer=Disagreement.Answer.ONE, answered_at=NOON)

    answer = select(as_boss, Disagreement, [row], "are_two")

    assert said(answer) == "Somebody answered this already: nothing was changed."
    row.refresh_from_db()
    assert row.answer == "one"


def test_a_merge_that_was_undone_meanwhile_is_not_undone_again(
    world: World, as_boss: Client
) -> None:
    mei, kit = world.near.member, world.far.member
    merge(mei, kit, reason="One person", actor=world.boss, now=NOON)
    unmerge(mei, reason="Two people", actor=world.boss, now=NOON)

    answer = as_boss.post(address(Member, "undo_merge", mei), {"reason": "Late"}, follow=True)

    assert said(answer) == "The merge was undone meanwhile: nothing was changed."
    assert Merge.objects.get().undone_reason == "Two people"


def test_a_campaign_that_runs_is_not_started_again(world: World, as_boss: Client) -> None:
    campaign = Campaign.objects.get()
    before = Campaign.objects.values().get()

    started = as_boss.post(address(Campaign, "start", campaign), follow=True)

    assert said(started) == "The campaign is running already."
    assert Campaign.objects.values().get() == before


def test_who_may_not_act_is_refused_as_before(world: World) -> None:
    row, conflict = unmatched_payment(world), conflict_of(world)
    link_transactions([row], world.near.member, now=NOON)
    keep_first(conflict, reason="A mistake", by=world.boss, now=NOON)
    merge(world.near.member, world.far.member, reason="Same", actor=world.boss, now=NOON)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    StaffScope.objects.create(user=viewer, sees_everything=True)
    looking = Client()
    looking.force_login(viewer)

    addresses = [
        address(Transaction, "link_one", row),
        address(AmountConflict, "keep", conflict),
        address(Member, "merge_with", world.near.member),
        address(Member, "adjust", world.near.member),
        address(Campaign, "start", Campaign.objects.get()),
    ]
    answers = [looking.post(url, SUBMITTED).status_code for url in addresses]

    assert answers == [403] * 5


def test_a_link_on_another_site_leads_to_no_such_sentence(world: World, as_boss: Client) -> None:
    row = unmatched_payment(world)
    link_transactions([row], world.near.member, now=NOON)

    lured = as_boss.get(
        address(Transaction, "link_one", row), headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert lured.status_code == 403
