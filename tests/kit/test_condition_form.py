"""The form field: what is posted by the rule builder, kept, refused and shown again."""

import json
import re
from typing import Any

import pytest
from django import forms
from django.utils import translation

from kit.condition_form import ConditionField
from kit.conditions import ALWAYS, Field, Kind, Registry

PAYMENT = Registry("payment", label="Payment")
PAYMENT.register(
    Field("visits", "Visits", Kind.NUMBER, unit="times"),
    Field("amount", "Amount", Kind.MONEY, currencies=lambda: ["HKD", "JPY"]),
    Field("tier", "Tier", Kind.CHOICE, choices=lambda: [(1, "<Gold>")], is_optional=True),
    Field("birthday", "Birthday", Kind.ANNIVERSARY),
)
THREE_VISITS = {
    "combinator": "and",
    "not": False,
    "rules": [{"field": "visits", "operator": ">=", "value": "3"}],
}


class RuleForm(forms.Form):
    condition = ConditionField(registry=PAYMENT)


class StrictForm(forms.Form):
    condition = ConditionField(registry=PAYMENT, required=True)


def _posted(tree: Any) -> RuleForm:
    return RuleForm({"condition": json.dumps(tree)})


def _schema(form: forms.Form) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', str(form["condition"]))
    assert found is not None
    schema: dict[str, Any] = json.loads(found[1])
    return schema


def test_what_is_posted_is_kept_in_normal_form() -> None:
    form = _posted(THREE_VISITS | {"rules": [{**THREE_VISITS["rules"][0], "value": 3.0}]})  # type: ignore[index]

    assert form.is_valid()
    assert form.cleaned_data["condition"] == THREE_VISITS


@pytest.mark.parametrize("posted", [{}, {"condition": ""}, {"condition": "{}"}])
def test_nothing_posted_means_always(posted: dict[str, str]) -> None:
    form = RuleForm(posted)

    assert form.is_valid()
    assert form.cleaned_data["condition"] == ALWAYS
    assert StrictForm(posted).errors == {"condition": ["Add at least one condition."]}


@pytest.mark.parametrize("posted", ["{", "[]", "3", "[" * 5000, '{"rules": NaN'])
def test_what_no_rule_builder_sends_is_refused_in_words(posted: str) -> None:
    form = RuleForm({"condition": posted})

    assert form.errors == {"condition": ["The conditions did not arrive whole. Enter them again."]}


def test_a_refused_tree_is_shown_again_with_the_place_of_the_mistake() -> None:
    wrong = THREE_VISITS | {
        "rules": [{"field": "visits", "operator": ">=", "value": "lots & lots"}]
    }
    form = _posted(wrong)

    assert form.errors == {"condition": ["Enter a number for “Visits”."]}
    assert "lots &amp; lots" in str(form["condition"])
    assert _schema(form)["problem"] == {
        "path": [0],
        "message": "Enter a number for “Visits”.",
    }
    assert _schema(RuleForm())["problem"] is None


def test_the_schema_describes_every_field_and_is_safe_in_a_page() -> None:
    form = RuleForm(initial={"condition": THREE_VISITS})

    visits, amount, tier, birthday = _schema(form)["fields"]

    assert (visits["label"], visits["group"], visits["unit"]) == ("Visits", "Payment", "times")
    assert visits["operators"][0] == {"name": ">=", "label": "is at least", "shape": "one"}
    assert amount["currencies"] == [{"code": "HKD", "places": 2}, {"code": "JPY", "places": 0}]
    assert tier["choices"] == [["1", "<Gold>"]]
    assert [one["name"] for one in tier["operators"]] == ["in", "notIn", "null", "notNull"]
    assert len(birthday["choices"]) == 12
    assert "<Gold>" not in str(form["condition"])


def test_the_words_are_those_of_the_reader() -> None:
    with translation.override("zh-hant"):
        months = _schema(RuleForm())["fields"][3]["choices"]

    assert months[0] == ["1", "一月"]


def test_an_unchanged_tree_is_no_change() -> None:
    same = RuleForm({"condition": json.dumps(THREE_VISITS)}, initial={"condition": THREE_VISITS})
    cleared = RuleForm({"condition": "{}"}, initial={"condition": THREE_VISITS})
    broken = RuleForm({"condition": "{"}, initial={"condition": THREE_VISITS})

    assert not same.has_changed()
    assert cleared.has_changed()
    assert broken.has_changed()
