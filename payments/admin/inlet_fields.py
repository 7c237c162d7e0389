"""The form of an inlet's recipe: a sample, and a picker for everything that stands in it."""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from kit.money import known_currencies
from kit.untrusted import Unreadable
from kit.wording import said_in_words
from payments import inlet_recipe as recipes
from payments.inlet_posts import tree_of
from payments.inlet_recipe import PATHS, BadRecipe, Recipe
from payments.services.tryout import pasted

_LONGEST_BODY: Final = 200_000
_ZONES: Final = tuple(
    (zone, zone)
    for zone in (
        *("Asia/Hong_Kong", "Asia/Taipei", "Asia/Shanghai", "Asia/Macau", "Asia/Singapore"),
        *("Asia/Kuala_Lumpur", "Asia/Bangkok", "Asia/Jakarta", "Asia/Manila"),
        *("Asia/Ho_Chi_Minh", "Asia/Tokyo", "Asia/Seoul", "Australia/Sydney", "UTC"),
    )
)

_LABELS: Final[dict[str, tuple[Any, Any]]] = {
    "shape": (gettext_lazy("What the body is"), ""),
    "reference": (
        gettext_lazy("Payment number"),
        gettext_lazy("Unique for ever, and the same in its refunds."),
    ),
    "amount": (gettext_lazy("Amount"), ""),
    "unit": (gettext_lazy("The amount is in"), ""),
    "currency": (gettext_lazy("Currency"), ""),
    "fixed_currency": (
        gettext_lazy("or one currency for all"),
        gettext_lazy("Three letters, as in HKD."),
    ),
    "time": (gettext_lazy("Time of payment"), ""),
    "time_format": (gettext_lazy("The time is written as"), ""),
    "zone": (gettext_lazy("Its zone"), gettext_lazy("For times that name none.")),
    "status": (
        gettext_lazy("State"),
        gettext_lazy("Without a state, every post is a payment."),
    ),
    "paid_values": (
        gettext_lazy("Values that mean paid"),
        gettext_lazy("Separate several by commas. Other values move no money."),
    ),
    "refunded_values": (gettext_lazy("Values that mean refunded"), ""),
    "refund_reference": (gettext_lazy("Refund number"), ""),
    "refund_amount": (
        gettext_lazy("Amount of the refund"),
        gettext_lazy("If it stands elsewhere than the amount."),
    ),
    "refund_means": (gettext_lazy("The amount of a refund is"), ""),
    "order": (gettext_lazy("Order number"), ""),
    "member": (gettext_lazy("Member number"), ""),
    "payer": (gettext_lazy("Sign of the payer"), ""),
    "payer_kind": (gettext_lazy("The sign is a"), ""),
    "store": (gettext_lazy("Store code"), ""),
    "method": (gettext_lazy("Payment method"), ""),
    "lines": (gettext_lazy("Lines of the basket"), ""),
    "line_sku": (gettext_lazy("Article number of a line"), ""),
    "line_quantity": (gettext_lazy("Quantity of a line"), ""),
    "line_amount": (gettext_lazy("Amount of a line"), ""),
    "line_name": (gettext_lazy("Name of a line"), ""),
    "scheme": (gettext_lazy("How posts are signed"), ""),
    "algorithm": (gettext_lazy("Algorithm"), ""),
    "encoding": (gettext_lazy("The signature is written in"), ""),
    "signature_header": (
        gettext_lazy("Header with the signature or token"),
        gettext_lazy("As in X-Signature."),
    ),
    "signature_field": (
        gettext_lazy("Form field with the signature"),
        gettext_lazy("Only where sorted form fields are signed."),
    ),
    "prefix": (
        gettext_lazy("Before the signature stands"),
        gettext_lazy("As in sha256= or Bearer. Blank: nothing."),
    ),
    "stamp_header": (
        gettext_lazy("Header with the time stamp"),
        gettext_lazy("Posts older than five minutes are refused then."),
    ),
    "stamp_unit": (gettext_lazy("The time stamp is in"), ""),
    "delivery_header": (
        gettext_lazy("Header with the post's own number"),
        gettext_lazy("The same when the post is sent again. Blank: by its content."),
    ),
    "delivery": (gettext_lazy("or field with the post's own number"), ""),
    "reply_status": (gettext_lazy("Status of our answer"), ""),
    "reply_body": (
        gettext_lazy("Text of our answer"),
        gettext_lazy("If the other system waits for a certain one, as in OK."),
    ),
}
_CHOICES: Final[dict[str, Any]] = {
    "shape": recipes.SHAPES,
    "scheme": recipes.SCHEMES,
    "algorithm": recipes.ALGORITHMS,
    "encoding": recipes.ENCODINGS,
    "stamp_unit": recipes.STAMPS,
    "unit": recipes.UNITS,
    "time_format": recipes.TIMES,
    "refund_means": recipes.REFUNDS,
    "payer_kind": recipes.PAYERS,
    "zone": _ZONES,
}
_OF_LINES: Final = ("line_sku", "line_quantity", "line_amount", "line_name")
SECTIONS: Final = (
    (
        gettext_lazy("The payment"),
        (
            *("reference", "amount", "unit", "currency", "fixed_currency"),
            *("time", "time_format", "zone"),
        ),
    ),
    (
        gettext_lazy("Paid or refunded"),
        (
            *("status", "paid_values", "refunded_values"),
            *("refund_reference", "refund_amount", "refund_means"),
        ),
    ),
    (
        gettext_lazy("Who, where and what"),
        ("member", "payer", "payer_kind", "order", "store", "method", "lines", *_OF_LINES),
    ),
    (
        gettext_lazy("Signature"),
        (
            *("scheme", "algorithm", "encoding", "signature_header", "signature_field", "prefix"),
            *("stamp_header", "stamp_unit", "delivery_header", "delivery"),
        ),
    ),
    (gettext_lazy("Answer"), ("reply_status", "reply_body")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the sample: choices for fields, for lists, and for fields of a line."""

    fields: list[tuple[str, str]]
    lists: list[tuple[str, str]]
    of_lines: list[tuple[str, str]]
    guessed: dict[str, str]


class SampleForm(forms.Form):
    headers = forms.CharField(
        label=gettext_lazy("Headers of a sample"),
        help_text=gettext_lazy("One on each line. They are needed to test the signature."),
        required=False,
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
    )
    body = forms.CharField(
        label=gettext_lazy("Body of a sample"),
        help_text=gettext_lazy("JSON or a form, exactly as the other system sends it."),
        strip=False,
        max_length=_LONGEST_BODY,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 10, "spellcheck": "false"}),
    )

    def clean_headers(self) -> str:
        given: str = self.cleaned_data["headers"]
        try:
            pasted(given, "", method="POST", url="/")
        except Unreadable as line:
            raise forms.ValidationError(
                _("This line is no header: %(line)s") % {"line": line}
            ) from line
        return given

    @property
    def shape(self) -> str:
        """JSON begins with a brace; everything else may be a form."""
        return "json" if self.cleaned_data["body"].lstrip().startswith("{") else "form"

    def clean_body(self) -> str:
        given: str = self.cleaned_data["body"]
        shape = "json" if given.lstrip().startswith("{") else "form"
        if shape == "form" and given.strip() and "=" not in given:
            words = _("This is neither JSON nor a form, which has = between names and values.")
            raise forms.ValidationError(words)
        try:
            if not tree_of(given.strip().encode(), shape):
                raise forms.ValidationError(_("There is nothing in it."))
        except Unreadable as problem:
            words = _("This can be read neither as JSON nor as a form: %(problem)s")
            told = {"problem": said_in_words(problem.kept)}
            raise forms.ValidationError(words % told) from problem
        return given


class RecipeForm(forms.Form):
    """Every field of a recipe; where something of the sample is meant, a picker offers it."""

    def __init__(self, *args: Any, found: Found, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for _title, names in SECTIONS:
            for name in names:
                self.fields[name] = self._field(name, found)

    def _field(self, name: str, found: Found) -> forms.Field:
        label, help_text = _LABELS[name]
        choices = _CHOICES.get(name)
        if name in PATHS:
            choices = self._with_kept(name, found.fields)
        elif name == "lines":
            choices = self._with_kept(name, found.lists)
        elif name in _OF_LINES:
            choices = self._with_kept(name, found.of_lines)
        if choices is not None:
            return forms.ChoiceField(
                label=label,
                help_text=help_text,
                choices=choices,
                required=False,
                widget=UnfoldAdminSelectWidget(choices=choices),
            )
        return forms.CharField(
            label=label,
            help_text=help_text,
            required=False,
            max_length=500,
            strip=name != "prefix",
            widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        )

    def _with_kept(self, name: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Offers what was picked before too, though this sample may not hold it."""
        kept = self.initial.get(name, "") or (self.data.get(name, "") if self.data else "")
        blank = [("", "–")]
        if kept and kept not in dict(found):
            words = _("%(field)s (not in this sample)") % {"field": path_in_words(kept)}
            return [*blank, (kept, words), *found]
        return [*blank, *found]

    def clean_fixed_currency(self) -> str:
        code = str(self.cleaned_data["fixed_currency"]).strip().upper()
        if code and code not in known_currencies():
            raise forms.ValidationError(
                _("“%(value)s” is not a currency. Write its three letters, as in HKD.")
                % {"value": code}
            )
        return code

    def recipe(self, shape: str) -> Recipe | None:
        """The recipe that is filled in; None, with the errors told, where it does not hold."""
        if not self.is_valid():
            return None
        given = {name: value or "" for name, value in self.cleaned_data.items()}
        given |= {
            name: given[name] or getattr(Recipe(), name) for name in _CHOICES if name in given
        }
        try:
            return recipes.check_recipe(Recipe(**{"shape": shape, **given}))
        except BadRecipe as bad:
            for name, words in bad.problems.items():
                self.add_error(name if name in self.fields else None, words)
            return None


def path_in_words(pointer: str) -> str:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    return " › ".join(steps) or pointer
