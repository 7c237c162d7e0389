"""How lists and pages say it: amounts beside references, spans of time, and what is not there."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.cards import lasting
from kit.correspondence import DEAD
from members.models import Delivery
from payments.models import Line, Order, Settlement, SettlementRow, Transaction
from payments.services.rates import enter_rate
from payments.services.reconcile.comparing import compare_due
from tests import build
from tests.admin.conftest import World
from tests.reconciliation.files import KINDS, generic_file, sales, take
from tests.webhooks.hearing import endpoint


@pytest.fixture
def boss(world: World) -> Client:
    client = Client()
    client.force_login(world.boss)
    return client


def page(client: Client, name: str, *keys: object, **asked: str) -> str:
    answer = client.get(reverse(f"admin:{name}", args=keys), asked)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.26, "0.3 s"),
        (2.0, "2 s"),
        (59.4, "59 s"),
        (59.7, "1 min"),
        (1800.0, "30 min"),
        (3599.0, "1 h"),
        (5400.0, "1.5 h"),
        (47 * 3600.0, "47 h"),
        (72 * 3600.0, "3 d"),
    ],
)
def test_a_span_of_time_is_told_no_finer_than_anybody_cares_for(
    seconds: float, words: str
) -> None:
    assert lasting(seconds) == words


def test_staff_see_the_amounts_of_what_they_link(world: World, boss: Client) -> None:
    row = Transaction.objects.get(waiting_for="member", store=world.near.store)

    asked = page(boss, "payments_transaction_link_one", row.pk)

    assert f"{row.payment_ref} · {row.money.display('en')} · 21 Nov 2026, 12:00" in asked


def test_staff_see_the_amounts_of_what_they_propose(world: World, boss: Client) -> None:
    taken = take(world.near.account, generic_file(sales(21)))
    refund = SettlementRow.objects.get(settlement=taken, kind="refund")

    asked = boss.post(
        reverse("admin:payments_settlementrow_changelist"),
        {"action": "propose_to_book", "_selected_action": [str(refund.pk)]},
    ).content.decode()

    assert f"{refund.payment_ref} · −{refund.money.display('en')} · 20 Nov 2026, 11:00" in asked
    assert f'name="_selected_action" value="{refund.pk}"' in asked


def test_an_empty_list_says_how_rows_come_and_a_filtered_one_that_none_fit(
    world: World, boss: Client
) -> None:
    empty = page(boss, "payments_proposal_changelist")
    without_words = page(boss, "payments_category_changelist")
    filtered = page(boss, "payments_proposal_changelist", state="open")

    assert "Nothing was proposed yet." in empty
    assert "No results found" not in empty
    assert "There are no categories yet." in without_words
    assert "No results found" in filtered
    assert "Nothing was proposed yet." not in filtered


def test_a_reference_keeps_its_small_letters_in_the_path(world: World, boss: Client) -> None:
    build.send(build.payment("5.00"), message_id="msg_small", to=world.near.account)
    callback = world.near.account.callback_set.get(delivery_key="msg_small")

    shown = page(boss, "payments_callback_change", callback.pk)

    assert "msg_small" in shown
    assert "Msg_small" not in shown


def test_a_quantity_has_no_zeros_and_a_total_is_named_only_where_it_is_one(
    world: World, boss: Client
) -> None:
    row = Transaction.objects.filter(kind="payment", store=world.near.store)[0]
    product = build.product("TEA-9")
    Line.record([
        Line(
            transaction=row, position=9, product=product, quantity=Decimal("2.000"), amount=5
        )
    ])  # fmt: skip

    shown = page(boss, "payments_transaction_change", row.pk)

    assert "2.000" not in shown
    assert "Total so far" not in shown


def test_the_page_of_a_large_file_waits_for_its_result(world: World, boss: Client) -> None:
    taken = take(world.near.account, generic_file(sales(21)))
    Settlement.objects.filter(pk=taken.pk).update(due_at=timezone.now())
    url = reverse("admin:payments_settlement_compared", args=[taken.pk])

    waiting, first = page(boss, "payments_settlement_change", taken.pk), boss.get(url)
    listed = page(boss, "payments_settlement_changelist")
    compare_due(now=timezone.now() + timedelta(seconds=1))
    done, second = page(boss, "payments_settlement_change", taken.pk), boss.get(url)

    assert "The file is being compared: 21 rows." in waiting
    assert f'hx-get="{url}"' in waiting
    assert "being compared" in listed
    assert (first.status_code, first.headers.get("HX-Refresh")) == (204, None)
    assert "being compared" not in done
    assert (second.status_code, second.headers["HX-Refresh"]) == (200, "true")


def test_who_may_not_see_a_file_is_not_told_whether_it_is_compared(world: World) -> None:
    taken = take(world.far.account, KINDS["generic"].write(sales(21)))
    manager = Client()
    manager.force_login(world.manager)

    refused = manager.get(reverse("admin:payments_settlement_compared", args=[taken.pk]))

    assert refused.status_code == 403


def test_sending_again_is_offered_where_something_was_given_up(world: World, boss: Client) -> None:
    hook = endpoint("https://shop.example.com/")
    offer = reverse("admin:members_endpoint_resend_dead", args=[hook.pk])

    before = page(boss, "members_endpoint_change", hook.pk)
    Delivery.objects.create(
        endpoint=hook,
        key="evt_1",
        type="points.earned",
        happened_at=timezone.now(),
        queued_at=timezone.now(),
        due_at=timezone.now(),
        attempts=11,
        waiting_for=DEAD,
    )
    after = page(boss, "members_endpoint_change", hook.pk)

    assert offer not in before
    assert offer in after


def test_a_rate_is_shown_with_both_currencies_and_its_source(world: World, boss: Client) -> None:
    rate, _resumed = enter_rate(
        currency="THB",
        valid_from=build.NOON.date(),
        rate=Decimal("1.0945"),
        source="ECB",
        now=build.NOON,
    )

    shown = page(boss, "payments_rate_change", rate.pk)

    assert "1 THB = 1.0945 HKD" in shown
    assert "1.0945000000" not in shown
    assert "ECB" in shown


def test_why_rates_cannot_be_fetched_is_said_in_words(
    world: World, boss: Client, settings: Any
) -> None:
    settings.EXCHANGE_RATES_URL = "http://127.0.0.1:9/rates.xml"
    settings.OUTWARD_PRIVATE_HOSTS = ["127.0.0.1"]

    shown = boss.get(reverse("admin:payments_rate_fetch_now"), follow=True).content.decode()

    assert "No rates were fetched: The server does not take the connection." in shown
    assert "no_connection" not in shown


def test_an_order_without_a_difference_shows_the_same_dash_as_everything_else(
    world: World, boss: Client
) -> None:
    Order.record([
        Order(
            order_ref="SO-1",
            amount=Decimal(5),
            currency="HKD",
            ordered_at=build.NOON,
            received_at=build.NOON,
        )
    ])  # fmt: skip

    listed = page(boss, "payments_order_changelist")

    cells = re.findall(r"<td[^>]*field-shown_difference[^>]*>\s*(.*?)\s*</td>", listed, re.DOTALL)
    assert cells == ["–"]
