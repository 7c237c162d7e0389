"""Booking: notices of any source become transactions, each effect once.

Who books a payment and who books its refund hold the same advisory lock, so that a refund never
waits for a payment that has just arrived; the same holds for a payer who has just become known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from kit.bulk import fetch_all, is_any_of
from kit.money import Money
from kit.said import Explained
from kit.work import hold_keys
from members.models import Store
from members.selectors import phone_country_of
from members.services.identities import clue_of, members_by_code
from payments.models import AmountConflict, Line, Transaction
from payments.providers.base import Kind, Notice
from payments.rules.methods import wallet_country
from payments.services import matching
from payments.services.catalogue import learn_products
from payments.services.joining import BasketLine, KnownOrder, baskets_of, join_orders, order_key
from payments.services.matching import METADATA, ORDER, Sign, match
from payments.services.methods import learn_methods
from payments.services.turns import EffectKey, put_in_order
from payments.services.twins import pair_with_entries

WAITING_FOR_MEMBER: Final = matching.WAITING_FOR_MEMBER
_STEP: Final = timedelta(microseconds=1)
CLOCK_SKEW: Final = timedelta(minutes=10)  # No machine's clock is further from another's.

_KNOWN: Final = """
SELECT account_id, payment_ref, kind, effect_ref, amount, currency, due_at
FROM payments_transaction
WHERE account_id = ANY(%s::bigint[]) AND payment_ref = ANY(%s::text[])
"""
_WAITING_FOR: Final = """
SELECT id FROM payments_transaction
WHERE waiting_for <> '' AND waiting_for = ANY(%s::text[])
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A notice with where and when it came in."""

    notice: Notice
    account_id: int
    source: str
    received_at: datetime
    callback_id: UUID | None = None
    store_id: int | None = None
    may_message: bool = True
    is_by_hand: bool = False  # Entered by somebody, and not told by a platform or a file.
    is_outside: bool = False
    phone_country: str = ""  # Whose a phone number without a country is.
    order_wait: timedelta = timedelta(0)  # How long a payment waits for the lines of its order.

    @property
    def effect_key(self) -> EffectKey:
        return (self.account_id, self.notice.payment_ref, self.notice.kind, self.notice.effect_ref)

    @property
    def payment_key(self) -> str:
        return payment_key(self.account_id, self.notice.payment_ref)

    @property
    def keys(self) -> list[str]:
        """What nobody else books in this moment: the payment, and the order that it may pay."""
        own = self.notice
        has_order = own.kind == Kind.PAYMENT and own.order_ref
        return [self.payment_key, *([order_key(own.order_ref[:100])] if has_order else [])]


@dataclass(frozen=True, slots=True)
class Booked:
    """What booking came to: new transactions, effects known before, those that disagree about the
    amount of a known effect, and new ones without a store for they name one that nobody knows."""

    fresh: list[Transaction]
    known: list[Entry]
    conflicting: list[Entry]
    storeless: list[Entry]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A known effect; `due_at` while it is not settled."""

    money: Money
    due_at: datetime | None


class UnbookableNotice(Explained, ValueError):
    """A notice whose references do not fit; the row that brought it is parked for repair."""


def payment_key(account_id: int, payment_ref: str) -> str:
    return f"payment:{account_id}:{payment_ref}"


def book(entries: Sequence[Entry]) -> Booked:
    """Insert what is new, in a fixed number of queries; call it inside a transaction."""
    _check(entries)
    hold_keys([key for entry in entries for key in entry.keys])
    stored = _known_effects(entries)
    fresh, known, conflicting = _sort_out(entries, stored)
    put_in_order(_told_before(known, stored))
    rows = _build(fresh)
    orders = join_orders(rows)
    found = match(rows, _stated(fresh, rows, orders))
    _wait_for_orders(fresh, rows)
    _find_originals(rows)
    questions = pair_with_entries(
        [row for entry, row in zip(fresh, rows, strict=True) if not entry.is_by_hand]
    )
    Transaction.record(rows)
    AmountConflict.record(questions)
    found.record()
    _record_lines(fresh, rows, orders)
    _release_corrections(rows)
    return Booked(
        fresh=rows, known=known, conflicting=conflicting, storeless=_storeless(fresh, rows)
    )


def _check(entries: Iterable[Entry]) -> None:
    for entry in entries:
        references = (entry.notice.payment_ref, entry.notice.effect_ref)
        if not all(0 < len(reference) <= 100 for reference in references):
            raise UnbookableNotice("A reference is empty or longer than 100 characters.")
        if entry.notice.amount.amount <= 0:
            raise UnbookableNotice("%(amount)s is not above zero.", amount=entry.notice.amount)


