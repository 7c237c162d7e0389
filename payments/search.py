"""Finding transactions by what staff type: each look-up stands on an index."""

from uuid import UUID

from django.db.models import Q

from kit.ids import normal_code
from kit.scope import NOTHING
from members.models import Member
from members.persons import own_rows
from payments.models import Account, AmountConflict, Transaction

_MOST = 100


def by_number(text: str) -> Q:
    """A whole payment reference or order number."""
    return Q(pk__in=_of_payment(text)) | Q(order_ref=text)


def transactions_matching(term: str) -> Q:
    """A whole payment reference, else a member number, else an order number."""
    text = term.strip()
    if not text:
        return NOTHING
    if found := _of_payment(text):
        return Q(pk__in=found) | Q(order_ref=text)
    member = Member.objects.filter(code=normal_code(text)).first()
    return Q(member__in=own_rows(member)) if member else Q(order_ref=text)


def _of_payment(reference: str) -> set[UUID]:
    """The unique key begins with the account, so all of the few accounts are named. Where more was
    paid than was told first, the rest is a payment beside it, with a reference of its own."""
    accounts = list(Account.objects.values_list("pk", flat=True))
    told = Transaction.objects.filter(account__in=accounts, payment_ref=reference)
    found = set(told.values_list("pk", flat=True)[:_MOST])
    if not found:
        return found
    decided = AmountConflict.objects.filter(first__in=found, correction__isnull=False)
    return found | set(decided.values_list("correction_id", flat=True))
