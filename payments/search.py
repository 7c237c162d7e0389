"""Finding transactions by what staff type: each look-up but the last stands on an index."""

from django.db.models import Q

from kit.ids import normal_code
from kit.scope import NOTHING
from members.models import Member
from members.persons import own_rows
from payments.models import Account, Transaction

_MOST = 100


def by_payment_ref(reference: str) -> Q:
    """The unique key begins with the account, so all of the few accounts are named."""
    accounts = list(Account.objects.values_list("pk", flat=True))
    return Q(account__in=accounts, payment_ref=reference)


def transactions_matching(term: str) -> Q:
    """A whole payment reference, else a member number, else an order number."""
    text = term.strip()
    if not text:
        return NOTHING
    paid = Transaction.objects.filter(by_payment_ref(text)).values_list("pk", flat=True)
    if found := list(paid[:_MOST]):
        return Q(pk__in=found)
    member = Member.objects.filter(code=normal_code(text)).first()
    return Q(member__in=own_rows(member)) if member else Q(order_ref=text)