def _known_effects(entries: Sequence[Entry]) -> dict[EffectKey, _Stored]:
    refs = {entry.notice.payment_ref for entry in entries}
    accounts = {entry.account_id for entry in entries}
    rows = fetch_all(_KNOWN, [list(accounts), list(refs)])
    return {(a, p, k, e): _Stored(Money(*money), due) for a, p, k, e, *money, due in rows}


def _sort_out(
    entries: Sequence[Entry], stored: Mapping[EffectKey, _Stored]
) -> tuple[list[Entry], list[Entry], list[Entry]]:
    fresh: dict[EffectKey, Entry] = {}
    known = {key: row.money for key, row in stored.items()}
    repeated, conflicting = [], []
    for entry in entries:
        before = known.setdefault(entry.effect_key, entry.notice.amount)
        if entry.effect_key not in stored and entry.effect_key not in fresh:
            fresh[entry.effect_key] = entry
        elif before == entry.notice.amount:
            repeated.append(entry)
        else:
            conflicting.append(entry)
    return list(fresh.values()), repeated, conflicting


def _told_before(
    repeated: Iterable[Entry], stored: Mapping[EffectKey, _Stored]
) -> dict[EffectKey, datetime]:
    """What waits for its turn by a later post than one of these: the first one gives its place."""
    earliest: dict[EffectKey, datetime] = {}
    for entry in repeated:
        row = stored.get(entry.effect_key)
        if row is not None and row.due_at is not None and entry.received_at < row.due_at:
            known = earliest.setdefault(entry.effect_key, entry.received_at)
            earliest[entry.effect_key] = min(known, entry.received_at)
    return earliest


def _build(entries: Sequence[Entry]) -> list[Transaction]:
    stores = _named_stores(entries)
    methods = learn_methods(entry.notice.method for entry in entries)
    return [_transaction(entry, stores.get(entry.notice.store_code), methods) for entry in entries]


def _transaction(entry: Entry, store: Store | None, methods: Mapping[str, str]) -> Transaction:
    """`store`: the one that the notice names, if any; `methods`: codes by the platform's words."""
    notice, settled = entry.notice, entry.notice.settled
    country = phone_country_of(store) if store else entry.phone_country
    method = methods.get(notice.method, "")
    return Transaction.new(
        account_id=entry.account_id,
        callback_id=entry.callback_id,
        source=entry.source,
        kind=notice.kind,
        payment_ref=notice.payment_ref,
        effect_ref=notice.effect_ref,
        amount=notice.amount.amount,
        currency=notice.amount.currency,
        is_total=notice.is_total,
        occurred_at=min(notice.occurred_at, entry.received_at + CLOCK_SKEW),
        received_at=entry.received_at,
        order_ref=notice.order_ref[:100],
        method=method,
        store_id=store.pk if store else entry.store_id,
        earning_amount=notice.earns.amount if notice.earns else None,
        payer_country=notice.payer_country[:2] or wallet_country(method),
        settled_amount=settled.amount if settled else None,
        settled_currency=settled.currency if settled else None,
        fee=notice.fee.amount if notice.fee else None,
        clues=[clue_of(clue.kind, clue.value, country=country) for clue in notice.clues],
        may_message=entry.may_message,
        is_outside=entry.is_outside,
        due_at=entry.received_at,
    )


def _storeless(entries: Sequence[Entry], rows: Sequence[Transaction]) -> list[Entry]:
    pairs = zip(entries, rows, strict=True)
    return [entry for entry, row in pairs if row.store_id is None and entry.notice.store_code]


def _named_stores(entries: Iterable[Entry]) -> dict[str, Store]:
    codes = {entry.notice.store_code for entry in entries} - {""}
    if not codes:
        return {}
    rows = Store.objects.filter(code__in=codes).select_related("region")
    return {store.code: store for store in rows}


def _stated(
    entries: Sequence[Entry], rows: Sequence[Transaction], orders: Mapping[UUID, KnownOrder]
) -> dict[UUID, list[Sign]]:
    """Whose payments they are by signed metadata and by their orders."""
    by_code = members_by_code(entry.notice.member_code for entry in entries)
    stated: dict[UUID, list[Sign]] = {}
    for entry, row in zip(entries, rows, strict=True):
        named = by_code.get(entry.notice.member_code)
        order = orders.get(row.pk)
        of_order = order.member_id if order else None
        signs = ((METADATA, named), (ORDER, of_order))
        stated[row.pk] = [(kind, member) for kind, member in signs if member is not None]
    return stated


