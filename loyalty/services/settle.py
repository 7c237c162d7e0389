"""Settle: due transactions of known members become awards, points, tiers and events.

Members are claimed, not rows. A round takes the oldest due fact of each locked member, so a round
never holds two facts of one member, and set-based work sees what one-by-one work would see. Rounds
go on while the locks are held.

The facts of a member who was merged are settled under the standing of whoever stands for them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from kit.bulk import insert_many, is_any_of, update_many
from kit.drain import Queue, drain
from kit.work import IS_DUE, REPAIR, hold_keys, note_failure
from loyalty.models import Award, Standing, Transfer
from loyalty.rules.periods import lapse_instant, local_day
from loyalty.services.awards import CannotRule, Ruling, rule_on
from loyalty.services.cases import Case, Docket, gather
from loyalty.services.coupon_returns import follow_refunds
from loyalty.services.expire import expire_for
from loyalty.services.ledger import Posting, open_accounts, post
from loyalty.services.tiers import add_spend, upgrade
from members.models import Event
from members.persons import own_rows
from members.services.timeline import record_events
from payments.models import Transaction
from payments.services.rates import rates_on, waiting_key
from payments.services.translate import translated_until

Kind = Transaction.Kind
_ROUNDS: Final = 20
# Of a fact and its member, what neither rules nor sums ask for.
_UNASKED: Final = (
    *("source", "callback", "received_at", "order_ref", "clues"),
    *("settled_amount", "settled_currency", "fee", "member__name", "member__page_version"),
)
# Members are found through due rows, of which some have several.
_ROWS_PER_MEMBER: Final = 4


class _Found(NamedTuple):
    """Whose a due fact is, who stands for them, and the key of the member's standing, if any."""

    member: UUID
    person: UUID
    standing: UUID | None


def settle_members(*, now: datetime, limit: int) -> int:
    due = _candidates(limit, now)
    members: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for found in due:
        members[found.person].add(found.member)
    if not members:
        return 0
    # Outside of the batch: an account that a batch has not committed yet would hold up the others.
    open_accounts(found.member for found in due if found.standing is None)
    # A second round finds whoever has two due facts; for a few it would cost what it does for all.
    crowded = sum(count > 1 for count in Counter(found.person for found in due).values())
    rounds = _ROUNDS if crowded * 2 >= len(members) else 1
    return drain(_queue_of(members, rounds), now=now, limit=limit)


def _candidates(limit: int, now: datetime) -> list[_Found]:
    """Members with due facts, once for each fact. One with very many hides the others, who are
    then looked for beside them."""
    most = limit * _ROWS_PER_MEMBER
    found = _oldest(_due(now), most)
    members = {one.member for one in found}
    if len(found) == most and len(members) * 2 < limit:
        found += _oldest(_due(now).exclude(is_any_of("member_id", members)), most)
    return found


def _oldest(due: QuerySet[Transaction], most: int) -> list[_Found]:
    rows = due.order_by("due_at").values_list(
        "member_id", "member__merged_into_id", "member__standing__pk"
    )
    return [
        _Found(member, survivor or member, standing)
        for member, survivor, standing in rows[:most]
        if member is not None
    ]


def _reclaim(keys: Sequence[Standing], now: datetime) -> Sequence[Standing]:
    return _lock([standing.pk for standing in keys], len(keys))


def _lock(member_ids: Iterable[UUID], limit: int) -> list[Standing]:
    """Standing, never Member: a lock there would block every insert that names the member."""
    rows = Standing.objects.filter(is_any_of("pk", member_ids)).order_by("pk")
    return list(rows.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit])


def _due(now: datetime) -> QuerySet[Transaction]:
    in_order = Q(due_at__lt=translated_until(now=now))
    return Transaction.objects.filter(IS_DUE, in_order, due_at__lte=now, member__isnull=False)


