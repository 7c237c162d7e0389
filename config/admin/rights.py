"""Groups and permissions as staff read them: the database keeps their names in English."""

from typing import Any, Final

from django import forms
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _

_APPS: Final = ["members", "payments", "loyalty", "campaigns", "auth", "django_celery_beat"]
# Counters and copies behind the scenes: no page asks for a right to them.
_UNSEEN: Final = [
    "accounthour",
    "apicall",
    "callbackbody",
    "campaignday",
    "capuse",
    "rejectioncount",
    "statementmapping",
]


class RightsField(forms.ModelMultipleChoiceField[Permission]):
    def label_from_instance(self, obj: Any) -> str:
        return right_in_words(obj)


class GroupsField(forms.ModelMultipleChoiceField[Group]):
    def label_from_instance(self, obj: Any) -> str:
        return group_in_words(obj)


def rights() -> QuerySet[Permission]:
    """Only rights that our product asks about: a hundred others would hide them."""
    return (
        Permission.objects.filter(content_type__app_label__in=_APPS)
        .exclude(content_type__model__in=_UNSEEN)
        .select_related("content_type")
    )


def right_in_words(right: Permission) -> str:
    """“Members · coupon · Add”, in the active language."""
    verbs = {"add": _("Add"), "change": _("Change"), "delete": _("Delete"), "view": _("View")}
    verb, _underscore, model = right.codename.partition("_")
    is_usual = verb in verbs and model == right.content_type.model
    words = verbs[verb] if is_usual else _(right.name)
    return f"{capfirst(right.content_type.name)} · {words}"


def group_in_words(group: Group) -> str:
    """Ours by their translated names; a merchant's own as they were typed."""
    return _(group.name)
