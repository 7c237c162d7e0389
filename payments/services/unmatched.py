"""The queue of unmatched payments: which of them one unknown payer made, and who that may be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kit.bulk import is_any_of
from kit.money import Money
from kit.scope import Scope, Scoping
from members.identity_kinds import kind_label
from members.models import Identity, Member
from payments.models import Order, Sighting, Transaction
from payments.services.booking import unmatched

IN_QUEUE: Final = "waiting=member&kind__exact=payment"  # The list of transactions, filtered.
MOST: Final = 300
MOST_COUNTED: Final = 10_000
_COUNTED_SECONDS: Final = 60
_CLOSE: Final = timedelta(days=1)
EVERYTHING: Final = Scope(sees_everything=True)
# Payments and orders alike belong to a store.
_VISIBLE: Final = Scoping(store="store", region="store__region")
# How much a reason weighs: the best suggestion comes first.
_KNOWN, _NUMBER, _SEEN, _AMOUNT = 8, 4, 2, 1


@dataclass(slots=True)
class Suggestion:
    """A member whom the payments may belong to, and why."""

    member: Member
    reasons: list[str] = field(default_factory=list)
    weight: int = 0

    def add(self, reason: str, weight: int) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
            self.weight += weight


@dataclass(slots=True)
class Payer:
    """Payments that hang together by a sign of their payer, newest first."""

    payments: list[Transaction]
    suggestions: list[Suggestion] = field(default_factory=list)

    @property
    def totals(self) -> list[Money]:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for payment in self.payments:
            sums[payment.currency] += payment.amount
        return [Money(amount, currency) for currency, amount in sorted(sums.items())]

    @property
    def signs(self) -> list[str]:
        """What is known of the payer: wallet, card, e-mail …"""
        kinds = dict.fromkeys(_kind(clue) for row in self.payments for clue in row.clues)
        return [str(kind_label(kind)) for kind in kinds]


def waiting_payments() -> Q:
    """What is in the queue. Whatever was taken back of a payment follows it without a word."""
    return unmatched() & Q(kind=Transaction.Kind.PAYMENT)


def count_of(queue: QuerySet[Any]) -> int:
    return queue.order_by()[:MOST_COUNTED].count()


def kept_count(user: Any, queue: QuerySet[Any]) -> int:
    """How many are in `queue`, which is what `user` may see of it: at most a minute old."""
    kept: int | None = cache.get(_counted(user))
    if kept is None:
        kept = count_of(queue)
        keep_count(user, kept)
    return kept


def keep_count(user: Any, count: int) -> None:
    cache.set(_counted(user), count, _COUNTED_SECONDS)


def forget_count(user: Any) -> None:
    """Of somebody who has just linked some."""
    cache.delete(_counted(user))


def _counted(user: Any) -> str:
    return f"unmatched:{user.pk}"


def payers_of(
    rows: QuerySet[Transaction],
    members: QuerySet[Member],
    *,
    scope: Scope = EVERYTHING,
    most: int = MOST,
) -> list[Payer]:
    """The newest waiting payments by payer: first those for whom somebody can be suggested, then
    those with most payments. `rows`, `members` and `scope`: what whoever asks may see; a reason
    names no payment or order of another store."""
    waiting = rows.filter(waiting_payments()).order_by("-occurred_at")
    payers = [Payer(group) for group in _hang_together(list(waiting[:most]))]
    _suggest(payers, members, _VISIBLE.rows(scope))
    return sorted(payers, key=lambda payer: (not payer.suggestions, -len(payer.payments)))


def _hang_together(payments: Sequence[Transaction]) -> list[list[Transaction]]:
    """Payments with a sign in common, also by way of a third one."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for row in payments:
        for clue in row.clues:
            leader[lead(clue)] = lead(f"payment:{row.pk}")
    groups: dict[str, list[Transaction]] = {}
    for row in payments:
        groups.setdefault(lead(f"payment:{row.pk}"), []).append(row)
    return list(groups.values())


Reason = tuple[UUID, str, int]  # Which member, why, and how much that weighs.


