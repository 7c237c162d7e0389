"""The words for operators: what the picker says, and the sentence with a value in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kit.conditions.fields import Kind, Label, Operator


@dataclass(frozen=True, slots=True)
class Words:
    pick: Label
    say: Label


_WORDS: Final[Mapping[Operator, Words]] = {
    Operator.EQUAL: Words(_("is"), _("%(field)s is %(value)s")),
    Operator.NOT_EQUAL: Words(_("is not"), _("%(field)s is not %(value)s")),
    Operator.LESS: Words(_("is less than"), _("%(field)s < %(value)s")),
    Operator.AT_MOST: Words(_("is at most"), _("%(field)s ≤ %(value)s")),
    Operator.MORE: Words(_("is more than"), _("%(field)s > %(value)s")),
    Operator.AT_LEAST: Words(_("is at least"), _("%(field)s ≥ %(value)s")),
    Operator.BETWEEN: Words(_("is between"), _("%(field)s is from %(low)s to %(high)s")),
    Operator.CONTAINS: Words(_("contains"), _("%(field)s contains %(value)s")),
    Operator.LACKS: Words(_("does not contain"), _("%(field)s does not contain %(value)s")),
    Operator.BEGINS: Words(_("begins with"), _("%(field)s begins with %(value)s")),
    Operator.IN: Words(_("is any of"), _("%(field)s is %(value)s")),
    Operator.NOT_IN: Words(_("is none of"), _("%(field)s is none of %(value)s")),
    Operator.CONTAINS_ANY: Words(_("contains any of"), _("%(field)s contains %(value)s")),
    Operator.CONTAINS_NONE: Words(
        _("contains none of"), _("%(field)s contains none of %(value)s")
    ),
    Operator.IN_LAST: Words(
        _("is in the last … days"), _("%(field)s is in the last %(value)s days")
    ),
    Operator.BEFORE_LAST: Words(
        _("is more than … days ago"), _("%(field)s is more than %(value)s days ago")
    ),
    Operator.IN_NEXT: Words(
        _("is in the next … days"), _("%(field)s is in the next %(value)s days")
    ),
    Operator.TODAY: Words(_("is today"), _("%(field)s is today")),
    Operator.THIS_MONTH: Words(_("is this month"), _("%(field)s is this month")),
    Operator.IN_MONTH: Words(_("is in the month"), _("%(field)s is in %(value)s")),
    Operator.IS_EMPTY: Words(_("is not known"), _("%(field)s is not known")),
    Operator.IS_FILLED: Words(_("is known"), _("%(field)s is known")),
}

_DATE_WORDS: Final[Mapping[Operator, Words]] = {
    Operator.EQUAL: Words(_("is on"), _("%(field)s is on %(value)s")),
    Operator.LESS: Words(_("is before"), _("%(field)s is before %(value)s")),
    Operator.AT_MOST: Words(_("is on or before"), _("%(field)s is on or before %(value)s")),
    Operator.MORE: Words(_("is after"), _("%(field)s is after %(value)s")),
    Operator.AT_LEAST: Words(_("is on or after"), _("%(field)s is on or after %(value)s")),
}

_QUANTITY_WORDS: Final[Mapping[Operator, Words]] = {
    Operator.EQUAL: Words(_("is exactly"), _("%(field)s = %(value)s")),
    Operator.NOT_EQUAL: Words(_("is not exactly"), _("%(field)s ≠ %(value)s")),
}

_SET_WORDS: Final[Mapping[Operator, Words]] = {
    Operator.IS_EMPTY: Words(
        pgettext_lazy("a basket or other set", "is empty"),
        pgettext_lazy("a basket or other set", "%(field)s is empty"),
    ),
    Operator.IS_FILLED: Words(
        pgettext_lazy("a basket or other set", "is not empty"),
        pgettext_lazy("a basket or other set", "%(field)s is not empty"),
    ),
}

_KIND_WORDS: Final[Mapping[Kind, Mapping[Operator, Words]]] = {
    Kind.DATE: _DATE_WORDS,
    Kind.INSTANT: _DATE_WORDS,
    Kind.NUMBER: _QUANTITY_WORDS,
    Kind.MONEY: _QUANTITY_WORDS,
    Kind.SET: _SET_WORDS,
}


def words_for(kind: Kind, operator: Operator) -> Words:
    return _KIND_WORDS.get(kind, {}).get(operator) or _WORDS[operator]
