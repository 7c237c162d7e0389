"""What a member of staff may see, read from StaffScope."""

from typing import Any

from kit.scope import Scope, tell_scopes_by
from members.models import StaffScope, Store


def staff_scope_of(user: Any) -> Scope:
    """No row, no sight: staff without a scope see nothing that belongs to a store."""
    row = StaffScope.objects.filter(user_id=user.pk).first()
    if row is None:
        return Scope()
    if row.sees_everything:
        return Scope(sees_everything=True)
    regions = frozenset(row.regions.values_list("pk", flat=True))
    stores = frozenset(row.stores.values_list("pk", flat=True))
    of_regions = frozenset(Store.objects.filter(region__in=regions).values_list("pk", flat=True))
    return Scope(regions=regions, stores=stores | of_regions)


tell_scopes_by(staff_scope_of)
