"""What staff may ask about a member. Apps higher up add their own fields to MEMBER."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kit.conditions import Field, Kind, Registry
from members.models import LANGUAGES, Member, Region, Store

MEMBER: Final = Registry("member", label=_("Member"))


def region_choices() -> Iterable[tuple[str, str]]:
    return [(region.code, str(region)) for region in Region.objects.all()]


def store_choices() -> Iterable[tuple[str, str]]:
    return [(store.code, str(store)) for store in Store.objects.all()]


def member_facts(member: Member) -> Mapping[str, Any]:
    """The facts of the fields below; `region` and `home_store` should be loaded already."""
    return {
        "language": member.language,
        "region": member.region.code,
        "home_store": member.home_store.code if member.home_store else None,
        "birthday": member.born_on,
        "joined_at": member.joined_at,
    }


MEMBER.register(
    Field(
        "language",
        _("member's language"),
        Kind.CHOICE,
        query="language",
        choices=lambda: LANGUAGES,
    ),
    Field(
        "region", _("member's region"), Kind.CHOICE, query="region__code", choices=region_choices
    ),
    Field(
        "home_store",
        _("member's home store"),
        Kind.CHOICE,
        query="home_store__code",
        choices=store_choices,
        is_optional=True,
    ),
    Field(
        "birthday",
        _("birthday"),
        Kind.ANNIVERSARY,
        query="born_on",
        is_optional=True,
        is_private=True,
    ),
    Field("joined_at", _("day of joining"), Kind.INSTANT, query="joined_at"),
)