def _wait_for_orders(entries: Sequence[Entry], rows: Sequence[Transaction]) -> None:
    """Where the account says so, a payment whose order has not come is due a little later."""
    for entry, row in zip(entries, rows, strict=True):
        is_waiting = row.kind == Kind.PAYMENT and row.order_ref and row.order_id is None
        if is_waiting and not entry.notice.lines:
            row.due_at = entry.received_at + entry.order_wait


def _find_originals(rows: Sequence[Transaction]) -> None:
    """Give each refund its payment, and with it the payment's member; or let it wait."""
    corrections = [row for row in rows if row.kind != Kind.PAYMENT]
    if not corrections:
        return
    payments = {
        payment_key(row.account_id, row.payment_ref): row
        for row in (*_stored_payments(corrections), *rows)
        if row.kind == Kind.PAYMENT
    }
    for row in corrections:
        key = payment_key(row.account_id, row.payment_ref)
        _attach(row, payments[key], 1) if key in payments else _await(row, key)


def _stored_payments(corrections: Sequence[Transaction]) -> list[Transaction]:
    payments = Transaction.objects.filter(
        kind=Kind.PAYMENT,
        account_id__in={row.account_id for row in corrections},
        payment_ref__in={row.payment_ref for row in corrections},
    )
    # Whoever links such a payment waits until these corrections can be seen, and gives them too.
    unmatched_ones = payments.filter(member=None).order_by("pk")
    list(unmatched_ones.select_for_update(no_key=True).values_list("pk"))
    return list(payments)


def _await(row: Transaction, key: str) -> None:
    row.member_id, row.waiting_for = None, key


def _attach(row: Transaction, payment: Transaction, place: int) -> None:
    """Behind its payment in the order of work, wherever the platform's order put it."""
    row.original = payment
    row.member_id = payment.member_id
    row.store_id = row.store_id or payment.store_id  # Who may see the payment may see this.
    row.waiting_for = "" if payment.member_id else WAITING_FOR_MEMBER
    if payment.due_at is not None and row.due_at is not None:
        row.due_at = max(row.due_at, payment.due_at + _STEP * place)


def _release_corrections(rows: Sequence[Transaction]) -> None:
    """Refunds that came before these payments are due now, in the order in which they came."""
    payments = {
        payment_key(row.account_id, row.payment_ref): row
        for row in rows
        if row.kind == Kind.PAYMENT
    }
    if not payments:
        return
    early = [pk for (pk,) in fetch_all(_WAITING_FOR, [list(payments)])]
    if not early:
        return
    found = Transaction.objects.filter(is_any_of("pk", early))
    waiting = list(found.order_by("received_at", "effect_ref"))
    places: dict[UUID, int] = {}
    for row in waiting:
        payment = payments[row.waiting_for]
        places[payment.pk] = place = places.get(payment.pk, 0) + 1
        _attach(row, payment, place)
    Transaction.objects.bulk_update(
        waiting, ["original", "member", "store", "waiting_for", "due_at"]
    )


def _record_lines(
    entries: Sequence[Entry], rows: Sequence[Transaction], orders: Mapping[UUID, KnownOrder]
) -> None:
    """The lines that came with the payment, else those of its order."""
    products = learn_products([line for entry in entries for line in entry.notice.lines])
    pairs = list(zip(entries, rows, strict=True))
    baskets = baskets_of([row for entry, row in pairs if not entry.notice.lines], orders)
    for entry, row in pairs:
        if entry.notice.lines:
            baskets[row.pk] = [
                (products[line.sku], line.quantity, line.amount) for line in entry.notice.lines
            ]
    record_lines(baskets)


def record_lines(baskets: Mapping[UUID, Sequence[BasketLine]]) -> None:
    """Write the lines of each transaction."""
    Line.record(
        Line.new(
            transaction_id=transaction_id,
            position=position,
            product_id=product_id,
            quantity=quantity,
            amount=amount,
        )
        for transaction_id, lines in baskets.items()
        for position, (product_id, quantity, amount) in enumerate(lines, start=1)
    )


def unmatched() -> Q:
    """Transactions that wait for somebody to say whose they are."""
    return Q(member__isnull=True, waiting_for=WAITING_FOR_MEMBER)
