"""What finance does with files in the admin, and how accounts fare."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import pipeline
from config.account_health import health_of
from config.groups import make_groups
from members.models import StaffScope
from payments.models import (
    Account,
    Alarm,
    Callback,
    Proposal,
    Settlement,
    SettlementRow,
    StatementMapping,
    Transaction,
)
from payments.services.silence import count_posts
from tests import build
from tests.build import NOON
from tests.reconciliation.files import KINDS, book, generic_file, sales

UPLOAD = "/admin/payments/settlement/upload/"
COLUMNS = "/admin/payments/settlement/upload/columns/"


def finance(name: str, *, store: Any = None) -> Client:
    make_groups()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="Finance"))
    scope = StaffScope.objects.create(user=user, sees_everything=store is None)
    if store is not None:
        scope.stores.add(store)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def wechat(db: None) -> Account:
    build.programme(language="en")
    return Account.objects.create(provider="wechatpay", name="WeChat", store=build.store())


def upload(client: Client, account: Account, content: bytes, **given: str) -> Any:
    file = SimpleUploadedFile("bill.csv", content)
    return client.post(UPLOAD, {"account": account.pk, "file": file, **given}, follow=True)


def select(client: Client, model: Any, rows: Any, action: str, **given: str) -> str:
    url = reverse(f"admin:payments_{model._meta.model_name}_changelist")
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **given}
    page = client.post(url, chosen, follow=True)
    return " ".join(str(message) for message in page.context["messages"]) or page.content.decode()


def test_a_file_is_uploaded_and_its_result_read(wechat: Account) -> None:
    rows = sales(42)
    book(wechat, KINDS["wechat"], rows[1:])

    page = upload(finance("mei"), wechat, KINDS["wechat"].write(rows))

    settlement = Settlement.objects.get()
    text = page.content.decode()
    assert settlement.compared_at is not None
    assert settlement.uploaded_by is not None
    assert "Missing here" in text
    assert "number of rows" in text
    assert reverse("admin:payments_settlement_change", args=[settlement.pk]) in str(
        page.redirect_chain
    )


def test_two_people_book_what_is_missing(wechat: Account) -> None:
    mei, bo = finance("mei"), finance("bo")
    rows = sales(42)
    book(wechat, KINDS["wechat"], rows[1:])
    upload(mei, wechat, KINDS["wechat"].write(rows))
    lacking = SettlementRow.objects.filter(verdict="missing_here")

    question = select(mei, SettlementRow, lacking, "propose_to_book")
    proposed = select(mei, SettlementRow, lacking, "propose_to_book", reason="Outage")
    alone = select(mei, Proposal, Proposal.objects.all(), "agree")
    before = Transaction.objects.filter(source="import").count()
    agreed = select(bo, Proposal, Proposal.objects.all(), "agree")

    assert "A second person agrees" in question
    assert "1 row was proposed." in proposed
    assert "Somebody else has to decide." in alone
    assert before == 0
    assert "1 transaction was booked" in agreed
    assert Transaction.objects.get(source="import").payment_ref == rows[0].ref


def test_a_period_that_ends_before_it_begins_is_refused_before_the_columns(
    wechat: Account,
) -> None:
    mei, file = finance("mei"), b"Date,Ref,Amount\n2026-11-20 10:00,a,5.00\n"
    days = {"starts_on": "2026-11-20", "ends_on": "2026-11-19"}

    refused = upload(mei, wechat, file, form="generic", **days)
    taken = upload(mei, wechat, file, form="generic", **{**days, "ends_on": "2026-11-20"})

    assert refused.redirect_chain == []
    assert refused.context["form"].errors == {"ends_on": ["The period ends before it begins."]}
    assert taken.redirect_chain == [(COLUMNS, 302)]


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(wechat: Account) -> None:
    client = finance("mei")

    pages = [
        upload(client, wechat, b"%PDF-1.4 \x00 nothing", form="wechat"),
        upload(client, wechat, b"a,b\n1,2\n", form="alipay"),
    ]

    assert "no readable spreadsheet" in pages[0].content.decode()
    assert "Is this the right format?" in pages[1].content.decode()
    assert Settlement.objects.count() == 0


def test_an_account_by_file_is_made_its_columns_chosen_and_remembered(wechat: Account) -> None:
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    rows = [sale for sale in sales(10) if not sale.of]
    text = generic_file(rows).decode().replace("Reference", "Strange name", 1)
    chosen = {
        "time": "Transaction date", "amount": "Amount", "reference": "Strange name",
        "fee": "Fee", "sign": "minus", "day_order": "ymd", "remember": "on",
    }  # fmt: skip

    made = boss.post(
        "/admin/payments/settlement/upload/account/", {"provider": "octopus", "name": "Octopus"}
    )
    account = Account.objects.get(provider="octopus")
    asked = upload(boss, account, text.encode())
    refused = boss.post(COLUMNS, {**chosen, "amount": ""})
    done = boss.post(COLUMNS, chosen, follow=True)
    book_url = reverse(
        "admin:payments_settlement_book_missing", args=[Settlement.objects.get().pk]
    )
    booked = boss.post(book_url, {"_form_submitted": "1"})

    assert made.status_code == 302
    assert f"account={account.pk}" in made["Location"]
    assert "Which column is what?" in asked.content.decode()
    assert "Choose the column of the amount." in refused.content.decode()
    assert done.status_code == 200
    assert StatementMapping.objects.get().columns["reference"] == "Strange name"
    assert "HX-Redirect" in booked
    assert Transaction.objects.filter(account=account, source="import").count() == len(rows)
    again = upload(boss, account, text.replace(rows[0].ref, "other").encode())
    assert '<option value="Strange name" selected>' in again.content.decode()


def test_nobody_uploads_for_an_account_out_of_scope(wechat: Account) -> None:
    far = finance("far", store=build.store("FAR"))

    page = upload(far, wechat, KINDS["wechat"].write(sales(21)))

    assert Settlement.objects.count() == 0
    assert "Select a valid choice" in page.content.decode()
    assert far.get(COLUMNS, follow=True).status_code == 200


def test_who_may_not_upload_is_refused(wechat: Account) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)

    assert client.get(UPLOAD).status_code == 403
    assert client.get("/admin/payments/settlement/upload/account/").status_code == 403
    assert client.get("/admin/health/").status_code == 403


def test_the_platforms_file_offers_no_booking_by_one(wechat: Account) -> None:
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    upload(boss, wechat, KINDS["wechat"].write(sales(21)))

    url = reverse("admin:payments_settlement_book_missing", args=[Settlement.objects.get().pk])
    answer = boss.post(url, {"_form_submitted": "1"})

    assert answer.status_code == 403
    assert Transaction.objects.count() == 0


def test_who_would_book_out_of_a_file_that_was_withdrawn_is_told_so(wechat: Account) -> None:
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    upload(boss, wechat, KINDS["wechat"].write(sales(21)))
    Settlement.objects.update(withdrawn_at=NOON)

    url = reverse("admin:payments_settlement_book_missing", args=[Settlement.objects.get().pk])
    answer = boss.post(url, {"_form_submitted": "1"}, follow=True)

    told = [str(message) for message in answer.context["messages"]]
    assert told[-1] == "This file was withdrawn; it counts no longer."
    assert Transaction.objects.count() == 0


def test_account_health_tells_figures_of_a_day(db: None) -> None:
    build.programme(language="en")
    build.earning_rule()
    build.tiers(basic="0")
    account, other = build.account(), Account.objects.create(provider="stripe", name="Other")
    member = build.member()
    with time_machine.travel(NOON, tick=False):
        for number in range(3):
            build.send(build.payment("10.00", ref=f"p{number}", member=member.code))
        build.send(build.payment("10.00", wallet="nobody"))
        build.send(build.payment("10.00"), secret="whsec_" + "Zm9yZ2VkIHNlY3JldCwgbm90IG91cnMh")
    pipeline.run(now=NOON + timedelta(seconds=2))
    one = Callback.objects.values("pk")[:1]
    Callback.objects.filter(pk__in=one).update(waiting_for="repair", due_at=NOON)
    count_posts(now=NOON + timedelta(minutes=1))

    with CaptureQueriesContext(connection) as queries:
        found = health_of([account.pk, other.pk], now=NOON + timedelta(hours=1))

    health = found[account.pk]
    assert (health.received, health.refused, health.waiting, health.dead) == (4, 1, 1, 1)
    assert health.refused_share == 0.2
    assert health.last_at == NOON
    assert (health.median_lag, health.p95_lag) == (2.0, 2.0)
    assert found[other.pk].last_at is None
    assert len(queries) == 1


def test_the_health_page_shows_only_accounts_in_scope(wechat: Account) -> None:
    far = Account.objects.create(provider="stripe", name="Far away", store=build.store("FAR"))
    Alarm.record([
        Alarm(account=wechat, silent_since=NOON, opened_at=NOON, expected=Decimal(12)),
        Alarm(account=far, silent_since=NOON, opened_at=NOON, expected=Decimal(12)),
    ])  # fmt: skip
    near = finance("near", store=wechat.store)

    page = near.get("/admin/health/").content.decode()
    home = near.get("/admin/").content.decode()

    assert "WeChat" in page
    assert "Silent against its own rhythm" in page
    assert "Far away" not in page
    assert "WeChat has been silent for" in home
    assert "Far away" not in home


def test_an_alarm_is_marked_as_seen_by_who_may(wechat: Account) -> None:
    Alarm.record([Alarm(account=wechat, silent_since=NOON, opened_at=NOON, expected=Decimal(12))])

    said = select(finance("mei"), Alarm, Alarm.objects.all(), "see")

    assert "1 alarm is marked as seen." in said
    assert str(Alarm.objects.get().seen_by) == "mei"


def test_the_dead_letter_is_one_click_away(wechat: Account) -> None:
    build.send(build.payment("10.00"))
    Callback.objects.update(waiting_for="repair", due_at=NOON, error="ValueError: odd")

    client = finance("mei")
    dead = client.get("/admin/payments/callback/?work=dead").content.decode()
    due = client.get("/admin/payments/callback/?work=due").content.decode()

    assert "Needs repair" in dead
    assert "Needs repair" not in due
    assert "Dead letter" in due
