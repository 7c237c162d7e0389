"""A row of a file that is missing here: one person proposes it, another decides on its page."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from members.models import StaffScope
from payments.models import Account, Proposal, Settlement, SettlementRow, Transaction
from tests import build
from tests.build import NOON
from tests.operations.test_settlement_pages import finance, select, upload
from tests.reconciliation.files import KINDS, book, sales


@pytest.fixture
def wechat(db: None) -> Account:
    build.programme(language="en")
    return Account.objects.create(provider="wechatpay", name="WeChat", store=build.store())


def proposed_by_mei(wechat: Account) -> tuple[Client, Proposal]:
    """Mei's proposal to book the one row that is missing here."""
    mei, rows = finance("mei"), sales(42)
    book(wechat, KINDS["wechat"], rows[1:])
    upload(mei, wechat, KINDS["wechat"].write(rows))
    lacking = SettlementRow.objects.filter(verdict="missing_here")
    select(mei, SettlementRow, lacking, "propose_to_book", reason="Outage")
    return mei, Proposal.objects.get()


def text_of(client: Client, proposal: Proposal) -> str:
    url = reverse("admin:payments_proposal_change", args=[proposal.pk])
    return client.get(url).content.decode()


def press(client: Client, proposal: Proposal, name: str) -> Any:
    """The answer to an action of the proposal's own page, and what the page says next."""
    url = reverse(f"admin:payments_proposal_{name}", args=[proposal.pk])
    answer = client.post(url, {"_form_submitted": "1"})
    if answer.status_code != 200:
        return answer.status_code
    page = client.get(answer["HX-Redirect"])
    return [str(message) for message in page.context["messages"]]


def offered(client: Client, proposal: Proposal) -> list[str]:
    shown = text_of(client, proposal)
    return [name for name in ("agree_one", "decline_one") if f"/{name}/" in shown]


def imported() -> int:
    return Transaction.objects.filter(source="import").count()


def test_the_second_person_agrees_on_the_proposals_own_page(wechat: Account) -> None:
    _mei, proposal = proposed_by_mei(wechat)
    bo = finance("bo")
    url = reverse("admin:payments_proposal_agree_one", args=[proposal.pk])

    before = offered(bo, proposal)
    question = bo.get(url).content.decode()
    booked_by_the_question = imported()
    said = press(bo, proposal, "agree_one")

    assert before == ["agree_one", "decline_one"]
    assert "Agree, and book it?" in question
    assert booked_by_the_question == 0
    assert said == ["1 transaction was booked, 0 were known already."]
    assert imported() == 1
    proposal.refresh_from_db()
    assert (str(proposal.decided_by), proposal.is_agreed) == ("bo", True)
    assert offered(bo, proposal) == []
    assert "It is decided." in text_of(bo, proposal)


def test_the_second_person_declines_on_the_proposals_own_page(wechat: Account) -> None:
    _mei, proposal = proposed_by_mei(wechat)
    bo = finance("bo")

    said = press(bo, proposal, "decline_one")

    assert said == ["Declined; nothing was booked."]
    assert imported() == 0
    proposal.refresh_from_db()
    assert (str(proposal.decided_by), proposal.is_agreed) == ("bo", False)
    assert offered(bo, proposal) == []


def test_what_was_declined_may_be_proposed_again(wechat: Account) -> None:
    mei, proposal = proposed_by_mei(wechat)
    press(finance("bo"), proposal, "decline_one")
    lacking = SettlementRow.objects.filter(pk=proposal.row_id)

    said = select(mei, SettlementRow, lacking, "propose_to_book", reason="Asked WeChat")

    assert said == "1 row was proposed. Somebody else has to agree now."
    assert list(Proposal.objects.order_by("pk").values_list("reason", "is_agreed")) == [
        ("Outage", False),
        ("Asked WeChat", None),
    ]


