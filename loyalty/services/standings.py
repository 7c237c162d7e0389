"""Holding standings: whoever changes what a person holds locks the person's Standing first."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from kit.bulk import is_any_of
from loyalty.models import Standing
from loyalty.services.ledger import open_accounts
from members.persons import persons_of


def hold_standings(member_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Lock the standings of members until the transaction ends, in the order that all keep to."""
    wanted = set(member_ids)
    open_accounts(wanted)
    rows = Standing.objects.filter(is_any_of("pk", wanted)).order_by("pk")
    locked = rows.select_related("tier").select_for_update(no_key=True, of=("self",))
    return {standing.pk: standing for standing in locked}


def hold_person(member_id: UUID) -> Standing:
    """Lock the standing of whoever stands for a member; call it inside a transaction."""
    while True:
        person = persons_of([member_id])[member_id]
        with transaction.atomic():
            held = hold_standings([person])
            if persons_of([member_id])[member_id] == person:
                return held[person]
            # A merge came in between. The lock is given back with the savepoint: who kept it and
            # took another would not keep to the order of all others.
            transaction.set_rollback(True)
