"""What a file brings and we lack is booked after two people agreed, and never twice."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from payments.models import (
    Account,
    Callback,
    Proposal,
    Settlement,
    SettlementRow,
    Transaction,
)
from payments.providers.base import Clue, Kind, Notice
from payments.services.booking import Entry
from payments.services.booking import book as book_entries
from payments.services.reconcile.comparing import compare_again, compare_due
from payments.services.reconcile.figures import balances_of, counts_of, fees_of
from payments.services.reconcile.proposing import (
    NotTheSamePerson,
    book_by_file,
    decide,
    propose,
)
from payments.services.reconcile.taking import CannotTake, withdraw
from tests import build
from tests.build import NOON
from tests.reconciliation.files import KINDS, Sale, book, generic_file, sales, take


@pytest.fixture
def people(db: None) -> tuple[User, User]:
    build.programme()
    return User.objects.create_user("mei"), User.objects.create_user("bo")


def account(form: str) -> Account:
    return Account.objects.create(provider=KINDS[form].provider, name=form)


def missing(settlement: Settlement) -> Any:
    return SettlementRow.objects.filter(settlement=settlement, verdict="missing_here")


def late_callback(row: Transaction, *, account: Account) -> Any:
    """The platform tells of the same effect after all."""
    notice = Notice(
        kind=Kind(row.kind),
        payment_ref=row.payment_ref,
        effect_ref=row.effect_ref,
        amount=row.money,
        occurred_at=row.occurred_at,
        is_total=row.is_total,
        clues=(Clue("wallet", "late"),),
    )
    with transaction.atomic():
        return book_entries([Entry(notice, account.pk, "callback", NOON)])


@pytest.mark.parametrize("form", KINDS)
def test_what_is_missing_is_booked_when_another_agrees(
    people: tuple[User, User], form: str
) -> None:
    mei, bo = people
    kind, own = KINDS[form], account(form)
    rows = sales(21, places=0 if form == "ecpay" else 2)
    book(own, kind, rows[2:])  # The first payment and its refund were lost.
    settlement = take(own, kind.write(rows))

    proposals = propose(missing(settlement), reason="Outage of Friday", user=mei, now=NOON)
    number, result = decide(Proposal.objects.all(), is_agreed=True, user=bo, now=NOON)

    settlement.refresh_from_db()
    assert (len(proposals), number, result.booked, result.homeless) == (2, 2, 2, [])
    booked = Transaction.objects.filter(source="import").order_by("kind")
    assert [(row.kind, row.payment_ref, row.amount, row.may_message) for row in booked] == [
        ("payment", rows[0].ref, rows[0].amount, False),
        ("refund", rows[0].ref, rows[1].amount, False),
    ]
    assert booked[1].original == booked[0]
    assert missing(settlement).count() == 0
    assert counts_of(settlement).get("missing_there") is None


@pytest.mark.parametrize("form", ["alipay", "wechat", "stripe"])
def test_a_late_callback_finds_its_effect_booked(people: tuple[User, User], form: str) -> None:
    mei, bo = people
    kind, own = KINDS[form], account(form)
    rows = sales(21)
    settlement = take(own, kind.write(rows[:2]))
    propose(missing(settlement), reason="Lost", user=mei, now=NOON)
    decide(Proposal.objects.all(), is_agreed=True, user=bo, now=NOON)

    for sale in rows[:2]:
        # As the platform's callback would name it.
        row = Transaction(
            kind="refund" if sale.of else "payment",
            payment_ref=sale.payment,
            effect_ref=kind.our_effect(sale) if sale.of else sale.ref,
            amount=sale.amount,
            currency=kind.currency,
            occurred_at=sale.at,
            is_total=kind.totals and bool(sale.of),
        )
        late = late_callback(row, account=own)
        assert (len(late.fresh), len(late.known), len(late.conflicting)) == (0, 1, 0)

    assert Transaction.objects.count() == 2


def test_nobody_agrees_to_their_own_proposal(people: tuple[User, User]) -> None:
    mei, _bo = people
    own = account("wechat")
    settlement = take(own, KINDS["wechat"].write(sales(21)[:1]))
    (proposal,) = propose(missing(settlement), reason="Lost", user=mei, now=NOON)

    with pytest.raises(NotTheSamePerson):
        decide(Proposal.objects.all(), is_agreed=True, user=mei, now=NOON)

    proposal.refresh_from_db()
    assert proposal.decided_at is None
    assert Transaction.objects.count() == 0
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        Proposal.objects.update(decided_by=mei, decided_at=NOON, is_agreed=True)


def test_a_declined_row_can_be_proposed_again(people: tuple[User, User]) -> None:
    mei, bo = people
    settlement = take(account("wechat"), KINDS["wechat"].write(sales(21)[:1]))
    propose(missing(settlement), reason="Lost", user=mei, now=NOON)

    again_too_early = propose(missing(settlement), reason="Lost!", user=bo, now=NOON)
    decide(Proposal.objects.all(), is_agreed=False, user=bo, now=NOON)
    after = propose(missing(settlement), reason="Really lost", user=bo, now=NOON)

    assert (again_too_early, len(after)) == ([], 1)
    assert Transaction.objects.count() == 0


def test_a_file_that_was_withdrawn_is_not_booked_though_another_agrees(
    people: tuple[User, User],
) -> None:
    mei, bo = people
    settlement = take(account("stripe"), KINDS["stripe"].write(sales(21)))
    propose(missing(settlement), reason="Lost", user=mei, now=NOON)
    withdraw(settlement, user=mei, now=NOON)

    _number, result = decide(Proposal.objects.all(), is_agreed=True, user=bo, now=NOON)

    assert (result.booked, result.known, result.homeless) == (0, 0, [])
    assert Transaction.objects.count() == 0
    assert Proposal.objects.filter(decided_at=None).count() == 0


def test_what_came_meanwhile_is_not_booked_again(people: tuple[User, User]) -> None:
    mei, bo = people
    own, rows = account("wechat"), sales(21)[:1]
    settlement = take(own, KINDS["wechat"].write(rows))
    propose(missing(settlement), reason="Lost", user=mei, now=NOON)
    book(own, KINDS["wechat"], rows)

    _number, result = decide(Proposal.objects.all(), is_agreed=True, user=bo, now=NOON)

    assert (result.booked, result.known) == (0, 1)
    assert Transaction.objects.count() == 1
    assert counts_of(settlement) == {"matched": 1}


def test_a_file_is_taken_in_once_until_it_is_withdrawn(people: tuple[User, User]) -> None:
    mei, _bo = people
    own, content = account("wechat"), KINDS["wechat"].write(sales(21))
    first = take(own, content)

    with pytest.raises(CannotTake, match="already"):
        take(own, content)
    assert withdraw(first, user=mei, now=NOON)
    again = take(own, content)

    assert Settlement.objects.count() == 2
    assert again.withdrawn_at is None
    compare_again(first, now=NOON)
    first.refresh_from_db()
    assert first.due_at is None


def test_fees_and_settled_amounts_are_learnt_once(people: tuple[User, User]) -> None:
    own = account("stripe")
    sale = Sale("pi_1", Decimal("95.00"), NOON, Decimal("3.50"))
    rows = [replace(sale, ref="pi_1"), replace(sale, ref="pi_2")]
    book(own, KINDS["stripe"], [rows[1]])  # Its fee is known.
    without_fee = Transaction(
        account=own, source="callback", kind="payment", payment_ref="pi_1", effect_ref="pi_1",
        amount=sale.amount, currency="HKD", occurred_at=sale.at, received_at=sale.at,
    )  # fmt: skip
    Transaction.record([without_fee])

    settlement = take(own, KINDS["stripe"].write(rows))

    found = Transaction.objects.get(payment_ref="pi_1")
    assert (found.fee, found.settled_amount, found.settled_currency) == (
        Decimal("3.5000"),
        Decimal("95.0000"),
        "HKD",
    )
    assert fees_of(settlement) == [("HKD", Decimal("7.0000"))]
    assert counts_of(settlement) == {"matched": 2, "not_sales": 1}


def test_what_one_file_lacks_another_may_have(people: tuple[User, User]) -> None:
    own, rows = account("wechat"), [sale for sale in sales(42) if not sale.of][:3]
    book(own, KINDS["wechat"], rows)
    first = take(own, KINDS["wechat"].write([rows[0], rows[2]]))
    before = counts_of(first)

    second = take(own, KINDS["wechat"].write([rows[1]]))

    assert before == {"matched": 2, "missing_there": 1}
    assert counts_of(first) == {"matched": 2, "elsewhere": 1}
    assert counts_of(second) == {"matched": 1}
    compare_again(first, now=NOON)
    assert counts_of(first) == {"matched": 2, "elsewhere": 1}


def test_a_row_may_turn_out_to_be_another_refund_than_it_seemed(
    people: tuple[User, User],
) -> None:
    own, at = account("wechat"), sales(42)[0].at
    paid = Sale("w0", Decimal("100.00"), at)
    likely, same = (Sale(ref, Decimal(n), at, of="w0") for ref, n in (("r1", "30"), ("r2", "20")))
    book(own, KINDS["wechat"], [paid, likely])
    settlement = take(own, KINDS["wechat"].write([paid, same]))
    before = counts_of(settlement)
    book(own, KINDS["wechat"], [same])

    compare_again(settlement, now=NOON)

    assert before == {"matched": 1, "amount_differs": 1}
    assert counts_of(settlement) == {"matched": 2, "missing_there": 1}
    noted = SettlementRow.objects.get(number=0)
    assert noted.effect_ref == likely.ref


def test_sums_by_currency_show_the_difference(people: tuple[User, User]) -> None:
    own = account("wechat")
    at = sales(42)[0].at
    rows = [Sale(f"w{n}", Decimal(amount), at) for n, amount in enumerate(("100.00", "50.00"))]
    rows.append(Sale("r1", Decimal("20.00"), at, of="w0"))
    book(own, KINDS["wechat"], [rows[0]])

    settlement = take(own, KINDS["wechat"].write(rows))

    (balance,) = balances_of(settlement)
    assert (balance.currency, balance.theirs, balance.ours, balance.difference) == (
        "CNY",
        Decimal("130.0000"),
        Decimal("100.0000"),
        Decimal("30.0000"),
    )


def test_a_refund_of_a_payment_that_nobody_knows_is_not_booked(people: tuple[User, User]) -> None:
    mei, bo = people
    own, rows = account("wechat"), sales(21)
    settlement = take(own, KINDS["wechat"].write([rows[1]]))
    propose(missing(settlement), reason="Lost", user=mei, now=NOON)

    _number, result = decide(Proposal.objects.all(), is_agreed=True, user=bo, now=NOON)

    assert (result.booked, result.homeless) == (0, [rows[0].ref])
    assert Transaction.objects.count() == 0


def test_an_account_by_file_is_booked_by_one_and_an_overlapping_file_adds_the_rest(
    people: tuple[User, User],
) -> None:
    member = build.member()
    own, rows = account("generic"), sales(42)
    first = take(own, generic_file(rows[:10]))
    text = generic_file(rows).decode().replace("CCY", "CCY,Member no")
    lines = [f"{line},{member.code}" if n else line for n, line in enumerate(text.split("\n"))]
    second = take(own, "\n".join(lines).encode())

    early = book_by_file(first, now=NOON)
    compare_again(second, now=NOON)
    late = book_by_file(second, now=NOON)

    assert (early.booked, late.booked) == (10, len(rows) - 10)
    assert Transaction.objects.filter(source="import").count() == len(rows)
    assert Transaction.objects.filter(member=member, kind="payment").count() > 0
    assert counts_of(second) == {"matched": len(rows)}


def test_the_file_of_a_platform_is_not_booked_by_one(people: tuple[User, User]) -> None:
    settlement = take(account("wechat"), KINDS["wechat"].write(sales(21)))

    assert book_by_file(settlement, now=NOON).booked == 0
    assert Transaction.objects.count() == 0


def test_the_job_compares_what_is_due(people: tuple[User, User]) -> None:
    own = account("wechat")
    settlement = take(own, KINDS["wechat"].write(sales(21)))
    Settlement.objects.update(due_at=NOON)

    done = compare_due(now=NOON)
    again = compare_due(now=NOON)

    settlement.refresh_from_db()
    assert (done, again, settlement.due_at) == (1, 0, None)


def test_personal_data_of_the_file_is_not_kept(people: tuple[User, User]) -> None:
    settlement = take(account("alipay"), KINDS["alipay"].write(sales(21)[:1]))

    kept = json.dumps(
        list(SettlementRow.objects.filter(settlement=settlement).values()), default=str
    )

    assert "139****0000" not in kept
    assert Callback.objects.count() == 0
