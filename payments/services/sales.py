"""Sales that come by spreadsheet or from a till: the same road from here on."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from payments.models import Account, Transaction
from payments.providers.base import Notice
from payments.services.booking import Booked, Entry, book


def book_sales(
    sales: Sequence[Notice],
    *,
    account: Account,
    source: str = Transaction.Source.IMPORT,
    now: datetime,
) -> Booked:
    """Book payments and refunds with their lines; what is known already changes nothing.

    Spreadsheets send no messages: last year's sales are no reason to write to anybody today.
    """
    entries = [
        Entry(
            notice=sale,
            account_id=account.pk,
            source=source,
            received_at=now,
            store_id=account.store_id,
            may_message=source != Transaction.Source.IMPORT,
        )
        for sale in sorted(sales, key=lambda sale: sale.occurred_at)
    ]
    with transaction.atomic():
        return book(entries)
