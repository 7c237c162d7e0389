"""Silence: posts are counted by hour, and an account that falls silent raises an alarm."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Permission, User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from kit.scope import Scoping, scope_of
from members.models import Closure, OpeningHours, Programme
from payments.models import Account, AccountHour, Alarm
from payments.rules.rhythm import WEEKS_LOOKED_AT, Calendar, Opening, Span, learn, may_be_silent

_LOOKED_AT: Final = timedelta(weeks=WEEKS_LOOKED_AT)
_TOLD_WITHIN: Final = timedelta(days=1)

_COUNT: Final = """
INSERT INTO payments_accounthour (account_id, hour, posts, last_at)
SELECT account_id, date_trunc('hour', received_at, 'UTC'), count(*), max(received_at)
FROM payments_callback
WHERE received_at >= coalesce(
    (SELECT max(hour) FROM payments_accounthour) - interval '1 hour',
    date_trunc('hour', %(oldest)s::timestamptz)
) AND received_at <= %(now)s
GROUP BY 1, 2
ON CONFLICT (account_id, hour) DO UPDATE SET posts = excluded.posts, last_at = excluded.last_at
"""


def watch(*, now: datetime) -> list[Alarm]:
    """Count what came in, close alarms of accounts that post again, raise new ones."""
    count_posts(now=now)
    with transaction.atomic():
        hours = _hours(now)
        last = {account: max(ends) for account, (_posts, ends) in hours.items()}
        _close(last, now=now)
        raised = [
            Alarm(account=account, silent_since=last[account.pk], opened_at=now, expected=expected)
            for account, expected in _silent(hours, last, now=now)
        ]
        return Alarm.record(raised)


def count_posts(*, now: datetime) -> None:
    """Count anew what came in since the hour before the last one counted."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"oldest": now - _LOOKED_AT, "now": now})


def mark_seen(alarms: QuerySet[Alarm], *, user: Any, now: datetime) -> int:
    return alarms.filter(seen_at=None).update(seen_at=now, seen_by=user)


def tell_staff(*, now: datetime) -> int:
    """E-mail whoever has the right to hear of it; each alarm once, however that ends."""
    listeners = list(_listeners())
    told = 0
    if not listeners:
        return told
    due = Alarm.objects.filter(
        mailed_at=None, closed_at=None, opened_at__gte=now - _TOLD_WITHIN
    ).select_related("account__store__region")
    for alarm in due:
        if not Alarm.objects.filter(pk=alarm.pk, mailed_at=None).update(mailed_at=now):
            continue
        addresses = [user.email for user in listeners if _may_hear(user, alarm)]
        if addresses:
            _letter(alarm, addresses).send()
            told += 1
    return told


def zone_of(account: Account, programme: Programme | None = None) -> ZoneInfo:
    """Where the account's days begin and end. Give the programme if you have it."""
    if account.store:
        return ZoneInfo(account.store.region.zone)
    return ZoneInfo((programme or Programme.current()).zone)


def _hours(now: datetime) -> dict[int, tuple[dict[datetime, int], list[datetime]]]:
    found: dict[int, tuple[dict[datetime, int], list[datetime]]] = {}
    rows = AccountHour.objects.filter(hour__gte=now - _LOOKED_AT, hour__lte=now)
    for account, hour, posts, last_at in rows.values_list("account", "hour", "posts", "last_at"):
        own = found.setdefault(account, ({}, []))
        own[0][hour] = posts
        own[1].append(last_at)
    return found


def _close(last: dict[int, datetime], *, now: datetime) -> None:
    """Of accounts that posted since, and of those that were switched off."""
    for alarm in Alarm.objects.filter(closed_at=None).select_related("account"):
        came = last.get(alarm.account_id)
        if came is not None and came > alarm.silent_since:
            Alarm.objects.filter(pk=alarm.pk, closed_at=None).update(closed_at=came)
        elif not alarm.account.is_enabled:
            Alarm.objects.filter(pk=alarm.pk, closed_at=None).update(closed_at=now)