def _settle_round(
    held: Sequence[Standing], members: Mapping[UUID, Iterable[UUID]], now: datetime
) -> int:
    """`held` are locked, so they stay true from one round to the next; `members` are those with
    due facts for whom each of them stands."""
    standings = {standing.pk: standing for standing in held}
    wanted = [member for person in standings for member in members[person]]
    found = (
        _due(now)
        .filter(is_any_of("member_id", wanted))
        .order_by("member_id", "due_at", "id")
        .distinct("member_id")
        .select_related("member")
        .defer(*_UNASKED)
    )
    rows = _oldest_of_each_person(found, standings)
    if not rows:
        return 0
    # What lapsed by now is gone before anything is taken, whether or not the hourly job has run.
    taken = {row.member.person_id for row in rows if row.kind != Kind.PAYMENT and row.member}
    expire_for([standings[person] for person in taken], now=now)
    docket = gather(rows, standings, now=now)
    docket.cases = _park_those_that_wait(docket)
    _book(_rule(docket), docket)
    return len(rows)


def _oldest_of_each_person(
    found: Iterable[Transaction], standings: Mapping[UUID, Standing]
) -> list[Transaction]:
    """Whoever was merged, or parted, since they were claimed is left for the next batch: only the
    lock on a standing tells for certain whose it is."""
    oldest: dict[UUID, Transaction] = {}
    for row in sorted(found, key=lambda row: (row.due_at, row.pk)):
        if row.member is not None and row.member.person_id in standings:
            oldest.setdefault(row.member.person_id, row)
    return list(oldest.values())


def _park_those_that_wait(docket: Docket) -> list[Case]:
    """Set aside what lacks a rate or its payment's award; return the cases that are ready."""
    waiting: list[Transaction] = []
    _wait_for_rates(docket, waiting)
    for case in docket.cases:
        if not case.is_payment and case.award is None:
            case.row.waiting_for = f"award:{case.payment.pk}"
            waiting.append(case.row)
    update_many(waiting, ["waiting_for"])
    parked = {row.pk for row in waiting}
    return [case for case in docket.cases if case.row.pk not in parked]


def _rule(docket: Docket) -> list[Ruling]:
    """Rule on each case; those that nobody can rule on wait for staff, however many they are: they
    are no sign of a bug of ours, for which draining would stop the stage."""
    rulings, unruly = [], []
    for case in docket.cases:
        try:
            rulings.append(rule_on(case, docket))
        except CannotRule as problem:
            case.row.waiting_for, case.row.error = REPAIR, problem.kept
            unruly.append(case.row)
    update_many(unruly, ["waiting_for", "error"])
    return rulings


def _wait_for_rates(docket: Docket, waiting: list[Transaction]) -> None:
    currency = docket.shop.currency
    lacking = [
        case
        for case in docket.cases
        if case.is_payment and case.rate is None and case.row.currency != currency
    ]
    if not lacking:
        return
    days = {case.row.pk: local_day(case.row.occurred_at, docket.shop.zone) for case in lacking}
    # Whoever enters a rate holds the same lock: look once more, so that none waits in vain.
    hold_keys([f"rate:{case.row.currency}" for case in lacking])
    rates = rates_on((case.row.currency, days[case.row.pk]) for case in lacking)
    for case in lacking:
        case.rate = rates.get((case.row.currency, days[case.row.pk]))
        if case.rate is None:
            case.row.waiting_for = waiting_key(case.row.currency, days[case.row.pk])
            waiting.append(case.row)


def _book(rulings: Sequence[Ruling], docket: Docket) -> None:
    now = docket.now
    Award.record(ruling.award for ruling in rulings)
    standings = {ruling.case.standing.pk: ruling.case.standing for ruling in rulings}
    post([_posting(r, docket) for r in rulings if r.give], standings, now=now)
    for ruling in rulings:
        _count_payment(ruling.case)
    add_spend([(ruling.case.standing, ruling.award) for ruling in rulings], docket.shop, now=now)
    upgrade(list(standings.values()), docket.shop.tiers, causes=_causes(rulings), now=now)
    update_many(list(standings.values()), _STANDING_FIELDS)
    _save_caps(docket)
    record_events(_event(ruling, now=now) for ruling in rulings)
    _finish(rulings)
    # Last: it locks coupons, and asks what is settled by now.
    follow_refunds([ruling.case for ruling in rulings], programme=docket.shop.programme, now=now)


