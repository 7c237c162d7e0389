"""Who: the merchant's programme, its regions and stores, its members, and what befell them."""

from members.models.access import ApiCall, ApiKey, ApiRate
from members.models.hours import Closure, OpeningHours
from members.models.merges import Merge
from members.models.people import Identity, Member, new_member_code
from members.models.programme import LANGUAGES, Programme, Region, Store, default_languages
from members.models.staff import StaffScope
from members.models.timeline import Consent, Event
from members.models.webhooks import Delivery, DeliveryAttempt, Endpoint

__all__ = [
    "LANGUAGES",
    "ApiCall",
    "ApiKey",
    "ApiRate",
    "Closure",
    "Consent",
    "Delivery",
    "DeliveryAttempt",
    "Endpoint",
    "Event",
    "Identity",
    "Member",
    "Merge",
    "OpeningHours",
    "Programme",
    "Region",
    "StaffScope",
    "Store",
    "default_languages",
    "new_member_code",
]
