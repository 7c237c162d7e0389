"""The first page: hints for a new merchant, figures that lead to their rows, no false alarm."""

import re
from datetime import timedelta

from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from config.figures import Window
from config.first_steps import first_steps
from config.stuck import stuck_count
from kit.correspondence import DEAD
from kit.work import IS_PARKED
from loyalty.models import Rule
from members.models import Delivery
from payments.models import Transaction
from tests import build
from tests.admin.conftest import World
from tests.admin.test_pages import url_of
from tests.build import NOON
from tests.webhooks.hearing import endpoint


def test_a_new_merchant_reads_what_to_set_up_first(db: None) -> None:
    build.programme(language="en")
    build.region("HK")
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))

    page = client.get(reverse("admin:index"))

    assert [(step.title, step.is_done) for step in page.context["steps"]] == [
        ("Region", True),
        ("Store", False),
        ("Tier", False),
        ("Earning rule", False),
        ("Payment account", False),
    ]
    assert reverse("admin:members_store_add") in page.content.decode()


def test_the_hints_go_when_all_is_done(world: World, as_boss: Client) -> None:
    page = as_boss.get(reverse("admin:index"))

    assert page.context["steps"] == []


def test_nobody_is_told_to_take_a_step_that_they_may_not_take(db: None) -> None:
    build.programme(language="en")
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_user("cashier", is_staff=True)

    assert first_steps(request) == []


def test_each_card_leads_to_its_rows(world: World, as_boss: Client) -> None:
    cards = as_boss.get(reverse("admin:index")).context["cards"]

    lists = {card["title"]: as_boss.get(card["url"]).context["cl"] for card in cards}

    assert len(lists) == 5
    paid = lists["Payments, 30 days"].queryset
    assert set(paid.values_list("kind", flat=True)) == {"payment"}
    assert paid.count() == Transaction.objects.filter(kind="payment").count()


def test_what_waits_for_a_member_rings_no_alarm(world: World, as_boss: Client) -> None:
    page = as_boss.get(reverse("admin:stuck"))

    request = RequestFactory().get("/admin/")
    request.user = world.boss
    unmatched = Transaction.objects.filter(waiting_for="member").count()
    assert unmatched == 2
    assert stuck_count(request) == Transaction.objects.filter(IS_PARKED).count() - unmatched
    assert [group.title for group in page.context["calm"]] == ["Not matched yet"]
    assert "Not matched yet" not in [group.title for group in page.context["groups"]]


def test_what_is_stuck_is_the_same_number_wherever_it_stands(
    world: World, as_boss: Client
) -> None:
    Delivery.objects.create(  # Stuck as well, though it is neither a post nor a payment.
        endpoint=endpoint("https://shop.example.com/"),
        key="evt_1",
        type="points.earned",
        happened_at=NOON,
        queued_at=NOON,
        due_at=NOON,
        waiting_for=DEAD,
    )

    first = as_boss.get(reverse("admin:index"))
    stuck = as_boss.get(reverse("admin:stuck"))

    listed = sum(group.count for group in stuck.context["groups"])
    assert listed > 1
    assert first.context["stuck"] == listed
    shown = dict(first.context["road"]["table"]["rows"])["Stuck"]
    assert shown == f'<a class="rg-link" href="{reverse("admin:stuck")}">{listed}</a>'


def test_a_figure_is_compared_with_as_long_a_time_before() -> None:
    window = Window.until(NOON, "Asia/Hong_Kong")

    before = window.before

    assert before.now == NOON - timedelta(days=30)
    assert before.days[-1] + timedelta(days=1) == window.days[0]
    assert len(before.days) == len(window.days) == 30


def test_forms_show_plain_figures_and_their_zone(world: World, as_boss: Client) -> None:
    page = as_boss.get(url_of(Rule, "change", Rule.objects.get().pk)).content.decode()

    amount = re.search(r'<input [^>]*name="rates-0-per_amount"[^>]*>', page)
    assert amount is not None
    assert 'value="1"' in amount[0]
    assert "Hong Kong Time" in page


def test_only_what_can_change_has_a_history(world: World, as_boss: Client) -> None:
    fact = as_boss.get(url_of(Transaction, "change", Transaction.objects.all()[0].pk))
    setting = as_boss.get(url_of(Rule, "change", Rule.objects.get().pk))

    assert (fact.context["show_history"], setting.context["show_history"]) == (False, True)


def test_a_period_needs_no_time(world: World, as_boss: Client) -> None:
    tomorrow = f"{NOON + timedelta(days=1):%Y-%m-%d}"

    page = as_boss.get(url_of(Transaction, "changelist"), {"occurred_at_from_0": tomorrow})

    assert page.context["cl"].result_count == 0
