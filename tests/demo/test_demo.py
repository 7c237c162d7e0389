"""A tiny demo merchant: the same again for the same day, in three languages, and silent about
the past."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import phonenumbers
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Sum
from pytest_django.plugin import DjangoDbBlocker

from campaigns.models import Campaign, CampaignText, Decision, Message
from config.demo.fill import Scale, fill
from config.demo.people import invent_people
from config.demo.shopping import plan_shopping
from loyalty.models import Award, CouponType, Lot, Rule, Standing, Tier, Transfer
from loyalty.services.books import verify_books
from members.identity_kinds import EMAIL, PHONE
from members.models import LANGUAGES, Consent, Identity, Member, Programme, Region, Store
from payments.models import (
    AmountConflict,
    Callback,
    Category,
    HandEntry,
    Line,
    Product,
    Rate,
    Rejection,
    Transaction,
)
from payments.selectors import of_visitors

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
SCALE = Scale(members=40, days=130, seed=7)
NAMED = (Programme, Region, Store, Category, Product, Tier, Rule, CouponType, Campaign)


def filled(folder: Path) -> dict[str, Any]:
    fill(SCALE, folder=folder, now=NOW, say=lambda line: None)
    return totals()


def totals() -> dict[str, Any]:
    tables = (
        Member,
        Identity,
        Consent,
        Transaction,
        Line,
        Award,
        Transfer,
        Lot,
        Callback,
        Message,
    )
    return {
        **{table.__name__: table._default_manager.count() for table in tables},
        "money": list(
            Transaction.objects.order_by("currency", "kind")
            .values_list("currency", "kind")
            .annotate(amount=Sum("amount"))
        ),
        "standings": list(
            Standing.objects.order_by("member__code").values_list(
                "member__code", "balance", "tier__code", "spend_12m", "payments"
            )
        ),
        "rates": list(Rate.objects.order_by("currency", "valid_from").values_list("rate")),
    }


@pytest.fixture(scope="module")
def runs(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: Any
) -> Iterator[list[dict[str, Any]]]:
    """The totals of two runs; what the second one made stays there for the tests of this file."""
    folder = tmp_path_factory.mktemp("demo")
    with django_db_blocker.unblock():
        with held():
            first = filled(folder)
        with held():
            yield [first, filled(folder)]


class held(transaction.Atomic):  # noqa: N801 - it is used as a context manager.
    """A transaction as a TestCase holds one: it is rolled back whatever happens."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=False)
        self._from_testcase = True

    def __exit__(self, *problem: Any) -> None:
        transaction.set_rollback(True)
        super().__exit__(*problem)


@pytest.fixture
def demo(runs: list[dict[str, Any]], db: None) -> dict[str, Any]:
    return runs[1]


def test_the_same_seed_and_day_make_the_same_merchant(runs: list[dict[str, Any]]) -> None:
    first, second = runs

    assert first == second
    assert first["Member"] == 40
    assert first["Award"] > 20


@pytest.mark.usefixtures("demo")
def test_the_books_are_right() -> None:
    assert [finding for finding in verify_books() if not finding.is_clean] == []


@pytest.mark.usefixtures("demo")
def test_all_that_a_member_sees_has_a_name_in_three_languages() -> None:
    for model in NAMED:
        rows = [
            row for row in model._default_manager.all() if not getattr(row, "is_learnt", False)
        ]
        assert rows
        for row in rows:
            assert row.name
            assert row.name_zh_hant
            assert row.name_zh_hans


@pytest.mark.usefixtures("demo")
def test_every_campaign_writes_in_three_languages() -> None:
    wanted = {code for code, _name in LANGUAGES}

    for campaign in Campaign.objects.all():
        texts = CampaignText.objects.filter(campaign=campaign)
        assert {text.language for text in texts} == wanted
        assert len({text.body for text in texts}) == 3
        assert campaign.state == Campaign.State.RUNNING


