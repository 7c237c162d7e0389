"""The accounts of sales that no platform tells of: those of tills and of spreadsheets."""

from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from kit.work import hold_keys
from members.models import Store
from payments.models import Account

TILL: Final = "till"
SHEET: Final = "sheet"


def till_account(store: Store | None) -> Account:
    """The account of a store's tills: two stores may number their orders alike."""
    name = f"API {store.code}" if store else "API"
    known = Account.objects.filter(provider=TILL, store=store)
    return _first(known, Account(provider=TILL, store=store, name=name))


def sheet_account() -> Account:
    """The account of everything that comes by spreadsheet, whatever store it is of."""
    known = Account.objects.filter(provider=SHEET)
    return _first(known, Account(provider=SHEET, name=_("Spreadsheets")))


def _first(known: QuerySet[Account], new: Account) -> Account:
    """The oldest of `known`; if there is none, `new`: one only, however many ask at once."""
    found = known.order_by("pk").first()
    if found is not None:
        return found
    with transaction.atomic():
        hold_keys([f"account:{new.provider}:{new.store_id or ''}"])
        found = known.order_by("pk").first()
        if found is None:
            new.save()
    return found or new