def _suggest(payers: Sequence[Payer], members: QuerySet[Member], visible: Q) -> None:
    payments = [row for payer in payers for row in payer.payments]
    found: defaultdict[UUID, list[Reason]] = defaultdict(list)
    for read in (_by_known_signs, _by_sightings, _by_order_number, _by_amount):
        for payment, member, why, weight in read(payments, visible):
            found[payment].append((member, why, weight))
    wanted = {member for reasons in found.values() for member, _reason, _weight in reasons}
    if not wanted:
        return
    seen = members.select_related("merged_into").filter(is_any_of("pk", wanted)).in_bulk()
    for payer in payers:
        payer.suggestions = _best(
            (reason for row in payer.payments for reason in found[row.pk]), seen
        )


def _best(reasons: Iterable[Reason], seen: Mapping[UUID, Member]) -> list[Suggestion]:
    suggestions: dict[UUID, Suggestion] = {}
    for member_id, reason, weight in reasons:
        if member_id in seen:
            known = suggestions.setdefault(member_id, Suggestion(seen[member_id]))
            known.add(reason, weight)
    return sorted(suggestions.values(), key=lambda each: -each.weight)


Found = tuple[UUID, UUID, str, int]  # Payment, member, why, weight.


def _by_known_signs(payments: Sequence[Transaction], _visible: Q) -> Iterable[Found]:
    """Signs of different people: had they agreed, the payment would not wait."""
    hashes = {clue.partition(":")[2] for row in payments for clue in row.clues}
    rows = Identity.objects.filter(is_any_of("hash", hashes)).values_list(
        "kind", "hash", "member_id"
    )
    owners = {f"{kind}:{digest}": member for kind, digest, member in rows}
    for row in payments:
        for clue in row.clues:
            if clue in owners:
                words = _say(_("the %(sign)s is theirs"), sign=kind_label(_kind(clue)))
                yield row.pk, owners[clue], words, _KNOWN


def _by_sightings(payments: Sequence[Transaction], visible: Q) -> Iterable[Found]:
    """Where the same sign paid at a store that may not be seen, that is all that is said."""
    by_clue: defaultdict[str, list[Transaction]] = defaultdict(list)
    for row in payments:
        for clue in row.clues:
            by_clue[clue].append(row)
    sightings = Sighting.objects.filter(is_any_of("clue", by_clue)).select_related("transaction")
    paid = Transaction.objects.filter(
        visible, is_any_of("pk", {s.transaction_id for s in sightings})
    )
    seen = set(paid.values_list("pk", flat=True)) if sightings else set()
    for sighting in sightings:
        sign = kind_label(_kind(sighting.clue))
        if sighting.transaction_id in seen:
            payment = sighting.transaction.payment_ref
            words = _say(_("the same %(sign)s paid %(payment)s"), sign=sign, payment=payment)
        else:
            words = _say(_("the same %(sign)s paid for them elsewhere"), sign=sign)
        for row in by_clue[sighting.clue]:
            yield row.pk, sighting.member_id, words, _SEEN


def _by_order_number(payments: Sequence[Transaction], visible: Q) -> Iterable[Found]:
    by_ref: defaultdict[str, list[Transaction]] = defaultdict(list)
    for row in payments:
        if row.order_ref:
            by_ref[row.order_ref].append(row)
    if not by_ref:
        return
    orders = Order.objects.filter(visible, is_any_of("order_ref", by_ref), member__isnull=False)
    for ref, member in orders.values_list("order_ref", "member_id"):
        for row in by_ref[ref]:
            if member is not None:
                yield row.pk, member, _say(_("order %(order)s is theirs"), order=ref), _NUMBER


def _by_amount(payments: Sequence[Transaction], visible: Q) -> Iterable[Found]:
    """Orders of the same store and amount within a day, which nobody has paid yet."""
    placed = [row for row in payments if row.store_id is not None]
    if not placed:
        return
    moments = [row.occurred_at for row in placed]
    orders = Order.objects.filter(
        visible,
        ordered_at__range=(min(moments) - _CLOSE, max(moments) + _CLOSE),
        amount__in={row.amount for row in placed},
        member__isnull=False,
        payments=None,
    )
    for order in orders[:MOST]:
        for row in placed:
            same = (order.store_id, order.amount, order.currency)
            is_near = abs(order.ordered_at - row.occurred_at) <= _CLOSE
            if is_near and same == (row.store_id, row.amount, row.currency) and order.member_id:
                words = _say(
                    _("order %(order)s has the same store and amount"), order=order.order_ref
                )
                yield row.pk, order.member_id, words, _AMOUNT


def _kind(clue: str) -> str:
    return clue.partition(":")[0]


def _say(sentence: Promise | str, **values: object) -> str:
    return str(sentence) % values