@pytest.mark.usefixtures("demo")
def test_no_message_is_about_the_past() -> None:
    decisions = Decision.objects.select_related("campaign", "event")

    assert Message.objects.count() == decisions.count() > 0
    for decision in decisions:
        assert decision.campaign.started_at is not None
        assert decision.event.occurred_at >= decision.campaign.started_at
        assert decision.campaign.started_at > NOW - timedelta(days=4)
    assert not Message.objects.filter(queued_at__lt=NOW - timedelta(days=4)).exists()
    assert not Message.objects.filter(state=Message.State.QUEUED).exists()


@pytest.mark.usefixtures("demo")
def test_nothing_happens_after_now() -> None:
    assert not Transaction.objects.filter(occurred_at__gt=NOW).exists()
    assert not Award.objects.filter(booked_at__gt=NOW).exists()
    assert not Member.objects.filter(joined_at__gt=NOW).exists()


@pytest.mark.usefixtures("demo")
def test_the_pages_for_trouble_are_not_empty() -> None:
    waiting = {
        row.waiting_for.partition(":")[0] for row in Transaction.objects.exclude(waiting_for="")
    }

    assert waiting == {"member", "rate", "payment", "twin"}
    assert set(AmountConflict.objects.values_list("kind", flat=True)) == {"different", "twin"}
    assert HandEntry.objects.count() == 2
    assert Product.objects.get(is_learnt=True).sku == "FAIR-BAG"
    assert of_visitors(Transaction.objects.all()).exists()
    assert Callback.objects.filter(waiting_for="repair").count() == 1
    assert Rejection.objects.count() == 3
    assert Standing.objects.filter(balance__lt=0).exists()


@pytest.mark.usefixtures("demo")
def test_nobody_real_can_be_reached() -> None:
    phones = [sign.value for sign in Identity.objects.filter(kind=PHONE)]
    addresses = [sign.value for sign in Identity.objects.filter(kind=EMAIL)]

    assert len(phones) == 40
    assert not any(phonenumbers.is_valid_number(phonenumbers.parse(one)) for one in phones)
    assert all(address.endswith(".example") for address in addresses)


@pytest.mark.usefixtures("demo")
def test_a_database_with_members_is_left_alone() -> None:
    before = totals()

    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("demo", stdout=StringIO())

    assert totals() == before


@pytest.mark.usefixtures("demo")
def test_half_a_demo_is_named_as_what_it_is() -> None:
    mark = Path(settings.DATA_DIR) / "run" / "demo-begun"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()

    with pytest.raises(CommandError, match="cut short"):
        call_command("demo", stdout=StringIO())

    mark.unlink()


def test_a_year_of_the_full_size_is_large_and_varied() -> None:
    last = NOW.date()
    first = last - timedelta(days=400)
    rng = Random(852)
    people = invent_people(2500, first=first, last=last, rng=rng)
    deals = plan_shopping(people, first=first, now=NOW, rng=rng).deals

    assert 15_000 < len(deals) < 25_000
    assert {deal.currency for deal in deals} == {"HKD", "TWD", "CNY", "SGD", "USD"}
    assert {str(deal.kind) for deal in deals} == {"payment", "refund", "chargeback", "reversal"}
    assert {deal.channel for deal in deals} == {"standard", "stripe", "alipay"}
    assert len({(deal.ref, deal.kind, deal.effect_ref) for deal in deals}) == len(deals)


def test_chinese_names_of_people_are_written_alike_in_both_scripts() -> None:
    people = invent_people(
        400, first=NOW.date() - timedelta(days=40), last=NOW.date(), rng=Random(1)
    )
    names = [person.name for person in people if person.language != "en"]

    simplified_or_traditional = re.compile("[陳陈劉刘張张楊杨趙赵黃黄吳吴孫孙馬马許许鄭郑謝谢]")
    assert names
    assert not any(simplified_or_traditional.search(name) for name in names)