def test_the_proposer_is_told_that_a_colleague_has_to_agree(wechat: Account) -> None:
    mei, proposal = proposed_by_mei(wechat)
    told = "You proposed it, so a colleague has to agree before it is booked."

    answers = [press(mei, proposal, name) for name in ("agree_one", "decline_one")]

    assert told in text_of(mei, proposal)
    assert told not in text_of(finance("bo"), proposal)
    assert offered(mei, proposal) == []
    assert answers == [403, 403]
    proposal.refresh_from_db()
    assert proposal.decided_at is None
    assert imported() == 0


def test_who_may_only_look_and_who_sees_another_store_decide_nothing(wechat: Account) -> None:
    _mei, proposal = proposed_by_mei(wechat)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_proposal"))
    StaffScope.objects.create(user=viewer, sees_everything=True)
    looking, far = Client(), finance("far", store=build.store("FAR"))
    looking.force_login(viewer)

    answers = [press(client, proposal, "agree_one") for client in (looking, far)]

    assert "It is booked once somebody agrees who did not propose it." in text_of(
        looking, proposal
    )
    assert offered(looking, proposal) == []
    assert answers == [403, 403]
    proposal.refresh_from_db()
    assert proposal.decided_at is None
    assert imported() == 0


def test_who_decides_after_somebody_else_hears_so(wechat: Account) -> None:
    _mei, proposal = proposed_by_mei(wechat)
    bo, kit = finance("bo"), finance("kit")
    press(bo, proposal, "decline_one")

    answers = [press(kit, proposal, name) for name in ("agree_one", "decline_one")]

    assert answers == [["It is decided."], ["It is decided."]]
    proposal.refresh_from_db()
    assert (str(proposal.decided_by), proposal.is_agreed) == ("bo", False)
    assert imported() == 0


def test_a_double_click_books_once_and_says_it_once(wechat: Account) -> None:
    _mei, proposal = proposed_by_mei(wechat)
    bo = finance("bo")
    url = reverse("admin:payments_proposal_agree_one", args=[proposal.pk])
    bo.post(url, {"_form_submitted": "1"})

    said = press(bo, proposal, "agree_one")

    assert said == ["1 transaction was booked, 0 were known already."]
    assert imported() == 1
    assert press(bo, proposal, "decline_one") == ["It is decided."]


def test_rows_that_cannot_be_proposed_are_refused_with_the_reason(wechat: Account) -> None:
    mei, proposal = proposed_by_mei(wechat)
    why = (
        "None of the chosen rows can be proposed: it takes a row that is missing here, of a file"
        " that was not withdrawn, without an undecided proposal."
    )
    matched = SettlementRow.objects.filter(verdict="matched")
    once_more = SettlementRow.objects.filter(pk=proposal.row_id)

    answers = [
        select(mei, SettlementRow, matched, "propose_to_book"),
        select(mei, SettlementRow, matched, "propose_to_book", reason="Outage"),
        select(mei, SettlementRow, once_more, "propose_to_book"),
    ]
    press(finance("bo"), proposal, "decline_one")
    Settlement.objects.update(withdrawn_at=NOON, withdrawn_by=User.objects.get(username="bo"))
    answers.append(select(mei, SettlementRow, once_more, "propose_to_book"))

    assert answers == [why, why, why, why]
    assert list(Proposal.objects.all()) == [proposal]


def test_a_mixed_choice_asks_only_about_the_rows_that_can_be_proposed(wechat: Account) -> None:
    mei, rows = finance("mei"), sales(42)
    book(wechat, KINDS["wechat"], rows[1:])
    upload(mei, wechat, KINDS["wechat"].write(rows))

    question = select(mei, SettlementRow, SettlementRow.objects.all(), "propose_to_book")

    lacking = SettlementRow.objects.get(verdict="missing_here")
    assert re.findall(r'name="_selected_action" value="([^"]+)"', question) == [str(lacking.pk)]