def _silent(
    hours: dict[int, tuple[dict[datetime, int], list[datetime]]],
    last: dict[int, datetime],
    *,
    now: datetime,
) -> Iterable[tuple[Account, Decimal]]:
    outages = _outages(now)
    known = {pk for pk, spans in outages.items() if any(span.ends_at == now for span in spans)}
    accounts = (
        Account.objects.filter(pk__in=hours.keys() - known, is_enabled=True)
        .filter(Q(store=None) | Q(store__is_open=True))
        .select_related("store__region")
        .order_by("pk")
    )
    calendars = _calendars(list(accounts), Programme.current())
    for account in accounts:
        posts, _ends = hours[account.pk]
        calendar, last_at = calendars[account.pk], last[account.pk]
        if not may_be_silent(posts, calendar=calendar, last_at=last_at, now=now):
            continue
        rhythm = learn(
            posts,
            calendar=calendar,
            until=last_at,
            outages=outages.get(account.pk, ()),
        )
        expected = rhythm.silence(last_at, now) if rhythm else None
        if expected is not None:
            yield account, Decimal(f"{min(expected, 1e9):.1f}")


def _outages(now: datetime) -> dict[int, list[Span]]:
    """By account; an alarm that is still open ends now."""
    found: dict[int, list[Span]] = defaultdict(list)
    recent = Alarm.objects.filter(Q(closed_at=None) | Q(closed_at__gte=now - _LOOKED_AT))
    for account, since, until in recent.values_list("account", "silent_since", "closed_at"):
        found[account].append(Span(since, until or now))
    return found


def _calendars(accounts: Sequence[Account], programme: Programme) -> dict[int, Calendar]:
    """When each account's store is open; an account of all stores is open always."""
    stores = {account.store_id for account in accounts if account.store_id}
    openings: dict[int, list[Opening]] = defaultdict(list)
    for row in OpeningHours.objects.filter(store__in=stores):
        openings[row.store_id].append(Opening(row.weekday, row.opens_at, row.closes_at))
    closed: dict[int, list[Any]] = defaultdict(list)
    for closure in Closure.objects.filter(store__in=stores):
        closed[closure.store_id].append((closure.starts_on, closure.ends_on))
    return {
        account.pk: Calendar(
            zone_of(account, programme),
            tuple(openings.get(account.store_id or 0, ())),
            tuple(closed.get(account.store_id or 0, ())),
        )
        for account in accounts
    }


def _listeners() -> QuerySet[User]:
    """Those to whom the right was given; a superuser has every right without being asked."""
    right = Permission.objects.filter(codename="hear_alarm", content_type__app_label="payments")
    return (
        User.objects.filter(
            Q(groups__permissions__in=right) | Q(user_permissions__in=right), is_active=True
        )
        .exclude(email="")
        .distinct()
    )


def _may_hear(user: User, alarm: Alarm) -> bool:
    scoping = Scoping(store="account__store", region="account__store__region")
    return Alarm.objects.filter(scoping.rows(scope_of(user)), pk=alarm.pk).exists()


def _letter(alarm: Alarm, addresses: Sequence[str]) -> EmailMessage:
    programme = Programme.current()
    zone = zone_of(alarm.account, programme)
    with translation.override(programme.language):
        facts = {
            "account": alarm.account,
            "since": date_format(alarm.silent_since.astimezone(zone), "DATETIME_FORMAT"),
            "expected": f"{alarm.expected:.0f}",
        }
        return EmailMessage(
            subject=_("%(account)s has fallen silent") % facts,
            body=_(
                "Nothing has come in from %(account)s since %(since)s. By its own rhythm about"
                " %(expected)s posts were to be expected meanwhile. Look at the platform's status"
                " page, at its settings for callbacks, and at the refused posts."
            )
            % facts,
            bcc=addresses,
        )
