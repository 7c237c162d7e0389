"""The sidebar, by job and not by app. Items that one may not see are left out."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Item = dict[str, Any]


def may(permission: str) -> Callable[[HttpRequest], bool]:
    """Unfold calls what it is given with the request."""
    return lambda request: bool(request.user.has_perm(permission))


def sees_work(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("payments.view_transaction"))


def _list(title: Promise | str, icon: str, name: str) -> Item:
    app, _underscore, model = name.rpartition("_")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}_changelist"),
        "permission": may(f"{app}.view_{model}"),
    }


def _import(title: Promise | str, icon: str, name: str, *, needs: tuple[str, ...]) -> Item:
    app, _underscore, model = name.rpartition("_")
    rights = [f"{app}.{right}_{model}" for right in needs]
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}_import"),
        "permission": lambda request: bool(request.user.has_perms(rights)),
    }


def _group(title: Promise | str, *items: Item) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


UNMATCHED_LIST = "admin:payments_unmatchedpayment_changelist"
STUCK: Item = {
    "title": _("Stuck"),
    "icon": "report",
    "link": reverse_lazy("admin:stuck"),
    "permission": sees_work,
    "badge": "config.badges.stuck_badge",
}
UNMATCHED: Item = {
    "title": _("Unmatched"),
    "icon": "person_search",
    "link": reverse_lazy("admin:payments_unmatchedpayment_changelist"),
    "active": lambda request: request.path == str(reverse_lazy(UNMATCHED_LIST)),
    "permission": sees_work,
    "badge": "config.badges.unmatched_badge",
    "badge_variant": "calm",
}


def _quick(title: Promise | str, asked: str) -> Item:
    """A tab above the transactions: one of the filters, by one click."""
    name, _equals, value = asked.partition("=")
    return {
        "title": title,
        "link": lambda _request: f"{reverse_lazy(TRANSACTIONS)}?{asked}".rstrip("?"),
        "active": lambda request: (
            request.GET.get(name) == value if asked else not _QUICK & set(request.GET)
        ),
    }


TRANSACTIONS = "admin:payments_transaction_changelist"
_QUICK = {"waiting", "kind__exact"}
CALLBACKS = "admin:payments_callback_changelist"
SETTLEMENTS = "admin:payments_settlement_changelist"
SETTLEMENT_ROWS = "admin:payments_settlementrow_changelist"


def _state(title: Promise | str, work: str) -> Item:
    """A tab above the callbacks: one of their states."""
    asked = f"?work={work}" if work else ""
    return {
        "title": title,
        "link": lambda _request: f"{reverse_lazy(CALLBACKS)}{asked}",
        "active": lambda request: request.GET.get("work", "") == work,
    }


TABS: list[Item] = [
    {
        "models": ["payments.transaction"],
        "items": [
            _quick(_("All"), ""),
            _quick(_("Unmatched"), "waiting=member"),
            _quick(_("Waiting for a rate"), "waiting=rate"),
            _quick(_("Refunds"), "kind__exact=refund"),
        ],
    },
    {
        "models": ["payments.callback"],
        "items": [
            _state(_("All"), ""),
            _state(_("On their way"), "due"),
            _state(_("Waiting"), "parked"),
            _state(_("Dead letter"), "dead"),
        ],
    },
]

SIDEBAR: dict[str, object] = {
    "show_search": True,
    "command_search": True,
    "show_all_applications": False,
    "navigation": [
        _group(
            _("Today"),
            {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
            STUCK,
        ),
        _group(
            _("Members"),
            _list(_("Members"), "group", "members_member"),
            _list(_("Timeline"), "history", "members_event"),
            _list(_("Same person?"), "group_search", "payments_disagreement"),
            _list(_("Consents"), "how_to_reg", "members_consent"),
        ),
        _group(
            _("Coupons & campaigns"),
            _list(_("Campaigns"), "campaign", "campaigns_campaign"),
            _list(_("Messages"), "mail", "campaigns_message"),
            _list(_("Coupons"), "confirmation_number", "loyalty_coupon"),
            _list(_("Coupon types"), "redeem", "loyalty_coupontype"),
        ),
        _group(
            _("Money in"),
            {
                **_list(_("Transactions"), "receipt_long", "payments_transaction"),
                "active": lambda request: (
                    request.path.startswith(str(reverse_lazy(TRANSACTIONS)))
                    and not UNMATCHED["active"](request)
                ),
            },
            UNMATCHED,
            _list(_("Orders"), "shopping_bag", "payments_order"),
            _list(_("Callbacks"), "call_received", "payments_callback"),
            _list(_("Refused posts"), "block", "payments_rejection"),
            _list(_("Conflicts"), "call_split", "payments_conflict"),
            {
                "title": _("Account health"),
                "icon": "monitor_heart",
                "link": reverse_lazy("admin:account-health"),
                "permission": may("payments.view_callback"),
            },
            {
                **_list(_("Silence alarms"), "notifications_active", "payments_alarm"),
                "badge": "config.badges.alarm_badge",
            },
            {
                **_list(_("Settlement files"), "fact_check", "payments_settlement"),
                # A file's rows have a list of their own, which is reached through the file.
                "active": lambda request: request.path.startswith(
                    (str(reverse_lazy(SETTLEMENTS)), str(reverse_lazy(SETTLEMENT_ROWS)))
                ),
            },
            {
                **_list(_("Proposals to book"), "approval", "payments_proposal"),
                "badge": "config.badges.proposal_badge",
            },
            _list(_("Queries"), "contact_support", "payments_query"),
            _list(_("Relayed posts"), "forward", "payments_relayedpost"),
            _list(_("Amount conflicts"), "difference", "payments_amountconflict"),
            _list(_("Exchange rates"), "currency_exchange", "payments_rate"),
        ),
        _group(
            _("Points & rules"),
            _list(_("Earning rules"), "rule", "loyalty_rule"),
            _list(_("Tiers"), "military_tech", "loyalty_tier"),
            _list(_("Ledger"), "account_balance", "loyalty_transfer"),
            _list(_("Awards"), "stars", "loyalty_award"),
            _list(_("Tier changes"), "trending_up", "loyalty_tierchange"),
        ),
        _group(
            _("Webhooks"),
            _list(_("Endpoints"), "webhook", "members_endpoint"),
            _list(_("Deliveries"), "outbox", "members_delivery"),
        ),
        _group(
            _("Imports"),
            _import(_("Import members"), "group_add", "members_member", needs=("add", "change")),
            _import(_("Import products"), "add_box", "payments_product", needs=("add", "change")),
            _import(_("Import rates"), "currency_exchange", "payments_rate", needs=("add",)),
            {
                "title": _("Link payments"),
                "icon": "add_link",
                "link": reverse_lazy("admin:payments_unmatchedpayment_import"),
                "permission": may("payments.link_transaction"),
            },
            _import(_("Import sales"), "playlist_add", "payments_transaction", needs=("add",)),
        ),
        _group(
            _("Settings"),
            _list(_("Programme"), "tune", "members_programme"),
            _list(_("Payment accounts"), "account_balance_wallet", "payments_account"),
            _list(_("Payment methods"), "credit_card", "payments_paymentmethod"),
            _list(_("Products"), "inventory_2", "payments_product"),
            _list(_("Categories"), "category", "payments_category"),
            _list(_("Regions"), "public", "members_region"),
            _list(_("Stores"), "store", "members_store"),
            _list(_("API keys"), "key", "members_apikey"),
        ),
        _group(
            _("Staff"),
            _list(_("Staff accounts"), "badge", "auth_user"),
            _list(_("Groups"), "groups", "auth_group"),
            _list(_("Scopes of staff"), "shield_person", "members_staffscope"),
            _list(_("Timed jobs"), "schedule", "django_celery_beat_periodictask"),
            _list(_("Disclosures"), "visibility", "payments_disclosure"),
            _list(_("Failed sign-ins"), "lock_person", "axes_accessfailurelog"),
        ),
    ],
}
