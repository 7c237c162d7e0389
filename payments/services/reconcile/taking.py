"""Taking a settlement file in: its rows become facts, once for each file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kit.ids import uuid7
from payments.models import Account, Settlement, SettlementRow
from payments.services.reconcile.reading import options_of
from payments.services.reconcile.repeats import hash_of
from payments.statements import all_formats
from payments.statements.base import Statement, StatementRow

MOST_PROBLEMS: Final = 200


class CannotTake(ValueError):
    """A file that is not taken in; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file with what was chosen beside it; the days only where the file does not say them.

    replaces: the same file, taken in before; it is withdrawn when this one comes in its place
    """

    account: Account
    form: str
    content: bytes
    name: str
    starts_on: date | None = None
    ends_on: date | None = None
    replaces: Settlement | None = None


def take_statement(
    upload: Upload, statement: Statement, *, user: Any, now: datetime
) -> Settlement:
    """Keep the rows; the settlement is due then, to be compared. Raises CannotTake."""
    starts_on, ends_on = _period(upload, statement)
    settlement = Settlement(
        account=upload.account,
        format=upload.form,
        file_name=upload.name[:200],
        file_hash=hash_of(upload.content),
        starts_on=starts_on,
        ends_on=ends_on,
        rows_read=len(statement.rows),
        rows_unread=len(statement.problems),
        footings=[
            [footing.what, _figure(footing.said), _figure(footing.found)]
            for footing in statement.footings
        ],
        problems=[list(problem) for problem in statement.problems[:MOST_PROBLEMS]],
        uploaded_by=user,
        uploaded_at=now,
        due_at=now,
    )
    try:
        with transaction.atomic():
            if upload.replaces is not None:
                withdraw(upload.replaces, user=user, now=now)
            settlement.save(force_insert=True)
            SettlementRow.record(_rows(settlement, statement.rows))
    except IntegrityError as problem:
        if "settlement_once" not in str(problem):
            raise
        raise CannotTake(
            _("This file was taken in already. Open it in the list of settlement files.")
        ) from problem
    return settlement


def withdraw(settlement: Settlement, *, user: Any, now: datetime) -> bool:
    """The file counts no longer; what was booked out of it stays."""
    return bool(
        Settlement.objects.filter(pk=settlement.pk, withdrawn_at=None).update(
            withdrawn_at=now, withdrawn_by=user, due_at=None, waiting_for=""
        )
    )


def zone_of(account: Account, form: str) -> ZoneInfo:
    """Whose days the file's period counts."""
    return ZoneInfo(all_formats()[form].zone or options_of(account).zone)


def _period(upload: Upload, statement: Statement) -> tuple[date, date]:
    zone = zone_of(upload.account, upload.form)
    days = [row.occurred_at.astimezone(zone).date() for row in statement.rows]
    first = upload.starts_on or statement.starts_on or min(days, default=None)
    last = upload.ends_on or statement.ends_on or max(days, default=None)
    if first is None or last is None:
        raise CannotTake(
            _("The file has no rows and does not say of which days it is. Enter the days.")
        )
    if last < first:
        raise CannotTake(_("The period ends before it begins."))
    return first, last


def _rows(settlement: Settlement, rows: Iterable[StatementRow]) -> list[SettlementRow]:
    return [
        SettlementRow(
            id=uuid7(),
            settlement=settlement,
            number=row.number,
            kind=row.kind,
            payment_ref=row.payment_ref[:100],
            effect_ref=row.effect_ref[:100],
            order_ref=row.order_ref[:100],
            amount=row.amount.amount,
            currency=row.amount.currency,
            settled_amount=row.settled.amount if row.settled else None,
            settled_currency=row.settled.currency if row.settled else "",
            fee=row.fee,
            occurred_at=row.occurred_at,
            settled_on=row.settled_on,
            method=row.method,
            member_code=row.member_code,
        )
        for row in rows
    ]


def _figure(value: Decimal) -> str:
    return f"{value.normalize():f}"
