"""The five groups of staff, made by `manage.py prepare`. Permissions that a merchant added to a
group stay; those named here come back."""

from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_noop

_LOOK: Final = "view"
_EDIT: Final = "view add change"

_VERBS: Final = {
    "view",
    "add",
    "change",
    "delete",
    "run",
    "see",
    "redeem",
    "link",
    "replay",
    "resend",
    "export",
    "adjust",
    "merge",
    "agree",
    "refund",
    "decide",
}

# Group → what it may do: "<app>.<verb>_<model>", several verbs at once before the underscore.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    gettext_noop("Marketing"): (
        f"campaigns.{_EDIT} campaign",
        f"campaigns.{_EDIT} campaigntext",
        "campaigns.delete campaigntext",
        "campaigns.run campaign",
        f"campaigns.{_LOOK} decision message",
        f"loyalty.{_EDIT} coupontype",
        f"loyalty.{_LOOK} coupon tier rule award tierchange standing",
        f"members.{_LOOK} member event consent region store programme",
        f"payments.{_EDIT} category product",
        f"payments.{_LOOK} transaction order",
    ),
    gettext_noop("Store manager"): (
        f"members.{_EDIT} member",
        f"members.{_LOOK} event consent region store",
        "members.see personal_data",
        "members.merge member",
        f"loyalty.{_LOOK} coupon coupontype tier rule award transfer tierchange standing",
        "loyalty.redeem coupon",
        "payments.view add transaction",  # By spreadsheet.
        f"payments.{_EDIT} product",
        f"payments.{_LOOK} category paymentmethod order",
        "payments.link refund transaction",
        "payments.view disagreement",
        f"campaigns.{_LOOK} campaign message",
    ),
    gettext_noop("Cashier"): (
        "members.view add member",
        f"loyalty.{_LOOK} coupon coupontype tier",
        "loyalty.redeem coupon",
    ),
    gettext_noop("Finance"): (
        f"payments.{_LOOK} account callback conflict query rejection transaction product",
        f"payments.{_LOOK} category order",
        "payments.view add rate",
        "payments.replay callback",
        "payments.view relay relayedpost",
        "payments.resend relayedpost",
        "payments.link refund transaction",
        "payments.view disagreement",
        "payments.view decide amountconflict",
        f"payments.{_EDIT} paymentmethod",
        "payments.view add settlement",
        "payments.view settlementrow proposal alarm disclosure",
        "payments.agree proposal",
        "payments.see alarm",
        f"loyalty.{_LOOK} award transfer coupon coupontype tier tierchange rule standing",
        f"members.{_LOOK} member event region store programme",
        "members.export rows",
    ),
    gettext_noop("Administrator"): (),  # Everything.
}


def make_groups() -> None:
    """Make the groups that are missing and give each what it needs."""
    for name, rights in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        wanted = Permission.objects.filter(_matching(rights)) if rights else _all_of_ours()
        group.permissions.add(*wanted)


def _matching(rights: tuple[str, ...]) -> Q:
    matching = Q(pk__in=[])
    for right in rights:
        app, _dot, words = right.partition(".")
        verbs = [word for word in words.split() if word in _VERBS]
        things = [word for word in words.split() if word not in _VERBS]
        codes = [f"{verb}_{thing}" for verb in verbs for thing in things]
        matching |= Q(content_type__app_label=app, codename__in=codes)
    return matching


def _all_of_ours() -> QuerySet[Permission]:
    ours = ["members", "payments", "loyalty", "campaigns", "auth", "django_celery_beat", "axes"]
    return Permission.objects.filter(content_type__app_label__in=ours)
