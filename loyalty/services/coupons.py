"""Coupons: issued in sets, redeemed and taken back one at a time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, QuerySet

from kit.ids import is_valid_code, normal_code
from kit.money import Money
from loyalty.models import Coupon, CouponType, CouponUse
from loyalty.models.coupons import new_coupon_code
from loyalty.refusals import (
    CodeMistyped,
    CouponUnknown,
    IssueReason,
    Refusal,
    UseAlreadyReturned,
)
from loyalty.services.quotes import quote_coupon
from members.models import ApiKey, Event, Programme, Store
from members.persons import rows_of
from members.services.timeline import record_events
from payments.providers.base import NoticeLine

Request = tuple[CouponType, UUID]

# Of 10^15 codes some millions are taken: a second round is rare, a third one is a fault.
MOST_ROUNDS: Final = 5


class NoFreeCode(Exception):
    """New codes keep colliding with old ones: the source of randomness is broken."""


def issue_coupons(requests: Sequence[Request], *, now: datetime) -> list[Coupon | Refusal]:
    """One coupon or one refusal for each request, in their order.

    The rows of the types are locked, in key order, until the caller's transaction ends: limits
    hold whoever issues at the same time. So call it last. The number of queries is fixed.
    """
    if not requests:
        return []
    with transaction.atomic():
        types = _lock_types({kind.pk for kind, _ in requests})
        held = _Held(types.values(), {member_id for _, member_id in requests})
        zone = ZoneInfo(Programme.current().zone)
        answers = [
            _issue_one(types[kind.pk], member_id, held, now=now, zone=zone)
            for kind, member_id in requests
        ]
        issued = [answer for answer in answers if isinstance(answer, Coupon)]
        if issued:
            _keep(issued, types, now=now)
    return answers


def redeem_coupon(  # noqa: PLR0913 - a redemption has this many sides, all named at the call.
    code: str,
    *,
    bill: Money | None,
    store: Store | None,
    now: datetime,
    order_ref: str = "",
    lines: Sequence[NoticeLine] = (),
    api_key: ApiKey | None = None,
    actor: User | None = None,
) -> CouponUse:
    """Use the coupon once; raises a CouponRefused, then nothing is changed.

    Two tills at once: the second waits for the lock and then finds the coupon used. The unique
    key (coupon, number) holds even where somebody forgets the lock.
    """
    with transaction.atomic():
        coupon = find_coupon(code, is_locked=True)
        # Before the quote: whoever quotes by the same uses comes to the same number.
        number = coupon.uses.aggregate(last=Max("number"))["last"] or 0
        quote = quote_coupon(coupon, bill=bill, store=store, now=now, lines=lines)
        use = CouponUse.objects.create(
            coupon=coupon,
            number=number + 1,
            used_at=now,
            store=store,
            order_ref=order_ref,
            bill=None if bill is None else bill.amount,
            discount=quote.amount,
            currency=quote.currency,
            api_key=api_key,
            actor=actor,
        )
        record_events([redeemed_event(use, now=now)])
    return use


def cancel_use(
    use: CouponUse, *, now: datetime, api_key: ApiKey | None = None, actor: User | None = None
) -> CouponUse:
    """Take a use back: within its validity the coupon can be used again. The use stays as a fact.

    Raises UseAlreadyReturned, then nothing is changed.
    """
    with transaction.atomic():
        coupon = locked_coupons().get(pk=use.coupon_id)
        changed = CouponUse.objects.filter(pk=use.pk, cancelled_at=None).update(cancelled_at=now)
        if not changed:
            raise UseAlreadyReturned
        use.cancelled_at = now
        use.coupon = coupon
        record_events([returned_event(use, api_key=api_key, actor=actor, now=now)])
    return use


def cancel_coupon(coupon: Coupon, *, now: datetime) -> bool:
    """Make a coupon void; False if it was already. It still counts towards the limits."""
    with transaction.atomic():
        locked_coupons().get(pk=coupon.pk)
        changed = Coupon.objects.filter(pk=coupon.pk, cancelled_at=None).update(cancelled_at=now)
    return bool(changed)


def cancel_unused(coupons: Iterable[UUID], *, now: datetime) -> int:
    """Make those void whose occasion is gone, save what was used already; returns how many. They
    still count towards the limits, as any that staff cancel."""
    with transaction.atomic():
        held = [row.pk for row in locked_coupons().filter(pk__in=list(coupons)).order_by("pk")]
        used = CouponUse.objects.filter(coupon=OuterRef("pk"), cancelled_at=None)
        unused = Coupon.objects.filter(pk__in=held, cancelled_at=None).exclude(Exists(used))
        return unused.update(cancelled_at=now)


def find_coupon(code: str, *, is_locked: bool = False) -> Coupon:
    """The coupon behind what was typed or scanned; raises CouponUnknown."""
    wanted = normal_code(code)
    rows = locked_coupons() if is_locked else Coupon.objects.select_related("type__category")
    coupon = rows.filter(code=wanted).first()
    if coupon is not None:
        return coupon
    raise CouponUnknown if is_valid_code(wanted, "C") else CodeMistyped


def last_moment(first_day_at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The end of the day in `zone` that lies `days` after `first_day_at`."""
    day = first_day_at.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime.combine(day, time.min, zone).astimezone(ZoneInfo("UTC"))


