"""A form field in which staff build a condition by rows and pickers."""

import json
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from kit.conditions import ALWAYS, ConditionError, Field, Kind, Registry, validate
from kit.conditions.fields import Operator, Shape, shape_of
from kit.conditions.tree import MAX_DEPTH, MAX_RULES
from kit.conditions.words import words_for
from kit.money import exponent

MAX_POSTED: Final = 200_000


class ConditionWidget(forms.Widget):
    """The `<rule-builder>` element around a hidden input that carries the tree."""

    template_name = "kit/rule_builder.html"

    class Media:
        css = {"all": ["kit/rule-builder.css"]}
        js = ["kit/rule-builder-editors.js", "kit/rule-builder.js"]

    def __init__(self, registry: Registry, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.registry = registry
        self.problem: ConditionError | None = None

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["schema"] = {
            "fields": [_describe(field, str(group)) for group, field in self.registry.grouped()],
            "limits": {"depth": MAX_DEPTH, "rules": MAX_RULES},
            "words": _words(),
            "problem": self.problem
            and {"path": self.problem.path, "message": self.problem.message},
        }
        return context

    def use_required_attribute(self, initial: Any) -> bool:
        return False  # No browser can ask for a hidden input to be filled in.


class ConditionField(forms.Field):
    """The tree as a dict in normal form, ready for a JSONField; nothing chosen means always."""

    widget: ConditionWidget

    def __init__(self, *, registry: Registry, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", ConditionWidget(registry))
        super().__init__(**options)
        self.registry = registry

    def prepare_value(self, value: Any) -> str:
        """For the hidden input: what was stored, or what was posted and refused."""
        return value if isinstance(value, str) else json.dumps(value or ALWAYS)

    def to_python(self, value: Any) -> dict[str, Any]:
        if not value:
            return dict(ALWAYS)
        try:
            return validate(_decode(value), self.registry)
        except ConditionError as problem:
            self.widget.problem = problem
            raise ValidationError(problem.message, code="condition") from problem

    def validate(self, value: Any) -> None:
        if self.required and not value["rules"]:
            raise ValidationError(_("Add at least one condition."), code="required")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != (initial or ALWAYS)
        except ValidationError:
            return True


def _decode(posted: Any) -> Mapping[str, Any]:
    if isinstance(posted, Mapping):
        return posted
    try:
        tree = json.loads(str(posted)[:MAX_POSTED], parse_float=str)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, Mapping):
        raise ConditionError(_("The conditions did not arrive whole. Enter them again."))
    return tree


def _describe(field: Field, group: str) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": str(field.label),
        "group": group,
        "kind": field.kind.value,
        "unit": str(field.unit),
        "choices": _choices(field),
        "currencies": _currencies(field),
        "operators": [_describe_operator(field, operator) for operator in field.operators],
    }


def _describe_operator(field: Field, operator: Operator) -> dict[str, str]:
    return {
        "name": operator.value,
        "label": str(words_for(field.kind, operator).pick),
        "shape": shape_of(operator).value,
    }


def _choices(field: Field) -> list[tuple[str, str]]:
    if field.kind is Kind.ANNIVERSARY:
        return [(str(month), str(label)) for month, label in MONTHS.items()]
    if any(shape_of(operator) is Shape.MANY for operator in field.operators):
        return [(value, str(label)) for value, label in field.labels().items()]
    return []


def _currencies(field: Field) -> list[dict[str, Any]]:
    return [{"code": code, "places": exponent(code)} for code in field.currencies()]


def _words() -> dict[str, str]:
    return {
        "all": pgettext("conditions below", "All of these are true"),
        "any": pgettext("conditions below", "At least one of these is true"),
        "none": pgettext("conditions below", "None of these is true"),
        "notAll": pgettext("conditions below", "Not all of these are true"),
        "combine": _("How the conditions in this group combine"),
        "group": _("Group of conditions"),
        "condition": _("Condition"),
        "field": _("What to look at"),
        "operator": _("How to compare"),
        "value": _("Value"),
        "from": _("From"),
        "to": _("To"),
        "and": pgettext("between two ends of a range", "to"),
        "currency": _("Currency"),
        "days": pgettext("after a number", "days"),
        "yes": _("Yes"),
        "no": _("No"),
        "choose": _("Choose…"),
        "search": _("Search these choices"),
        "nothingFound": _("Nothing found"),
        "gone": _("no longer offered"),
        "addRule": _("Add condition"),
        "addGroup": _("Add group"),
        "removeRule": _("Remove this condition"),
        "removeGroup": _("Remove this group"),
        "added": _("Added."),
        "removed": _("Removed."),
        "empty": _("No conditions: this always applies."),
        "full": _("No more conditions fit."),
    }
