"""The shop as settling sees it: its settings, which are few and change seldom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from kit.keeping import Kept
from loyalty.models import RuleVersion, Tier
from loyalty.services.rules import Version, all_versions, by_id
from members.models import Programme, Region, Store
from payments.models import Category
from payments.selectors import category_tree


@dataclass(frozen=True, slots=True)
class Shop:
    """ancestors: of each category its own code and those above it; None has none"""

    programme: Programme
    stores: Mapping[int, Store]
    regions: Mapping[int, Region]
    tiers: Sequence[Tier]  # From the lowest.
    versions: Sequence[Version]
    versions_by_id: Mapping[str, Version]
    ancestors: Mapping[int | None, tuple[str, ...]]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.programme.zone)

    @property
    def currency(self) -> str:
        return self.programme.currency


def _open_shop() -> Shop:
    versions = all_versions()
    return Shop(
        programme=Programme.current(),
        stores={store.pk: store for store in Store.objects.select_related("region")},
        regions=Region.objects.in_bulk(),
        tiers=list(Tier.objects.order_by("rank")),
        versions=versions,
        versions_by_id=by_id(versions),
        ancestors=_ancestors(),
    )


def _ancestors() -> dict[int | None, tuple[str, ...]]:
    tree = category_tree()
    return {pk: tree.above(pk) for pk in tree.codes}


# The shop of this moment: one short query, unless staff changed something since the last call.
shop_now: Final = Kept(_open_shop, Programme, Region, Store, Tier, RuleVersion, Category)