def locked_coupons() -> QuerySet[Coupon]:
    # NO KEY: inserting the use, which refers to the coupon, must not wait for another reader.
    return Coupon.objects.select_related("type__category").select_for_update(
        of=("self",), no_key=True
    )


def _lock_types(wanted: set[int]) -> dict[int, CouponType]:
    rows = CouponType.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
    return {kind.pk: kind for kind in rows}


class _Held:
    """How many coupons of a type with a limit for each member they have had so far. Merged members
    are one in this: what one of them got counts for all."""

    def __init__(self, types: Iterable[CouponType], members: set[UUID]) -> None:
        limited = [kind.pk for kind in types if kind.member_limit is not None]
        found = rows_of(members) if limited else {}
        self._persons = {row: person for person, rows in found.items() for row in rows}
        counts = (
            Coupon.objects.filter(type__in=limited, member__in=self._persons)
            .values_list("type_id", "member_id")
            .annotate(number=Count("pk"))
        )
        self._numbers: Counter[tuple[int, UUID]] = Counter()
        for kind, member, number in counts:
            self._numbers[kind, self._persons[member]] += number

    def number(self, kind: CouponType, member_id: UUID) -> int:
        return self._numbers[kind.pk, self._persons.get(member_id, member_id)]

    def add(self, kind: CouponType, member_id: UUID) -> None:
        self._numbers[kind.pk, self._persons.get(member_id, member_id)] += 1


def _issue_one(
    kind: CouponType,
    member_id: UUID,
    held: _Held,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> Coupon | Refusal:
    """Decide on one request and count it in the locked row and in `held`."""
    starts_at = max(now, kind.starts_at) if kind.starts_at else now
    expires_at = last_moment(starts_at, kind.valid_days, zone)
    if kind.ends_at is not None:
        expires_at = min(expires_at, kind.ends_at)
    if not kind.is_enabled:
        return Refusal(IssueReason.NOT_ENABLED)
    if expires_at <= starts_at:
        return Refusal(IssueReason.ENDED)
    if kind.total_limit is not None and kind.issued >= kind.total_limit:
        return Refusal(IssueReason.TOTAL_LIMIT)
    if kind.member_limit is not None and held.number(kind, member_id) >= kind.member_limit:
        return Refusal(IssueReason.MEMBER_LIMIT)
    kind.issued += 1
    held.add(kind, member_id)
    return Coupon(
        code="",  # Drawn for all at once, see free_codes.
        type=kind,
        member_id=member_id,
        issued_at=now,
        starts_at=starts_at,
        expires_at=expires_at,
    )


def _keep(issued: list[Coupon], types: dict[int, CouponType], *, now: datetime) -> None:
    for coupon, code in zip(issued, free_codes(len(issued)), strict=True):
        coupon.code = code
    Coupon.record(issued)
    CouponType.objects.bulk_update(types.values(), ["issued"])
    record_events(
        Event(
            member_id=coupon.member_id,
            kind=Event.Kind.COUPON_ISSUED,
            key=str(coupon.pk),
            occurred_at=now,
            booked_at=now,
            details={
                "coupon": coupon.code,
                "type": coupon.type_id,
                "expires_at": coupon.expires_at.isoformat(),
            },
        )
        for coupon in issued
    )


def free_codes(number: int) -> list[str]:
    """So many new codes that no coupon has: one query, and one more for those that collide."""
    codes: set[str] = set()
    for _round in range(MOST_ROUNDS):
        drawn = {new_coupon_code() for _ in range(number - len(codes))}
        taken = Coupon.objects.filter(code__in=drawn).values_list("code", flat=True)
        codes |= drawn - set(taken)
        if len(codes) == number:
            return list(codes)
    raise NoFreeCode


def redeemed_event(use: CouponUse, *, now: datetime, **also: object) -> Event:
    """also: what else its details say"""
    details = {"store": use.store.code if use.store else "", "order_ref": use.order_ref}
    details |= {"discount": str(use.discount), "currency": use.currency}
    return _event(Event.Kind.COUPON_REDEEMED, use, {**details, **also}, now=now)


def returned_event(
    use: CouponUse,
    *,
    now: datetime,
    api_key: ApiKey | None = None,
    actor: User | None = None,
    **also: object,
) -> Event:
    details = {
        "use": str(use.pk),
        "api_key": api_key.prefix if api_key else "",
        "actor": actor.pk if actor else None,
    }
    return _event(Event.Kind.COUPON_RETURNED, use, {**details, **also}, now=now)


def _event(
    kind: Event.Kind, use: CouponUse, details: Mapping[str, object], *, now: datetime
) -> Event:
    coupon = use.coupon
    return Event(
        member_id=coupon.member_id,
        kind=kind,
        key=str(use.pk),
        occurred_at=now,
        booked_at=now,
        details={"coupon": coupon.code, "type": coupon.type_id, **details},
    )
