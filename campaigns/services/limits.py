"""The limits that members share: how many a campaign reaches a day, how many coupons there are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from django.db.models import Case, F, Value, When

from campaigns.models import Campaign, CampaignDay
from loyalty.models import CouponType


def hold_coupon_types(campaigns: Sequence[Campaign]) -> None:
    """Lock the counters of the campaigns' coupons until the transaction ends."""
    types = {campaign.coupon_type_id for campaign in campaigns if campaign.coupon_type_id}
    rows = CouponType.objects.select_for_update(no_key=True).filter(pk__in=types)
    list(rows.order_by("pk").values_list("pk"))


def hold_days(campaigns: Sequence[Campaign], *, on: date) -> dict[int, int]:
    """Lock the day's counter of each campaign with a daily cap until the transaction ends.

    Returns how many members each may still reach; a campaign without a cap is not in it.
    """
    capped = {each.pk: each.daily_cap for each in campaigns if each.daily_cap is not None}
    if not capped:
        return {}
    # A counter that is there already is what we want: this is no fact that could be doubled.
    CampaignDay.objects.bulk_create(
        [CampaignDay(campaign_id=campaign_id, on=on) for campaign_id in sorted(capped)],
        ignore_conflicts=True,
    )
    days = (
        CampaignDay.objects.select_for_update(no_key=True)
        .filter(campaign__in=capped, on=on)
        .order_by("campaign_id")
    )
    return {day.campaign_id: max(capped[day.campaign_id] - day.used, 0) for day in days}


def count_reached(campaigns: Iterable[int], *, on: date) -> None:
    """One more member for each mention of a campaign; its counter is held already."""
    numbers = Counter(campaigns)
    added = [When(campaign=campaign, then=F("used") + Value(n)) for campaign, n in numbers.items()]
    if added:
        CampaignDay.objects.filter(campaign__in=numbers, on=on).update(used=Case(*added))
