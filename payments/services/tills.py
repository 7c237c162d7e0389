"""The accounts under which tills book."""

from django.db import transaction

from kit.work import hold_keys
from members.models import Store
from payments.models import Account

PROVIDER = "till"


def till_account(store: Store | None) -> Account:
    """The account of a store's tills: two stores may number their orders alike."""
    accounts = Account.objects.filter(provider=PROVIDER, store=store).order_by("pk")
    found = accounts.first()
    if found is not None:
        return found
    with transaction.atomic():
        hold_keys([f"account:{PROVIDER}:{store.pk if store else ''}"])
        name = f"API {store.code}" if store else "API"
        return accounts.first() or Account.objects.create(
            provider=PROVIDER, name=name, store=store
        )