_STANDING_FIELDS: Final = (
    "balance",
    "tier",
    "tier_since",
    "spend_12m",
    "reckoned_at",
    "payments",
    "first_paid_at",
    "last_paid_at",
)


def _posting(ruling: Ruling, docket: Docket) -> Posting:
    case, programme = ruling.case, docket.shop.programme
    if ruling.give < 0:
        kind, expires_at = Transfer.Kind.TAKE_BACK, None
    else:
        kind = Transfer.Kind.EARN if case.is_payment else Transfer.Kind.GIVE_BACK
        expires_at = lapse_instant(
            docket.now, months=programme.points_valid_months, zone=docket.shop.zone
        )
    return Posting(
        member_id=case.standing.pk,
        kind=kind,
        points=ruling.give,
        award_id=ruling.award.pk,
        expires_at=expires_at,
        first_of=case.award_ids,
        owner_id=case.owner_id,
    )


def _count_payment(case: Case) -> None:
    if not case.is_payment:
        return
    standing, paid_at = case.standing, case.row.occurred_at
    standing.payments += 1
    standing.first_paid_at = min(standing.first_paid_at or paid_at, paid_at)
    standing.last_paid_at = max(standing.last_paid_at or paid_at, paid_at)


def _save_caps(docket: Docket) -> None:
    uses = sorted(docket.cap_uses.values(), key=lambda use: (use.member_id, use.rule_id, use.on))
    insert_many([use for use in uses if use.pk is None])
    update_many([use for use in uses if use.pk is not None], ["points"])


def _causes(rulings: Sequence[Ruling]) -> dict[UUID, dict[str, object]]:
    rows = {ruling.case.standing.pk: ruling.case.row for ruling in rulings}
    return {
        person: {"paid_at": row.occurred_at.isoformat(), "may_message": row.may_message}
        for person, row in rows.items()
    }


def _event(ruling: Ruling, *, now: datetime) -> Event:
    case, row = ruling.case, ruling.case.row
    spend = ruling.award.spend
    details = {
        "transaction": str(row.pk),
        "payment_ref": row.payment_ref,
        "amount": str(row.amount),
        "currency": row.currency,
        "reporting_amount": str(spend),
        "points": ruling.award.points,
        "may_message": row.may_message,
        "first_payment": case.is_payment and case.standing.payments == 1,
    }
    return Event.new(
        member_id=case.member_id,
        kind=Event.Kind.PAID if case.is_payment else Event.Kind.REFUNDED,
        key=str(row.pk),
        occurred_at=row.occurred_at,
        booked_at=now,
        details=details,
        due_at=now if case.is_payment else None,
    )


_RELEASE: Final = """
UPDATE payments_transaction SET waiting_for = ''
WHERE waiting_for <> '' AND waiting_for = ANY(%s::text[])
"""


def _finish(rulings: Sequence[Ruling]) -> None:
    """The facts are done; corrections that waited for these awards are due."""
    for ruling in rulings:
        row = ruling.case.row
        row.due_at, row.error, row.attempts = None, "", 0
        row.rate = ruling.case.rate
        row.reporting_amount = abs(ruling.award.spend)
    update_many(
        [ruling.case.row for ruling in rulings],
        ["due_at", "error", "attempts", "rate", "reporting_amount"],
    )
    awaited = [f"award:{ruling.case.row.pk}" for ruling in rulings if ruling.case.is_payment]
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [awaited])


def _park(standing: Standing, error: str, tries: int) -> None:
    """The bad row is the oldest due one of the person: a lone key fails at its first fact."""
    oldest = (
        Transaction.objects.filter(IS_DUE, member__in=own_rows(standing.member))
        .order_by("due_at", "id")
        .values_list("pk", flat=True)[:1]
    )
    note_failure(Transaction.objects.filter(pk__in=list(oldest)), error, tries=tries)


def _queue_of(members: Mapping[UUID, Iterable[UUID]], rounds: int) -> Queue[Standing]:
    return Queue(
        name="settle",
        claim=lambda limit, _now: _lock(members, limit),
        reclaim=_reclaim,
        work=lambda held, now: _settle_round(held, members, now),
        park=_park,
        rounds=rounds,
    )
