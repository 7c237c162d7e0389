"""Points moved by hand, with a reason and a name behind it."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from kit.bulk import update_many
from loyalty.models import Transfer
from loyalty.rules.periods import lapse_instant
from loyalty.services.expire import expire_for
from loyalty.services.ledger import Posting, post
from loyalty.services.standings import hold_person
from members.models import Event, Member, Programme
from members.services.timeline import record_events


class CannotAdjust(ValueError):
    """No points to move, no reason given, or fewer points left than were to be taken."""


def adjust_points(
    member: Member, *, points: int, reason: str, actor: Any, now: datetime
) -> Transfer:
    """Give (positive) or take (negative) points; raises CannotAdjust, then nothing has moved.

    If another member stands for this one, it is that member's points that move.
    """
    if points == 0:
        raise CannotAdjust(_("Enter a number of points other than 0."))
    if not reason.strip():
        raise CannotAdjust(_("Say why: members and auditors will read it."))
    programme = Programme.current()
    with transaction.atomic():
        standing = hold_person(member.pk)
        expire_for([standing], now=now)
        if points < 0 and standing.balance + points < 0:
            raise CannotAdjust(
                _("The member has %(balance)d points; no more than that can be taken.")
                % {"balance": max(standing.balance, 0)}
            )
        posting = Posting(
            member_id=standing.pk,
            kind=Transfer.Kind.ADJUST,
            is_joint=True,
            points=points,
            reason=reason.strip()[:200],
            actor=actor,
            expires_at=lapse_instant(
                now, months=programme.points_valid_months, zone=ZoneInfo(programme.zone)
            ),
        )
        (transfer,) = post([posting], {standing.pk: standing}, now=now)
        update_many([standing], ["balance"])
        record_events([_event(transfer, standing.pk, points, now=now)])
    return transfer


def _event(transfer: Transfer, member_id: UUID, points: int, *, now: datetime) -> Event:
    return Event(
        member_id=member_id,
        kind=Event.Kind.POINTS_ADJUSTED,
        key=str(transfer.pk),
        occurred_at=now,
        booked_at=now,
        details={"points": points, "reason": transfer.reason},
    )
